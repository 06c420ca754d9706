//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	environment = "staging"
	cluster     = "staging-eu"
	// layerTimeout of one Kustomization, on a machine that does other things too.
	layerTimeout = 5 * time.Minute
)

const (
	kustomizationAPI = "kustomize.toolkit.fluxcd.io/v1"
	sourceAPI        = "source.toolkit.fluxcd.io/v1"
)

// fleet is a cluster that follows a built repository.
type fleet struct {
	*controlplane.ControlPlane
	// source is the profile and repository its output, a work tree of git.
	source, repository string
	// day counts the days that have passed for the builds: a day accepts changes once.
	day int
}

// newFleet copies the example and starts a cluster with Flux and nothing else.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	return newFleetOn(t, controlplane.Options{})
}

// newFleetOn copies the example and starts an empty cluster.
func newFleetOn(t *testing.T, options controlplane.Options) *fleet {
	t.Helper()
	f := &fleet{source: filepath.Join(t.TempDir(), "source"), repository: filepath.Join(t.TempDir(), "repository")}
	if err := os.CopyFS(f.source, os.DirFS(filepath.Join(repositoryRoot(t), "examples", "acme"))); err != nil {
		t.Fatal(err)
	}
	f.ControlPlane = startCluster(t, options)
	if err := os.MkdirAll(filepath.Join(f.repository, "apps", environment), 0o755); err != nil {
		t.Fatal(err)
	}
	workload := manifest.File{Objects: []manifest.Object{newObject("v1", "ConfigMap", "shop", "workload", nil)}}
	data, err := workload.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.repository, "apps", environment, "workload.yaml"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	f.git(t, "init", "-q", "--initial-branch=main")
	f.git(t, "config", "user.name", "e2e")
	f.git(t, "config", "user.email", "e2e@example.com")
	f.git(t, "remote", "add", "origin", f.GitURL())
	return f
}

func (f *fleet) git(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, f.repository, "git", args...)
}

// build builds the repository and commits it; it returns the files that changed.
func (f *fleet) build(t *testing.T, message string) []string {
	t.Helper()
	gatehouse(t, "build", f.source, "-o", f.repository, "--now", f.today())
	f.git(t, "add", "--all")
	changed := strings.Fields(f.git(t, "diff", "--cached", "--name-only"))
	f.git(t, "commit", "-q", "-m", message)
	return changed
}

// today is the day for the builds.
func (f *fleet) today() string { return time.Now().UTC().AddDate(0, 0, f.day).Format(time.DateOnly) }

// accept lets an environment accept, on the next day, all changes that it audits.
func (f *fleet) accept(t *testing.T, environment string) {
	t.Helper()
	f.day++
	path := filepath.Join(f.source, "environments", environment+".yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.HasPrefix(line, "  changes: ") })
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "  stage: ") })
	lines = slices.Insert(lines, at+1, "  changes: "+f.today())
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// push makes Flux fetch what is committed, and returns the commit.
func (f *fleet) push(t *testing.T) string {
	t.Helper()
	f.git(t, "push", "-q", "origin", "HEAD:main")
	source := newObject(sourceAPI, "GitRepository", "flux-system", "flux-system", nil)
	if _, err := f.Client().Patch(t.Context(), source, "", requestReconcile()); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(f.git(t, "rev-parse", "HEAD"))
}

func requestReconcile() any {
	now := time.Now().Format(time.RFC3339Nano)
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{"reconcile.fluxcd.io/requestedAt": now}}}
}

// follow creates what bootstrap creates: the source and the root Kustomization.
func (f *fleet) follow(t *testing.T) {
	t.Helper()
	f.followPath(t, "./clusters/"+cluster+"/gatehouse")
}

