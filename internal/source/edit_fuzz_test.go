package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// FuzzEdit: reading the file before and after an edit, without a line of this
// package, differs in the one value only, and the bytes before the key and
// behind the value are those of before.
func FuzzEdit(f *testing.F) {
	for _, c := range editCases() {
		for choice := range uint16(8) {
			f.Add([]byte(c.text), choice, uint8(choice), fmt.Sprint(c.value))
		}
	}
	for _, data := range sources(f) {
		for choice := range uint16(24) {
			f.Add(data, choice*5, uint8(choice), "audit")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, choice uint16, operation uint8, text string) {
		documents, err := plainValues(data)
		if err != nil || len(documents) == 0 {
			return
		}
		doc := int(choice) % len(documents)
		targets := targetsOf("", documents[doc])
		target := targets[int(choice/7)%len(targets)]
		value := []any{text, text + "\nx\n", 7, true, nil, 1.5, m{text: l{text, m{"k": text}}}, l{l{text}, text, m{}}, m{}, l{}, removed{}, removed{}}[operation%12]
		out, err := editCase{text: string(data), path: target.path, value: value}.edit(Nth(doc))
		if err != nil {
			if out != nil {
				t.Errorf("bytes with the error %v", err)
			}
			return
		}
		documents[doc] = target.change(documents[doc], value)
		after, err := plainValues(out)
		if err != nil {
			t.Fatalf("%s = %#v: %v\n%q\n%q", target.path, value, err, data, out)
		}
		if want, got := fmt.Sprintf("%#v", documents), fmt.Sprintf("%#v", after); want != got {
			t.Fatalf("%s = %#v:\n%q\n%q\nwant %s\ngot  %s", target.path, value, data, out, want, got)
		}
		_, gone := value.(removed)
		outside(t, data, out, doc, target, gone)
		if !gone {
			again, err := Set(out, Nth(doc), target.path, value)
			if err != nil || !bytes.Equal(again, out) {
				t.Errorf("again: %v\n%q\n%q", err, out, again)
			}
		}
	})
}

// plainValues reads a file with the YAML library alone.
func plainValues(data []byte) (out []any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var v any
		if err := decoder.Decode(&v); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, generic(v))
	}
}

// generic makes dates text, as they are to Decode.
func generic(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	case int64:
		return int(v)
	case map[any]any:
		panic("a key is not a string")
	case m:
		for key := range v {
			v[key] = generic(v[key])
		}
	case l:
		for i := range v {
			v[i] = generic(v[i])
		}
	}
	return v
}

// target is a place in a document; steps are string keys and int indices.
type target struct {
	path  string
	steps []any
}

// targetsOf lists what is in a value, and a new entry of each collection.
func targetsOf(prefix string, v any) []target {
	var out []target
	add := func(path string, step, child any) {
		out = append(out, target{path, []any{step}})
		for _, below := range targetsOf(path, child) {
			out = append(out, target{below.path, append([]any{step}, below.steps...)})
		}
	}
	switch v := v.(type) {
	case m:
		for _, key := range sortedKeys(v) {
			if key != "" && !strings.ContainsAny(key, "[]") {
				add(prefix+"["+key+"]", key, v[key])
			}
		}
	case l:
		for i, child := range v {
			add(fmt.Sprintf("%s[%d]", prefix, i), i, child)
		}
		out = append(out, target{fmt.Sprintf("%s[%d]", prefix, len(v)), []any{len(v)}})
		return out
	}
	if prefix == "" {
		prefix = "new"
	} else {
		prefix += ".new"
	}
	return append(out, target{prefix, []any{"new"}}, target{prefix + ".er[0]", []any{"new", "er", 0}})
}

