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

	kustomize "sigs.k8s.io/kustomize/api/types"
)

// Disk is the file system that kustomize builds on: files below a root, and what it clones.
// It notes what is read, and what kustomize would say about a kustomization on the standard
// error stream.
type Disk struct {
	filesys.FileSystem
	// root is absolute and without links; empty for no limit.
	root string
	// absent reports whether a file, relative to the root, is kept out of what Flux gets.
	absent func(file string) bool
	// instead has the content of files that are not read from the disk, by absolute name.
	instead map[string][]byte
	read    map[string]bool
	// deprecated are warnings about kustomizations, by absolute name.
	deprecated map[string][]string
	// ownSchema is set if a kustomization brings an OpenAPI schema, which kustomize then
	// keeps for all builds of the process.
	ownSchema bool
}

// NewDisk returns a file system below root, a folder of fsys; empty for all of it.
func NewDisk(fsys filesys.FileSystem, root string) (*Disk, error) {
	d := &Disk{FileSystem: fsys, read: map[string]bool{}, deprecated: map[string][]string{}, instead: map[string][]byte{}}
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
	return replaced || d.FileSystem.Exists(name)
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
	case cloned(full):
		return nil
	}
	return fmt.Errorf("%s lies outside the repository %s", name, d.root)
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
	var k kustomize.Kustomization
	if yaml.Unmarshal(data, &k) != nil {
		return // kustomize says what is wrong
	}
	d.ownSchema = d.ownSchema || len(k.OpenAPI) > 0
	if _, done := d.deprecated[name]; done {
		return
	}
	d.deprecated[name] = nil
	for _, field := range deprecated(&k) {
		d.deprecated[name] = append(d.deprecated[name], field)
	}
}

// deprecated returns the deprecated fields that a kustomization uses.
func deprecated(k *kustomize.Kustomization) []string {
	var used []string
	for _, f := range []struct {
		used    bool
		name    string
		instead string
	}{
		{k.Bases != nil, "bases", "resources"},
		{k.CommonLabels != nil, "commonLabels", "labels"},
		{k.ImageTags != nil, "imageTags", "images"},
		{k.PatchesJson6902 != nil, "patchesJson6902", "patches"},
		{k.PatchesStrategicMerge != nil, "patchesStrategicMerge", "patches"},
		{k.Vars != nil, "vars", "replacements"},
	} {
		if f.used {
			used = append(used, fmt.Sprintf("%s is deprecated in kustomize: use %s", f.name, f.instead))
		}
	}
	return used
}

// Warnings returns what kustomize would warn about in the kustomizations that were read, and
// forgets it. Name returns how a file is shown.
func (d *Disk) Warnings(name func(file string) string) diag.List {
	var list diag.List
	for file, messages := range d.deprecated {
		for _, m := range messages {
			list.Add(diag.Diagnostic{Severity: diag.Warning, Code: "kustomize-deprecated", Position: diag.Position{File: name(file)}, Summary: m})
		}
		d.deprecated[file] = nil
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