// followPath is follow with another folder that the root Kustomization applies.
func (f *fleet) followPath(t *testing.T, path string) {
	t.Helper()
	apply(t, f.Client(), newObject(sourceAPI, "GitRepository", "flux-system", "flux-system", map[string]any{"spec": map[string]any{
		"interval": "10m", "url": f.GitURL(), "ref": map[string]any{"branch": "main"},
	}}))
	apply(t, f.Client(), newObject(kustomizationAPI, "Kustomization", "flux-system", "flux-system", map[string]any{"spec": map[string]any{
		"interval": "10m", "retryInterval": "10s", "prune": true, "path": path,
		"sourceRef": map[string]any{"kind": "GitRepository", "name": "flux-system"},
	}}))
}

// installKyverno stands in for helm-controller, with the HelmRelease that Flux applied.
func (f *fleet) installKyverno(t *testing.T) {
	t.Helper()
	var release manifest.Object
	eventually(t, layerTimeout, "the HelmRelease", func() (err error) {
		release, err = f.Client().Get(t.Context(), "helm.toolkit.fluxcd.io/v2", "HelmRelease", "flux-system", "kyverno")
		return err
	})
	if err := f.InstallKyverno(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	f.markInstalled(t, release)
}

// markInstalled says for helm-controller that a HelmRelease is installed as it is.
func (f *fleet) markInstalled(t *testing.T, release manifest.Object) {
	t.Helper()
	status := map[string]any{"status": map[string]any{
		"observedGeneration": release.Metadata()["generation"],
		"conditions": []any{map[string]any{
			"type": "Ready", "status": "True", "reason": "InstallSucceeded", "message": "installed by the test",
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339), "observedGeneration": release.Metadata()["generation"],
		}},
	}}
	if _, err := f.Client().Patch(t.Context(), release, "status", status); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until a Kustomization has applied a commit and is ready.
func (f *fleet) waitFor(t *testing.T, name, commit string) {
	t.Helper()
	eventually(t, layerTimeout, "the Kustomization "+name, func() error {
		k, err := f.Client().Get(t.Context(), kustomizationAPI, "Kustomization", "flux-system", name)
		if err != nil {
			return err
		}
		status, _ := k["status"].(map[string]any)
		revision, _ := status["lastAppliedRevision"].(string)
		if !strings.HasSuffix(revision, commit) || k.Condition("Ready").String("status") != "True" {
			return fmt.Errorf("%s is at %q: %v", name, revision, status["conditions"])
		}
		return nil
	})
}

// layers returns the Kustomizations of the cluster in the output by name, with the names
// that they depend on.
func (f *fleet) layers(t *testing.T) map[string][]string {
	t.Helper()
	layers := map[string][]string{}
	for _, file := range readObjects(t, f.repository, "clusters/"+cluster) {
		for _, o := range file.objects {
			spec := o["spec"].(map[string]any)
			layers[o.Name()] = nil
			dependencies, _ := spec["dependsOn"].([]any)
			for _, d := range dependencies {
				layers[o.Name()] = append(layers[o.Name()], d.(map[string]any)["name"].(string))
			}
		}
	}
	return layers
}

// journal records when which Kustomization was first seen ready.
type journal struct {
	mu    sync.Mutex
	ready []string
}

// watch polls until the test ends.
func (f *fleet) watch(t *testing.T) *journal {
	t.Helper()
	j := &journal{}
	var group sync.WaitGroup
	stop := make(chan struct{})
	group.Go(func() {
		seen := map[string]bool{}
		for {
			list, err := f.Client().List(t.Context(), kustomizationAPI, "Kustomization", "flux-system", "")
			for _, k := range list {
				if err == nil && !seen[k.Name()] && k.Condition("Ready").String("status") == "True" {
					seen[k.Name()] = true
					j.mu.Lock()
					j.ready = append(j.ready, k.Name())
					j.mu.Unlock()
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { close(stop); group.Wait() })
	return j
}

// order returns the Kustomizations in the order in which they became ready.
func (j *journal) order() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.ready...)
}
