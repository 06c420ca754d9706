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
		full := realPath(dir)
		if full == "" {
			return nil
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

// realPath returns the absolute path of a folder without symbolic links; empty if it is
// not known.
func realPath(dir string) string {
	full, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(full); err == nil { // it may not exist yet
		return real
	}
	return full
}

// pathInGit returns the path of a folder in the work tree of Git that it is in, with
// slashes; empty if it is in none.
func pathInGit(dir string) string {
	full := realPath(dir)
	for root := full; root != ""; root = filepath.Dir(root) {
		if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil {
			rel, err := filepath.Rel(root, full)
			if err != nil {
				return ""
			}
			return filepath.ToSlash(rel)
		}
		if root == filepath.Dir(root) {
			return ""
		}
	}
	return ""
}
