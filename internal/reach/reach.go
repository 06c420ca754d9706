// Package reach answers which part of a repository a Flux Kustomization applies.
//
// If the path of the Kustomization has an index of kustomize, Flux applies what the index
// leads to. Otherwise it applies every YAML file below the path, and of a folder with an
// index what that index leads to (fluxcd/pkg, kustomize_generator.go).
package reach

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Within reports whether a path is a folder or lies in it. Both may begin with ./ and
// need not be clean.
func Within(p, folder string) bool {
	p, folder = path.Clean(p), path.Clean(folder)
	return folder == "." || p == folder || strings.HasPrefix(p, folder+"/")
}

// Reaches reports whether a Kustomization with the path from applies manifests in folder,
// which need not exist yet. It does not follow what an index takes from elsewhere.
func Reaches(repository fs.FS, from, folder string) (bool, error) {
	w := walk{repository, path.Clean(folder), map[string]bool{}}
	from = path.Clean(from)
	if !fs.ValidPath(from) {
		return false, nil
	}
	if index, err := w.index(from); index != nil || err != nil {
		return w.built(from)
	}
	reached, err := w.generated(from)
	if err != nil {
		return false, fmt.Errorf("reading what Flux applies from %s: %w", from, err)
	}
	return reached, nil
}

type walk struct {
	repository fs.FS
	folder     string
	seen       map[string]bool
}

// index is the part of an index that leads to other files.
type index struct {
	Resources  []string `json:"resources"`
	Bases      []string `json:"bases"`
	Components []string `json:"components"`
}

// index returns the index of a folder; nil if it has none.
func (w walk) index(dir string) (*index, error) {
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		data, err := fs.ReadFile(w.repository, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var found index
		if err := yaml.Unmarshal(data, &found); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path.Join(dir, name), err)
		}
		return &found, nil
	}
	return nil, nil
}

// generated reports whether Flux reaches the folder from a path without an index.
func (w walk) generated(from string) (reached bool, err error) {
	if open, err := w.open(from); open || err != nil {
		return open, err
	}
	err = fs.WalkDir(w.repository, from, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) || reached:
			return fs.SkipAll // Flux reports a path that does not exist
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case d.Name() == ".git":
			return fs.SkipDir
		}
		index, err := w.index(p)
		if index == nil || err != nil {
			return err
		}
		if reached, err = w.built(p); err != nil {
			return err
		}
		return fs.SkipDir
	})
	return reached, err
}

// open reports whether the folder lies below from, and no folder between them has an
// index that decides what Flux applies there.
func (w walk) open(from string) (bool, error) {
	if !Within(w.folder, from) {
		return false, nil
	}
	for dir := path.Dir(w.folder); dir != from && w.folder != from; dir = path.Dir(dir) {
		if index, err := w.index(dir); index != nil || err != nil {
			return false, err
		}
	}
	return true, nil
}

// built reports whether kustomize reaches the folder when it builds dir.
func (w walk) built(dir string) (bool, error) {
	if w.seen[dir] {
		return false, nil
	}
	w.seen[dir] = true
	if Within(dir, w.folder) {
		return true, nil
	}
	index, err := w.index(dir)
	if index == nil || err != nil {
		return false, err
	}
	for _, entry := range slices.Concat(index.Resources, index.Bases, index.Components) {
		reached, err := w.entry(path.Join(dir, entry))
		if reached || err != nil {
			return reached, err
		}
	}
	return false, nil
}

// entry reports whether an entry of an index, a file or folder, reaches the folder.
func (w walk) entry(p string) (bool, error) {
	if !fs.ValidPath(p) {
		return false, nil
	}
	info, err := fs.Stat(w.repository, p)
	switch {
	case err != nil: // elsewhere, such as a URL
		return false, nil
	case info.IsDir():
		return w.built(p)
	}
	return Within(p, w.folder), nil
}
