//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
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
	t.Run("limits", func(t *testing.T) { limitsConform(t, c.Client()) })
}

// limitsConform draws quotas and limit ranges, and asks the API server what it says of each:
// it stores what gatehouse writes as it is, and refuses what gatehouse refuses, but for what
// it would accept and never count.
func limitsConform(t *testing.T, client *kube.Client) {
	random := rand.New(rand.NewPCG(1, 1))
	var namespaces []any
	for i := range 800 {
		n := object{"name": fmt.Sprintf("limits-%d", i)}
		if i%2 == 0 {
			n["resourceQuota"] = randomQuota(random)
		} else {
			n["limitRange"] = randomLimitRange(random)
		}
		namespaces = append(namespaces, n)
	}
	apply(t, client, newObject("v1", "Namespace", "", "limits", nil))
	accepted, refused := 0, 0
	for _, n := range namespaces {
		n := manifest.Object(n.(object))
		bundle, problems := generator.Compile(limitsSource(t, n), ".", generator.Options{Version: "e2e", Now: time.Now()})
		if bundle == nil {
			refused++
			if o := written(n); !stricter(problems) && accepts(t, client, o) {
				t.Errorf("gatehouse refuses what the API server accepts: %v: %v", n, problems)
			}
			continue
		}
		for _, f := range bundle.Files {
			if f.Folder.Kind != layout.Limits || len(f.Objects) == 0 || f.Objects[0].Namespace() == "" {
				continue
			}
			accepted++
			o := f.Objects[0]
			o["metadata"].(object)["namespace"] = "limits"
			stored, err := client.DryRun().Apply(t.Context(), o, "kustomize-controller")
			if err != nil {
				t.Errorf("the API server refuses what gatehouse accepts: %v: %v", n, err)
			} else if diff := cmp.Diff(o["spec"], stored["spec"]); diff != "" {
				t.Errorf("of %v, gatehouse writes - and the API server stores +\n%s", n, diff)
			}
		}
	}
	if accepted < 40 || refused < 40 {
		t.Errorf("%d are accepted and %d refused: too few to say anything", accepted, refused)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}

func limitsSource(t *testing.T, namespace object) fstest.MapFS {
	t.Helper()
	source := fstest.MapFS{}
	for kind, spec := range map[string]object{
		"Profile":     {"namespaces": []any{namespace}},
		"Environment": {"ring": 1, "stage": "enforce", "allowSkip": true},
	} {
		raw, err := json.Marshal(object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": object{"name": "e2e"}, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		source[kind+".yaml"] = &fstest.MapFile{Data: raw}
	}
	return source
}

// written returns the object that a namespace of a profile asks for.
func written(n manifest.Object) manifest.Object {
	kind, spec := "ResourceQuota", n.Map("resourceQuota")
	if spec == nil {
		kind, spec = "LimitRange", n.Map("limitRange")
	}
	return newObject("v1", kind, "limits", "e2e", object{"spec": spec})
}

func accepts(t *testing.T, client *kube.Client, o manifest.Object) bool {
	t.Helper()
	_, err := client.DryRun().Apply(t.Context(), o, "e2e")
	return err == nil
}

// stricter reports whether gatehouse refuses something because it would have no effect, or
// would refuse everything.
func stricter(problems diag.List) bool {
	return slices.ContainsFunc(problems, func(d diag.Diagnostic) bool {
		return strings.Contains(d.Summary, "counts nothing") || strings.Contains(d.Summary, "counts only requests") ||
			strings.Contains(d.Summary, "limits nothing") || strings.Contains(d.Summary, "refuses every container") || strings.Contains(d.Summary, "has no resource") || strings.Contains(d.Summary, "only containers ") ||
			strings.Contains(d.Summary, "must be whole bytes") || strings.Contains(d.Summary, "must be less than") || strings.Contains(d.Summary, "must be at most") ||
			strings.HasPrefix(d.Path, "spec.namespaces[0].limitRange.") && strings.Contains(d.Summary, "must not be negative")
	})
}

func randomQuota(r *rand.Rand) object {
	hard := object{}
	for range 1 + r.IntN(3) {
		resource := []string{
			"pods", "cpu", "requests.cpu", "limits.memory", "requests.storage", "services.loadbalancers", "count/deployments.apps", "count/deployments", "count/widgets.acme.example",
			"requests.nvidia.com/gpu", "nvidia.com/gpu", "hugepages-2Mi", "requests.hugepages-1Gi", "limits.hugepages-1Gi", "storage", "gold.storageclass.storage.k8s.io/requests.storage",
			"gold.storageclass.storage.k8s.io/persistentvolumeclaims", "pod", "ephemeral-storage", "limits.ephemeral-storage", "a/b/c", "Pods", "resourcequotas",
			"hugepages-", "hugepages-2Mi!", "count/nodes", "count/widgets.acme.example/foo", "gpu.deviceclass.resource.k8s.io/devices",
		}[r.IntN(28)]
		hard[resource] = []any{1, 0, 2, 3, "10", "4Gi", "1e3", "1Ti", "2500m", []any{"1.5", -1, "4GB", ""}[r.IntN(4)]}[r.IntN(10)]
	}
	return object{"hard": hard}
}

func randomLimitRange(r *rand.Rand) object {
	var items []any
	for range 1 + r.IntN(2) {
		item := object{"type": []string{"Container", "Container", "Pod", "PersistentVolumeClaim"}[r.IntN(4)]}
		for range 1 + r.IntN(3) {
			resource := []string{"cpu", "cpu", "cpu", "memory", "memory", "storage", "storage", "ephemeral-storage", "hugepages-2Mi", "nvidia.com/gpu", "nvidia.com/gpu", []string{"gpu", "requests.cpu", "requests.nvidia.com/gpu", "x.kubernetes.io/y", "hugepages-"}[r.IntN(5)]}[r.IntN(12)]
			field := []string{"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}[r.IntN(5)]
			if item[field] == nil {
				item[field] = object{}
			}
			item[field].(object)[resource] = []any{1, 2, 2, "3", "500m", "1Gi", "1", "2", 0, []any{-1, "x"}[r.IntN(2)]}[r.IntN(10)]
		}
		items = append(items, item)
	}
	return object{"limits": items}
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
			for tries := 1; tries < 20 && err != nil && strings.Contains(err.Error(), "context deadline exceeded"); tries++ { // a slow webhook is no answer
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
