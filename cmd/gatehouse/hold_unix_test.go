//go:build unix && !aix && !solaris

package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/output"
)

// TestBuildsIntoOneFolder: builds into one folder at the same time wait for each other, and all
// succeed; one that waits for too long says why.
func TestBuildsIntoOneFolder(t *testing.T) {
	dir := t.TempDir()
	source, out := filepath.Join(dir, "src.yaml"), filepath.Join(dir, "out")
	text := "apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: acme}\nspec: {extends: [baseline]}\n---\nkind: Environment\nmetadata: {name: dev}\nspec: {ring: 1, stage: audit}\n"
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	build := func() (code int, said string) {
		var stdout, stderr strings.Builder
		code = run([]string{"build", source, "-o", out}, strings.NewReader(""), &stdout, &stderr)
		return code, stderr.String()
	}
	var builds sync.WaitGroup
	for range 6 {
		builds.Go(func() {
			if code, said := build(); code != 0 {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
	builds.Wait()
	if code, said := build(); code != 0 || !strings.Contains(said, " 0 files written") {
		t.Errorf("exit %d: %s", code, said)
	}
	release, err := output.Hold(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if code, said := build(); code != 2 || said != "gatehouse: "+out+": another build writes into it\n" {
		t.Errorf("exit %d: %s", code, said)
	}
}
