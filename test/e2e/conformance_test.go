//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestConformance applies what is built from the example, object by object, with
// Kyverno's webhook for policies on. Every refusal is a bug of the compiler.
func TestConformance(t *testing.T) {
	t.Parallel()
	output := t.TempDir()
	gatehouse(t, "build", "examples/acme", "-o", output)
	c := startCluster(t, controlplane.Options{WithoutFlux: true})
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

// folders returns the names of the folders in a folder.
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

// randomProfiles is how many sources TestRandomProfiles compiles.
const randomProfiles = 200

// TestRandomProfiles applies what random sources compile to. The seed is fixed:
// a run that fails can be repeated.
func TestRandomProfiles(t *testing.T) {
	long(t)
	t.Parallel()
	bundles := compileRandom(t, 1)
	c := startCluster(t, controlplane.Options{WithoutFlux: true})
	release := controlplane.DefaultRelease()
	// For each policy Kyverno asks the API server dozens of times what it may do; its own limit would make this slow.
	release["spec"].(map[string]any)["values"].(map[string]any)["admissionController"] = map[string]any{
		"container": map[string]any{"extraArgs": map[string]any{"clientRateLimitQPS": 5000, "clientRateLimitBurst": 5000}},
	}
	if err := c.InstallKyverno(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	client := c.Client()
	waitForPolicyWebhook(t, client)
	for _, name := range append(pool(), "policy-exceptions", "waivers") {
		apply(t, client, newObject("v1", "Namespace", "", name, nil))
	}
	distinct := distinctObjects(t, bundles)
	var group errgroup.Group
	group.SetLimit(8) // Kyverno waits for the API server most of the time
	for raw, from := range distinct {
		group.Go(func() error {
			_, err := client.DryRun().Apply(t.Context(), from.object, "kustomize-controller")
			for tries := 1; tries < 5 && err != nil && strings.Contains(err.Error(), "context deadline exceeded"); tries++ { // a slow webhook is no answer
				_, err = client.DryRun().Apply(t.Context(), from.object, "kustomize-controller")
			}
			if err != nil {
				t.Errorf("%s: %s: %v\n%s", from.path, from.object.ID(), err, raw)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d distinct objects of %d profiles", len(distinct), len(bundles))
}

// located is an object and where it was built.
type located struct {
	path   string
	object manifest.Object
}

// distinctObjects returns the objects that Flux applies, each content once, by their JSON.
func distinctObjects(t *testing.T, bundles []*generator.Bundle) map[string]located {
	t.Helper()
	distinct := map[string]located{}
	for i, bundle := range bundles {
		for _, f := range bundle.Files {
			if !f.Folder.Applied() {
				continue
			}
			for _, o := range f.Objects {
				if strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") {
					continue
				}
				raw, err := json.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				distinct[string(raw)] = located{fmt.Sprintf("profile %d: %s", i, f.Path), o}
			}
		}
	}
	return distinct
}

// compileRandom draws sources until enough of them are valid.
func compileRandom(t *testing.T, seed uint64) []*generator.Bundle {
	t.Helper()
	p := newProfiles(t, seed)
	var bundles []*generator.Bundle
	refused := map[string]int{}
	for drawn := 0; len(bundles) < randomProfiles; drawn++ {
		if drawn > 3*randomProfiles { // a source in two is refused
			t.Fatalf("only %d of %d random sources are valid: %v", len(bundles), drawn, refused)
		}
		bundle, problems := generator.Compile(p.source(t), ".", generator.Options{Version: "e2e", Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
		if problems.HasErrors() {
			for _, problem := range problems {
				refused[problem.Code]++
			}
			continue
		}
		bundles = append(bundles, bundle)
	}
	return bundles
}
