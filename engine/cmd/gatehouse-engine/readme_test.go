package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadme runs the commands of README.md that ask the engine, and compares
// what they print with what it says they print.
func TestReadme(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	bin := programs(t, root)
	ran := 0
	for block := range strings.SplitSeq(string(text), "```console\n$ gatehouse ") {
		command, rest, _ := strings.Cut(block, "\n")
		if verb, _, _ := strings.Cut(command, " "); verb != "test" && verb != "impact" {
			continue
		}
		ran++
		t.Run(command, func(t *testing.T) {
			want, _, _ := strings.Cut(rest, "```")
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "gatehouse"), append(strings.Fields(command), "--now", "2026-11-22")...)
			cmd.Dir = root
			got, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("(-README +now):\n%s", diff)
			}
		})
	}
	if ran < 2 {
		t.Errorf("README.md shows %d commands that ask the engine", ran)
	}
}

// programs returns a folder with gatehouse and, next to it, this test as its engine.
func programs(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "./cmd/gatehouse")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gatehouse-engine"), []byte("#!/bin/sh\nexec '"+self+"' serve\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
