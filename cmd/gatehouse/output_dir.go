package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// validate refuses options that contradict each other, and a format for a folder.
func (o buildOptions) validate() error {
	switch {
	case o.dirSet && o.dir == "":
		return usagef("-o: the name of the folder is empty; omit -o to print YAML to standard output")
	case o.dir == "" && (o.check || o.force):
		return usagef("--check and --force need -o DIR")
	case o.dir == "" && o.baseSet:
		return usagef("--base needs -o DIR")
	case o.check && o.force:
		return usagef("--check writes nothing: it cannot be used with --force")
	case isFormat(o.dir):
		return usagef("-o %s: -o takes a folder, not a format; omit it to print YAML to standard output (for a folder with this name, use -o ./%[1]s)", o.dir)
	}
	return nil
}

// separate refuses an output that is a file, or a folder that contains the source:
// the next build would read what this one writes.
func separate(source, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // a build creates it
	case err != nil:
		return err
	case !info.IsDir():
		return usagef("-o %s: this is a file, not a folder", dir)
	}
	inside, err := liesIn(source, info)
	if err == nil && inside {
		err = usagef("-o %s: this folder contains the source %s; choose another folder (it may be inside the source)", dir, source)
	}
	return err
}

// isFormat reports whether name is an output format of another command, or of kubectl.
func isFormat(name string) bool {
	return slices.Contains([]string{"text", "json", "yaml", "yml", "name", "wide", "table", "markdown", "junit", "sarif", "dot", "mermaid"}, name)
}

// liesIn reports whether path is dir or inside it, with symbolic links resolved. It
// compares folders by identity, because names may differ in case or by a mount.
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
