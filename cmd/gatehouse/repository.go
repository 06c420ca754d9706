package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// repositoryOf returns a function that returns the repository in which the folder dir has
// a path, with slashes; nil if dir is not at that path of anything. Nothing is read yet.
func repositoryOf(dir string) func(at string) fs.FS {
	return func(at string) fs.FS {
		full, err := filepath.Abs(dir)
		if err != nil {
			return nil
		}
		if resolved, err := filepath.EvalSymlinks(full); err == nil { // it may not exist yet
			full = resolved
		}
		if at == "." {
			return regular.FS(os.DirFS(full), output.MaxFile)
		}
		root, inside := strings.CutSuffix(filepath.ToSlash(full), "/"+at)
		if !inside || root == "" {
			return nil
		}
		return regular.FS(os.DirFS(filepath.FromSlash(root)), output.MaxFile)
	}
}
