//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPipes: a pipe where a file is expected ends a command with a message, at once, instead of
// keeping it waiting for a writer.
func TestPipes(t *testing.T) {
	const profile = "apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: acme}\nspec:\n  namespaces: [{name: shop}]\n"
	const environment = "---\nkind: Environment\nmetadata: {name: dev}\nspec: {ring: 1, stage: audit}\n"
	t.Setenv("FAKE_KYVERNO", "1.19.1")
	for name, c := range map[string]struct {
		files map[string]string
		pipe  string
		args  string
		code  int
		want  string
	}{
		"a document":      {nil, "src/x.yaml", "build src", 1, "x.yaml is not a regular file"},
		"the source":      {nil, "src/pipe", "build src/pipe", 1, "pipe is not a regular file"},
		"a base":          {map[string]string{"src/profile.yaml": profile + "  extends: [./base]\n" + environment}, "src/base", "build src", 1, "base is not a regular file"},
		"a template":      {map[string]string{"src/profile.yaml": profile + "  catalogs: [own]\n" + environment, "src/own/a/control.yaml": "x: 1\n"}, "src/own/a/clusterpolicy.yaml", "build src", 1, "is not a regular file"},
		"in the catalog":  {map[string]string{"src/profile.yaml": profile + "  catalogs: [own]\n" + environment}, "src/own/a/control.yaml", "catalog list --source src", 1, "is not a regular file"},
		"a key":           {map[string]string{"src/profile.yaml": profile + "  trust: {attestors: [{name: a, keys: {configMap: {name: k, file: key}}}]}\n" + environment}, "src/key", "build src", 1, "is not a regular file"},
		"the lock":        {nil, "out/gatehouse.lock", "build src -o out", 2, "is not a regular file"},
		"the output":      {nil, "out/README.md", "build src -o out", 1, "README.md"},
		"the repository":  {nil, "out/apps/x.yaml", "build src -o out", 0, "files written"},
		"graph":           {nil, "src/x.yaml", "graph src", 1, "x.yaml is not a regular file"},
		"workloads":       {nil, "apps/x.yaml", "impact src apps", 2, "x.yaml is not a regular file"},
		"a kustomization": {map[string]string{"apps/kustomization.yaml": "resources: [x.yaml]\n"}, "apps/x.yaml", "impact src apps", 1, "is not a regular file"},
		"bootstrap":       {map[string]string{"out/clusters/dev/x.yaml": "a: 1\n"}, "out/gatehouse.lock", "bootstrap out", 2, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put := func(name, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if text == "" {
					if err := syscall.Mkfifo(name, 0o644); err != nil {
						t.Skip(err)
					}
				} else if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			put("src/profile.yaml", profile+environment)
			for file, text := range c.files {
				put(file, text)
			}
			put(c.pipe, "")
			args := strings.Fields(c.args)
			if args[0] == "impact" {
				args = append(args, "--engine", "impact-engine")
			}
			done := make(chan struct{})
			var out, errOut strings.Builder
			code := 0
			go func() {
				defer close(done)
				code = run(args, strings.NewReader(""), &out, &errOut)
			}()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatal("it hangs")
			}
			if code != c.code || !strings.Contains(errOut.String(), c.want) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, c.code, c.want, out.String(), errOut.String())
			}
		})
	}
}
