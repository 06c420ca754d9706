//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestConformance applies what is built from the example, object by object, with
// Kyverno's webhook for policies on. Every refusal is a bug of the compiler.
func TestConformance(t *testing.T) {
	output := t.TempDir()
	gatehouse(t, "build", "examples/acme", "-o", output)
	c := startCluster(t)
	environments := folders(t, filepath.Join(output, "environments"))
	if err := c.InstallKyverno(t.Context(), release(t, output, environments[0])); err != nil {
		t.Fatal(err)
	}
	waitForPolicyWebhook(t, c.Client())
	for _, environment := range environments {
		t.Run(environment, func(t *testing.T) {
			accept(t, c.Client(), readObjects(t, output, "environments/"+environment))
		})
	}
	t.Run("clusters", func(t *testing.T) {
		accept(t, c.Client(), readObjects(t, output, "clusters"))
	})
}

// accept applies Namespaces, which the others need, and the others as a dry run.
func accept(t *testing.T, client *kube.Client, files []file) {
	t.Helper()
	count := 0
	send := func(client *kube.Client, wanted func(manifest.Object) bool) {
		for _, f := range files {
			for _, o := range f.objects {
				if !wanted(o) {
					continue
				}
				count++
				if _, err := client.Apply(t.Context(), o, "kustomize-controller"); err != nil {
					t.Errorf("%s: %s: %v", f.path, o.ID(), err)
				}
			}
		}
	}
	isNamespace := func(o manifest.Object) bool { return o.Kind() == "Namespace" }
	send(client, isNamespace)
	send(client.DryRun(), func(o manifest.Object) bool { return !isNamespace(o) })
	t.Logf("%d objects", count)
}

// folders are the names of the folders in a folder.
func folders(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			all = append(all, e.Name())
		}
	}
	return all
}
