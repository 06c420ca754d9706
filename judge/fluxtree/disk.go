package fluxtree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Disk is the file system that kustomize builds on: files below a root, and what it clones.
// It notes what is read, and what kustomize would say about a kustomization on the standard
// error stream.
type Disk struct {
	filesys.FileSystem
	// root is absolute and without links; empty for no limit.
	root string
	// Outside says that kustomizations outside the root may be read, too, with what lies in
	// their folders.
	Outside bool
	// absent reports whether a file, relative to the root, is kept out of what Flux gets.
	absent func(file string) bool
	// links are those below the root; nothing is read through them.
	links links
	// instead has the content of files that are not read from the disk, by absolute name.
	instead map[string][]byte
	read    map[string]bool
	// indexes are the kustomizations that were read, by absolute name.
	indexes map[string]index
	// ownSchema is set if one of a build brings an OpenAPI schema, which kustomize then keeps
	// for all builds of the process.
	ownSchema bool
}

// NewDisk returns a file system below root, a folder of fsys; empty for all of it.
func NewDisk(fsys filesys.FileSystem, root string) (*Disk, error) {
	d := &Disk{FileSystem: fsys, read: map[string]bool{}, indexes: map[string]index{}, instead: map[string][]byte{}}
	if root != "" {
		dir, _, err := fsys.CleanedAbs(root)
		if err != nil {
			return nil, err
		}
		d.root = string(dir)
	}
	return d, nil
}

// ReadFile implements filesys.FileSystem.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	data, replaced := d.instead[name]
	if !replaced {
		if err := d.check(name); err != nil {
			return nil, err
		}
		var err error
		if data, err = d.FileSystem.ReadFile(name); err != nil {
			return nil, err
		}
		if err := expand(data); err != nil {
			d.read[name] = true
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	d.read[name] = true
	if slices.Contains(kustomizations, filepath.Base(name)) {
		d.look(name, data)
	}
	return data, nil
}

// Open implements filesys.FileSystem.
func (d *Disk) Open(name string) (filesys.File, error) {
	if err := d.check(name); err != nil {
		return nil, err
	}
	return d.FileSystem.Open(name)
}

// Exists implements filesys.FileSystem.
func (d *Disk) Exists(name string) bool {
	_, replaced := d.instead[name]
	return replaced || !d.linked(name) && d.FileSystem.Exists(name)
}

// IsDir implements filesys.FileSystem.
func (d *Disk) IsDir(name string) bool { return !d.linked(name) && d.FileSystem.IsDir(name) }

// CleanedAbs implements filesys.FileSystem.
func (d *Disk) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	if d.linked(name) {
		return "", "", &fs.PathError{Op: "open", Path: name, Err: errLink}
	}
	return d.FileSystem.CleanedAbs(name)
}

// check returns an error about a file that must not be read.
func (d *Disk) check(name string) error {
	if d.root == "" {
		return nil
	}
	dir, base, err := d.CleanedAbs(name)
	if err != nil {
		return err
	}
	full := filepath.Join(string(dir), base)
	rel, err := filepath.Rel(d.root, full)
	switch {
	case err == nil && filepath.IsLocal(rel):
		if d.absent != nil && d.absent(filepath.ToSlash(rel)) {
			return &fs.PathError{Op: "open", Path: name, Err: errors.New("left out by .sourceignore or --exclude")}
		}
		return nil
	case cloned(full), d.Outside && d.below(filepath.Dir(full)):
		return nil
	}
	return fmt.Errorf("%s lies outside the repository %s", name, d.root)
}

// below reports whether a folder, or one above it, has a kustomization.
func (d *Disk) below(dir string) bool {
	for {
		for _, name := range kustomizations {
			if d.FileSystem.Exists(filepath.Join(dir, name)) {
				return true
			}
		}
		above := filepath.Dir(dir)
		if above == dir {
			return false
		}
		dir = above
	}
}

// cloned reports whether a file belongs to a base from the network: kustomize keeps them in
// folders of its own among the temporary files.
func cloned(full string) bool {
	temporary, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(temporary, full)
	return err == nil && filepath.IsLocal(rel) && strings.HasPrefix(rel, "kustomize-")
}

// look notes what kustomize thinks of a kustomization.
func (d *Disk) look(name string, data []byte) {
	seen, known := d.indexes[name]
	if !known {
		var fields map[string]any
		if yaml.Unmarshal(data, &fields) != nil {
			return // kustomize says what is wrong
		}
		_, seen.ownSchema = fields["openapi"]
		for _, f := range deprecated {
			if _, used := fields[f.name]; used {
				seen.warnings = append(seen.warnings, fmt.Sprintf("%s is deprecated in kustomize: use %s", f.name, f.instead))
			}
		}
		d.indexes[name] = seen
	}
	d.ownSchema = d.ownSchema || seen.ownSchema
}

// index is what was noted about a kustomization.
type index struct {
	warnings []string
	// ownSchema is set if it brings an OpenAPI schema.
	ownSchema bool
}

// deprecated are the fields of a kustomization that kustomize warns about.
var deprecated = []struct{ name, instead string }{
	{"bases", "resources"}, {"commonLabels", "labels"}, {"imageTags", "images"}, {"patchesJson6902", "patches"},
	{"patchesStrategicMerge", "patches"}, {"vars", "replacements"},
}

// Warnings returns what kustomize would warn about in the kustomizations that were read. Name returns how a file is shown.
func (d *Disk) Warnings(name func(file string) string) diag.List {
	var list diag.List
	for file, seen := range d.indexes {
		for _, m := range seen.warnings {
			list.Add(diag.Diagnostic{Severity: diag.Warning, Code: "kustomize-deprecated", Position: diag.Position{File: name(file)}, Summary: m})
		}
	}
	return list.Sort()
}

// Read reports whether a file, relative to the root, was read.
func (d *Disk) Read(file string) bool { return d.read[filepath.Join(d.root, filepath.FromSlash(file))] }

// ReadIn is Read for a file in a folder of the disk.
func (d *Disk) ReadIn(dir, file string) bool {
	abs, _, err := d.CleanedAbs(dir)
	return err == nil && d.read[filepath.Join(string(abs), filepath.FromSlash(file))]
}

// Display returns the name of a file as a path from the working directory, if it lies there.
func (d *Disk) Display(file string) string {
	here, _, err := d.CleanedAbs(".")
	if err != nil {
		return file
	}
	rel, err := filepath.Rel(string(here), file)
	if err != nil || !filepath.IsLocal(rel) {
		return file
	}
	return filepath.ToSlash(rel)
}

// kustomizations are the names of files that kustomize looks for, in its order.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// kustomization returns the name of the kustomization of a folder; empty if it has none.
func (d *Disk) kustomization(dir string) string {
	for _, name := range kustomizations {
		file := filepath.Join(dir, name)
		if d.Exists(file) && !d.IsDir(file) && d.check(file) == nil {
			return file
		}
	}
	return ""
}
