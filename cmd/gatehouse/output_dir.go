package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// validate refuses options that contradict each other or were mistaken for others.
func (o buildOptions) validate() error {
	switch {
	case o.dir == "" && (o.check || o.force):
		return usagef("--check and --force need -o DIR")
	case o.check && o.force:
		return usagef("--check writes nothing: it cannot be used with --force")
	case isFormat(o.dir):
		return usagef("-o %s: -o takes a folder, not a format; without it manifests go to standard output as YAML (for a folder of this name, write -o ./%[1]s)", o.dir)
	}
	return nil
}

// separate refuses an output that is a file, or a folder that holds the source:
// what is written there would be read as the source, or taken for it.
func separate(source, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // a build creates it
	case err != nil:
		return err
	case !info.IsDir():
		return usagef("-o %s: it is a file, not a folder", dir)
	}
	inside, err := liesIn(source, info)
	if err == nil && inside {
		err = usagef("-o %s: the folder holds the source %s; write to another folder, which may lie in the source", dir, source)
	}
	return err
}

// isFormat reports whether name is what -o takes elsewhere, here or in kubectl.
func isFormat(name string) bool {
	return slices.Contains([]string{"text", "json", "yaml", "yml", "name", "wide", "table", "markdown", "junit", "sarif", "dot", "mermaid"}, name)
}

// liesIn reports whether path is dir or lies in it, symbolic links resolved. It
// compares folders by identity: names may differ in case, or by a mount.
func liesIn(path string, dir fs.FileInfo) (bool, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	for {
		info, err := os.Stat(path)
		if err != nil {
			return false, err
		}
		if os.SameFile(info, dir) {
			return true, nil
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false, nil
		}
		path = parent
	}
}
