package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// repositoryOf returns a function that returns the repository in which the folder dir has
// a path, with slashes; nil if dir is not at that path of anything. Nothing is read yet.
func repositoryOf(dir string) func(output string) fs.FS {
	return func(output string) fs.FS {
		full, err := filepath.Abs(dir)
		if err != nil {
			return nil
		}
		if resolved, err := filepath.EvalSymlinks(full); err == nil { // it may not exist yet
			full = resolved
		}
		if output == "." {
			return os.DirFS(full)
		}
		root, inside := strings.CutSuffix(filepath.ToSlash(full), "/"+output)
		if !inside || root == "" {
			return nil
		}
		return os.DirFS(filepath.FromSlash(root))
	}
}
