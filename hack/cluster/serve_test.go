package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKyvernoRelease(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	release := write("release.yaml", "kind: HelmRelease\nspec: {releaseName: r, values: {a: {b: 1, c: 2}, list: [1, 2]}}\n")
	values := write("values.yaml", "a: {c: 3}\nlist: [4]\n")
	got, err := kyvernoRelease([]string{release, values})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"releaseName": "r", "values": map[string]any{"a": map[string]any{"b": 1.0, "c": 3.0}, "list": []any{4.0}}}
	if diff := cmp.Diff(want, got["spec"]); diff != "" {
		t.Error(diff)
	}
	if _, err := kyvernoRelease([]string{filepath.Join(dir, "none.yaml")}); err == nil {
		t.Error("a missing file is not an error")
	}
}

// TestLock: only one process serves a folder, and the others see which one.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	if pid := servedBy(dir); pid != 0 {
		t.Errorf("served by %d before the start", pid)
	}
	lock, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if pid := servedBy(dir); pid != os.Getpid() {
		t.Errorf("served by %d, want %d", pid, os.Getpid())
	}
	if _, err := takeLock(dir); err == nil {
		t.Error("two processes serve one folder")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if pid := servedBy(dir); pid != 0 {
		t.Errorf("served by %d after the end", pid)
	}
}
