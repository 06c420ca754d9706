package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// The files in the folder of a control, besides its templates and the ResultsFile.
const (
	controlFileName = "control.yaml"
	goodFile        = "tests/good.yaml"
	badFile         = "tests/bad.yaml"
	readmeName      = "README.md"
)

// fileNames returns all files that the folder of a control may have.
func fileNames() []string {
	names := []string{controlFileName}
	for _, d := range dialects() {
		names = append(names, d.file)
	}
	return append(slices.Compact(names), goodFile, badFile, ResultsFile, readmeName)
}

// folder is the folder of one control, and what is wrong with it.
type folder struct {
	fsys     fs.FS
	dir      string
	problems diag.List
}

func (f *folder) problem(name, hint, format string, args ...any) {
	f.problems.Add(diag.Diagnostic{Code: codeControl, Position: diag.Position{File: path.Join(f.dir, name)}, Summary: fmt.Sprintf(format, args...), Hint: hint})
}

// optional reads a file. It returns nil if the file does not exist.
func (f *folder) optional(name string) []byte {
	text, err := fs.ReadFile(f.fsys, path.Join(f.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.problem(name, "", "%s", cause(err))
	}
	return text
}

// required reads a file that every control has.
func (f *folder) required(name string) []byte {
	text, err := fs.ReadFile(f.fsys, path.Join(f.dir, name))
	if err != nil {
		f.problem(name, "", "a control needs this file: %s", cause(err))
	}
	return text
}

// unknown reports the files that are not read, because they would have no effect. It
// ignores names that begin with a dot.
func (f *folder) unknown() {
	err := fs.WalkDir(f.fsys, f.dir, func(name string, entry fs.DirEntry, err error) error {
		switch inside := strings.TrimPrefix(name, f.dir+"/"); {
		case err != nil:
			return err
		case strings.HasPrefix(entry.Name(), ".") && name != f.dir:
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && !slices.Contains(fileNames(), inside):
			f.problem(inside, diag.OneOf(inside, fileNames()), "is not a file of a control")
		}
		return nil
	})
	if err != nil {
		f.problem("", "", "reading the folder: %s", cause(err))
	}
}

// load reads the control in one folder.
func load(fsys fs.FS, dir string) (*Control, diag.List) {
	f := &folder{fsys: fsys, dir: dir}
	text := f.required(controlFileName)
	if text == nil {
		f.unknown()
		return nil, f.problems
	}
	c, problems := readControl(path.Join(dir, controlFileName), text)
	if c == nil || c.Judges() {
		f.policy(c)
	} else {
		f.noPolicy(c)
	}
	f.unknown()
	problems = append(f.problems, problems...)
	if c != nil && c.ID != path.Base(dir) {
		problems.Add(diag.Diagnostic{Code: codeControl, Position: diag.Position{File: path.Join(dir, controlFileName), Line: 1}, Path: "metadata.name",
			Summary: fmt.Sprintf("%q is not the name of the folder, %q", c.ID, path.Base(dir))})
	}
	return c, problems
}

// policy reads the templates and documents of an admission policy into c, which is nil
// if control.yaml cannot be read.
func (f *folder) policy(c *Control) {
	templates := map[string][]byte{}
	for _, d := range dialects() {
		if template := f.optional(d.file); template != nil {
			templates[d.target] = template
		}
	}
	good, bad, results := f.required(goodFile), f.required(badFile), f.optional(ResultsFile)
	if len(templates) == 0 {
		f.problem(dialects()[0].file, "", "a control needs a template")
	}
	if c != nil && (c.Instances != "" || looksUp(templates[ValidatingPolicy])) {
		delete(templates, ValidatingAdmissionPolicy) // the API server verifies no images, and reads no other objects
	}
	if c != nil {
		c.templates, c.good, c.bad, c.results = templates, good, bad, results
	}
}

// noPolicy reports the files that a control without an admission policy does not use.
func (f *folder) noPolicy(c *Control) {
	for _, name := range fileNames() {
		if name != controlFileName && name != readmeName && f.optional(name) != nil {
			f.problem(name, "remove it", "has no effect on a control that emits %s", c.Emits)
		}
	}
}
