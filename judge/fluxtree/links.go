package fluxtree

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// links are the symbolic links of a repository. source-controller puts folders and regular files
// into an artifact, and nothing else, so Flux has none of them.
type links map[string]bool

// linksOf finds the links of a repository.
func linksOf(fsys fs.FS) (links, error) {
	all := links{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Type()&fs.ModeSymlink != 0:
			all[name] = true
		}
		return nil
	})
	return all, err
}

// through reports whether a path of the repository leads through a link.
func (l links) through(name string) bool {
	for ; len(l) > 0 && name != "." && name != "/"; name = path.Dir(name) {
		if l[name] {
			return true
		}
	}
	return false
}

// without returns the repository without its links.
func (l links) without(fsys fs.FS) fs.FS {
	if len(l) == 0 {
		return fsys
	}
	return unlinked{fsys, l}
}

type unlinked struct {
	fsys  fs.FS
	links links
}

// Open implements [fs.FS].
func (u unlinked) Open(name string) (fs.File, error) {
	if u.links.through(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return u.fsys.Open(name)
}

// Stat implements [fs.StatFS].
func (u unlinked) Stat(name string) (fs.FileInfo, error) {
	if u.links.through(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Stat(u.fsys, name)
}

// ReadDir implements [fs.ReadDirFS].
func (u unlinked) ReadDir(name string) ([]fs.DirEntry, error) {
	if u.links.through(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	entries, err := fs.ReadDir(u.fsys, name)
	return slices.DeleteFunc(entries, func(d fs.DirEntry) bool { return d.Type()&fs.ModeSymlink != 0 }), err
}

var errLink = errors.New("leads through a symbolic link, and Flux has none")

// linked reports whether a name leads through a link below the root.
func (d *Disk) linked(name string) bool {
	if len(d.links) == 0 {
		return false
	}
	full, err := filepath.Abs(name)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(d.root, full)
	return err == nil && filepath.IsLocal(rel) && d.links.through(filepath.ToSlash(rel))
}

// linked warns about the links in the folder that was named.
func (r *Repository) linked(problems *Problems) {
	var names []string
	for name := range r.disk.links {
		if (r.scope == "." || strings.HasPrefix(name, r.scope+"/")) && !r.absent(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	shown := strings.Join(names[:min(10, len(names))], ", ")
	if more := len(names) - 10; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "flux-link", Position: diag.Position{File: r.display},
		Summary: "symbolic links, which Flux leaves out of what it applies, so they are not followed: " + shown, Hint: "replace them with files, or name what they lead to in a kustomization"})
}