func sortedKeys(v m) (keys []string) {
	for key := range v {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// change does to plain values what the edit does to the file.
func (t target) change(v, value any) any { return change(v, t.steps, value) }

func change(v any, steps []any, value any) any {
	if len(steps) == 0 {
		return plainOf(value)
	}
	_, gone := value.(removed)
	gone = gone && len(steps) == 1
	if key, ok := steps[0].(string); ok {
		mapping, _ := v.(m)
		if mapping == nil {
			mapping = m{}
		}
		if mapping[key] = change(mapping[key], steps[1:], value); gone {
			delete(mapping, key)
		}
		return mapping
	}
	i := steps[0].(int)
	list, _ := v.(l)
	switch {
	case gone:
		return append(list[:i:i], list[i+1:]...)
	case i == len(list):
		list = append(list, nil)
	}
	list[i] = change(list[i], steps[1:], value)
	return list
}

// plainOf copies a value, as an edit does.
func plainOf(v any) any {
	switch v := v.(type) {
	case m:
		out := m{}
		for key := range v {
			out[key] = plainOf(v[key])
		}
		return out
	case l:
		out := l{}
		for _, child := range v {
			out = append(out, plainOf(child))
		}
		return out
	}
	return v
}

// outside compares the bytes around the value: before the line of the key (but
// for comments), and from the node that comes next.
func outside(t *testing.T, before, after []byte, doc int, target target, gone bool) {
	t.Helper()
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(before))
	for range doc + 1 {
		root = yaml.Node{}
		if err := decoder.Decode(&root); err != nil {
			t.Fatal(err)
		}
	}
	rows := bytes.SplitAfter(before, []byte("\n"))
	from, next := around(rows, root.Content[0], target.steps, gone)
	if bytes.ContainsAny(before, "\r\u0085\u2028\u2029") { // the lines of YAML are others
		return
	}
	kept := rows[:from-1]
	for len(kept) > 0 && (bytes.HasPrefix(bytes.TrimSpace(kept[len(kept)-1]), []byte("#"))) {
		kept = kept[:len(kept)-1] // may go with what is removed
	}
	head := bytes.TrimSuffix(bytes.Join(kept, nil), []byte("\n")) // so may the last line break
	if !bytes.HasPrefix(after, head) {
		t.Errorf("%s: the text before is not kept\n%q\n%q", target.path, before, after)
	}
	if next == nil {
		return
	}
	row := []rune(strings.TrimPrefix(string(rows[next.Line-1]), "\ufeff"))
	tail := string(row[next.Column-1:]) + string(bytes.Join(rows[next.Line:], nil))
	if !strings.HasSuffix(string(after), tail) {
		t.Errorf("%s: the text behind is not kept\n%q\n%q", target.path, before, after)
	}
}

// around returns the line in which a change may begin, and the next node that is
// no part of it.
func around(rows [][]byte, n *yaml.Node, steps []any, gone bool) (from int, next *yaml.Node) {
	from = n.Line
	for i, step := range steps {
		last := gone && i == len(steps)-1
		if only := len(n.Content) == 1 || n.Kind == yaml.MappingNode && len(n.Content) == 2; last && only {
			return from, next // the collection changes with it
		}
		at, line := find(rows, n, step)
		if at < 0 {
			return from, next
		}
		if from = line; last && n.Style&yaml.FlowStyle != 0 {
			from = n.Line // a comma goes too
		}
		if at+1 < len(n.Content) {
			next = n.Content[at+1]
		}
		n = n.Content[at]
	}
	return from, next
}

// find returns the index of a value and the line of its key or dash, or -1.
func find(rows [][]byte, n *yaml.Node, step any) (at, line int) {
	if index, ok := step.(int); ok {
		if n.Kind != yaml.SequenceNode || index >= len(n.Content) {
			return -1, 0
		}
		line = n.Content[index].Line
		for n.Style&yaml.FlowStyle == 0 && line > n.Line && !bytes.HasPrefix(bytes.TrimSpace(rows[line-1]), []byte("-")) {
			line--
		}
		return index, line
	}
	for i := 1; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if n.Content[i-1].Value == step {
			return i, n.Content[i-1].Line
		}
	}
	return -1, 0
}

// sources are the files that people write: of the examples and of gatehouse init.
func sources(t testing.TB) (files [][]byte) {
	t.Helper()
	for _, root := range []string{"../../examples", "../../cmd/gatehouse/scaffold"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "policy-repo":
				return fs.SkipDir
			case path.Ext(name) == ".yaml":
				data, err := os.ReadFile(name)
				files = append(files, data)
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 6 {
		t.Fatalf("only %d files", len(files))
	}
	return files
}
