package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPages follows pages of the documentation as a reader would: it types each command
// of the console blocks in a folder with the examples, and compares what is printed with
// what the page shows. With -update, the page shows what is printed.
func TestPages(t *testing.T) {
	for _, page := range []struct {
		file string
		ran  int // the least number of commands
	}{
		{"README.md", 15},
		{"docs/what-happens.md", 80},
	} {
		t.Run(page.file, func(t *testing.T) {
			if ran := follow(t, filepath.Join("../..", page.file)); ran < page.ran {
				t.Errorf("%d commands were followed", ran)
			}
		})
	}
}

// folders are what pages use of the repository.
func folders() []string { return []string{"examples", "templates"} }

// follow follows one page, and returns the number of commands that it typed.
func follow(t *testing.T, name string) int {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	steps := readSteps(lines)
	steps = slices.DeleteFunc(steps, func(s step) bool { return elsewhere.MatchString(s.command) })
	dir := t.TempDir()
	for _, folder := range folders() {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join("../..", folder))); err != nil {
			t.Fatal(err)
		}
	}
	answers := typeAll(t, dir, steps)
	for i, s := range slices.Backward(steps) { // backward, so that an update moves no line of an earlier step
		got := answers[i]
		switch {
		case matches(s.shown, got.lines) && (got.status == 0 || len(s.shown) > 0):
		case *update && !slices.Contains(s.shown, omitted):
			lines = slices.Replace(lines, s.end-len(s.shown), s.end, got.lines...)
		default:
			t.Errorf("%s:%d: %s: exit %d (-shown +printed):\n%s", name, s.line, s.command, got.status, cmp.Diff(s.shown, got.lines))
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range folders() {
		before, after := tree(t, os.DirFS(filepath.Join("../..", folder))), tree(t, os.DirFS(filepath.Join(dir, folder)))
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the page changes %s (-before +after):\n%s", folder, diff)
		}
	}
	return len(steps)
}

// tree returns the contents of all files of a folder.
func tree(t *testing.T, dir fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
