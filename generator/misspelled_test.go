package generator

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestMisspelledFields misspells each key of the example, one at a time. Nothing
// panics, and a misspelt key of the language is an error. Only keys that users
// choose, such as labels and parameters, may be anything.
func TestMisspelledFields(t *testing.T) {
	source := readSource(t, os.DirFS("../examples/acme"))
	refused := 0
	for _, name := range slices.Sorted(maps.Keys(source)) {
		if path.Ext(name) != ".yaml" {
			continue
		}
		lines := strings.Split(string(source[name].Data), "\n")
		for _, key := range keysOf(t, source[name].Data) {
			changed := maps.Clone(source)
			misspelled := slices.Clone(lines)
			line, at := lines[key.Line-1], key.Column-1
			misspelled[key.Line-1] = line[:at] + "x" + line[at:]
			changed[name] = &fstest.MapFile{Data: []byte(strings.Join(misspelled, "\n"))}
			_, problems := Compile(changed, ".", Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Unstaged: true})
			if problems.HasErrors() {
				refused++
			} else if slices.Contains([]string{"spec", "metadata", "match", "stage", "expires", "references", "attestors", "tier"}, key.Value) {
				t.Errorf("%s:%d: x%s is accepted", name, key.Line, key.Value)
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d misspellings are refused", refused)
	}
}

// readSource returns the files of a folder that a build reads.
func readSource(t *testing.T, fsys fs.FS) fstest.MapFS {
	t.Helper()
	source := fstest.MapFS{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == "policy-repo" || name == "tests":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		source[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// keysOf returns the keys of all maps in a file.
func keysOf(t *testing.T, data []byte) []*yaml.Node {
	t.Helper()
	var keys []*yaml.Node
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && child.Style == 0 {
				keys = append(keys, child)
			}
			walk(child)
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			return keys
		}
		walk(&document)
	}
}
