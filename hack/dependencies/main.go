// Command dependencies checks that docs/dependencies.md gives a reason for each
// direct dependency and each tool of the modules, and for nothing else:
//
//	go run ./hack/dependencies . engine hack/tools/lint
//
// from the root of the repository. The document has one section per module,
// whose heading names its go.mod in backquotes, with a table whose first column
// is the module or the package of the tool in backquotes.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

const document = "docs/dependencies.md"

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "dependencies:", err)
		os.Exit(1)
	}
}

func run(folders []string, errOut io.Writer) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	explained, err := parse(string(text))
	if err != nil {
		return err
	}
	wrong := 0
	complain := func(format string, args ...any) {
		wrong++
		fmt.Fprintf(errOut, document+": "+format+"\n", args...)
	}
	for _, folder := range folders {
		file := path.Join(folder, "go.mod")
		required, err := requirements(file)
		if err != nil {
			return err
		}
		for _, name := range required {
			if explained[file][name] == "" {
				complain("%s requires %s; say why", file, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(explained[file])) {
			if !slices.Contains(required, name) {
				complain("%s does not require %s any more", file, name)
			}
		}
		delete(explained, file)
	}
	for _, file := range slices.Sorted(maps.Keys(explained)) {
		complain("%s is not among the modules that were given", file)
	}
	if wrong > 0 {
		return fmt.Errorf("%d differences", wrong)
	}
	return nil
}

var (
	heading = regexp.MustCompile("^#+ .*`([^`]*go\\.mod)`")
	row     = regexp.MustCompile("^\\| *`([^`]+)` *\\|([^|]*)\\|")
)

// parse returns the reasons by go.mod and dependency.
func parse(text string) (map[string]map[string]string, error) {
	reasons := map[string]map[string]string{}
	file := ""
	for i, line := range strings.Split(text, "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			file = m[1]
			reasons[file] = map[string]string{}
		}
		m := row.FindStringSubmatch(line)
		switch {
		case m == nil:
		case file == "":
			return nil, fmt.Errorf("%s:%d: a dependency before the heading of a module", document, i+1)
		case reasons[file][m[1]] != "":
			return nil, fmt.Errorf("%s:%d: %s is there twice", document, i+1, m[1])
		default:
			reasons[file][m[1]] = strings.TrimSpace(m[2])
		}
	}
	return reasons, nil
}

// requirements returns the direct requirements and the tools of a go.mod, but
// for the project's own modules.
func requirements(file string) ([]string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "mod", "edit", "-json", file)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w\n%s", file, err, stderr.Bytes())
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	var names []string
	for _, r := range mod.Require {
		if !r.Indirect && !strings.HasPrefix(r.Path, "github.com/gatehouse-dev/") {
			names = append(names, r.Path)
		}
	}
	for _, t := range mod.Tool {
		names = append(names, t.Path)
	}
	return names, nil
}
