package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// TestMigrateExample takes the example acme, which has image rules too, to each kind of
// policies and back to the first: every step is made on the day after the one before.
func TestMigrateExample(t *testing.T) {
	source, output := filepath.Join(t.TempDir(), "acme"), filepath.Join(t.TempDir(), "out")
	if err := os.CopyFS(source, os.DirFS("../../examples/acme")); err != nil {
		t.Fatal(err)
	}
	day := 1
	run := func(args ...string) string {
		t.Helper()
		args = append(args, source, "-o", output, "--now", fmt.Sprintf("2026-11-%02d", day))
		out, err := exec.Command("gatehouse", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("gatehouse %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("build")
	for _, to := range append(catalog.CELTargets(), catalog.ClusterPolicy) {
		for _, want := range []string{" audit beside them since ", " enforce since ", ": has "} {
			day++
			for _, environment := range []string{"dev", "staging"} {
				if got := run("migrate", "--to", to, "-e", environment); !strings.Contains(got, want) {
					t.Fatalf("%s to %s, on day %d: no %q in\n%s", environment, to, day, want, got)
				}
			}
		}
		run("build", "--check")
	}
}
