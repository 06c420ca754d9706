package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/plain/hostile"
)

// TestHostileFiles: names of files and keys of a source, and of files in an output, reach
// messages and findings harmless.
func TestHostileFiles(t *testing.T) {
	const profile = "apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: acme}\nspec: {namespaces: [{name: shop}]}\n---\nkind: Environment\nmetadata: {name: dev}\nspec: {ring: 1, stage: audit}\n"
	for i, name := range hostile.Names() {
		if strings.ContainsAny(name, "/\x00") {
			name = strings.NewReplacer("/", "_", "\x00", "_").Replace(name)
		}
		dir := t.TempDir()
		put := func(path, text string) {
			t.Helper()
			full := filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
				t.Skipf("this disk takes no such name: %v", err)
			}
		}
		run := func(want int, args ...string) {
			t.Helper()
			var out, errOut strings.Builder
			if code := run(args, strings.NewReader(""), &out, &errOut); code != want {
				t.Errorf("name %d: %v: exit %d\n%s%s", i, args, code, out.String(), errOut.String())
			}
			if err := hostile.Text(out.String() + errOut.String()); err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
		put("good/profile.yaml", profile)
		good, output := filepath.Join(dir, "good"), filepath.Join(dir, "output")
		run(0, "build", good, "-o", output)
		put("output/environments/dev/policies/"+name+".yaml", "kind: X\n")
		run(0, "build", good, "-o", output, "--check")
		put("bad/profile.yaml", profile)
		put("bad/"+name+".yaml", fmt.Sprintf("apiVersion: gatehouse.dev/v1alpha1\nkind: Exception\nmetadata: {name: x}\nspec: {%q: 1}\n", strings.ToValidUTF8(name, "")))
		put("bad/x"+name+".yaml", "a: [\n")
		run(1, "build", filepath.Join(dir, "bad"))
		run(1, "build", filepath.Join(dir, "bad"), "--diagnostics", "json")
		run(2, "build", filepath.Join(dir, name))
	}
}
