//go:build e2e

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const joinProfile = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [baseline]
  tiers: [apps]
  flux:
    path: ./policies
    workloads: [{name: apps, create: false}]
  namespaces: [{name: shop, create: false}]
  owners: ["@acme/platform"]
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: audit}
`

const joinSync = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m0s, ref: {branch: main}, url: %s}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 10m0s, path: ./clusters/prod, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
`

const joinApps = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  retryInterval: 10s
  path: ./apps/prod
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
`

const joinWorkload = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: shop}
data: {version: "%d"}
`

// joining is a cluster that follows a repository of `flux bootstrap`.
type joining struct {
	*fleet
	// before are the objects of the user, by id: each with its uid.
	before map[string]any
}

// TestJoin does what docs/join.md says. Each part depends on the ones before.
func TestJoin(t *testing.T) {
	t.Parallel()
	f := &joining{fleet: newFleet(t)}
	parts := []struct {
		name string
		test func(*testing.T, *joining)
	}{
		{"a cluster of flux bootstrap", testJoinBefore},
		{"the cluster is checked", testJoinChecked},
		{"everything becomes ready", testJoinReady},
		{"the artifact leaves out what no cluster applies", testJoinArtifact},
		{"the workloads wait for the policies", testJoinWorkloads},
		{"policies are enforced", testJoinEnforced},
		{"an output that Flux applies already is refused", testJoinTwice},
		{"the file is removed", testJoinRemoved},
		{"uninstall", testJoinUninstall},
	}
	for _, part := range parts {
		ok := t.Run(part.name, func(t *testing.T) {
			part.test(t, f)
			f.untouched(t)
		})
		if !ok {
			return
		}
	}
}

// write writes a file of the repository.
func (f *joining) write(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join(f.repository, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commit commits everything, pushes it and waits until the Kustomizations applied it.
func (f *joining) commit(t *testing.T, message string, kustomizations ...string) {
	t.Helper()
	f.git(t, "add", "--all")
	f.git(t, "commit", "-q", "-m", message)
	commit := f.push(t)
	for _, name := range kustomizations {
		f.waitFor(t, name, commit)
	}
}

// bootstrap runs gatehouse bootstrap for the output in the repository.
func (f *joining) bootstrap(t *testing.T, args ...string) *inCluster {
	t.Helper()
	return f.beginWith(t, append([]string{"bootstrap", filepath.Join(f.repository, "policies"), "--cluster", "prod"}, args...)...)
}

// theirs returns the objects of the user with their uids: none may ever be replaced.
func (f *joining) theirs(t *testing.T) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, o := range []manifest.Object{
		newObject("v1", "Namespace", "", "flux-system", nil), newObject("v1", "Namespace", "", "shop", nil),
		newObject("v1", "ConfigMap", "shop", "web", nil),
		newObject(sourceAPI, "GitRepository", "flux-system", "flux-system", nil),
		newObject(kustomizationAPI, "Kustomization", "flux-system", "flux-system", nil),
		newObject(kustomizationAPI, "Kustomization", "flux-system", "apps", nil),
	} {
		all[o.ID()] = f.get(t, o).Metadata()["uid"]
	}
	return all
}

// untouched checks that what the user had is still there, as it was.
func (f *joining) untouched(t *testing.T) {
	t.Helper()
	if now := f.theirs(t); !maps.Equal(now, f.before) {
		t.Errorf("objects of the user were replaced: %v, before: %v", now, f.before)
	}
	shop := f.get(t, newObject("v1", "Namespace", "", "shop", nil))
	if owner, tier := shop.String("metadata", "labels", "kustomize.toolkit.fluxcd.io/name"), shop.String("metadata", "labels", "gatehouse.dev/tier"); owner != "apps" || tier != "" {
		t.Errorf("the namespace shop belongs to %q and has the tier %q", owner, tier)
	}
}

func testJoinBefore(t *testing.T, f *joining) {
	components, err := f.FluxExport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sync := fmt.Sprintf(joinSync, f.GitURL())
	f.write(t, "clusters/prod/flux-system/gotk-components.yaml", string(components))
	f.write(t, "clusters/prod/flux-system/gotk-sync.yaml", sync)
	f.write(t, "clusters/prod/flux-system/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [gotk-components.yaml, gotk-sync.yaml]\n")
	f.write(t, "clusters/prod/apps.yaml", joinApps)
	f.write(t, "apps/prod/web.yaml", fmt.Sprintf(joinWorkload, 1))
	f.git(t, "add", "--all")
	f.git(t, "commit", "-q", "-m", "Bootstrap Flux")
	f.git(t, "push", "-q", "origin", "HEAD:main")
	objects, err := manifest.Parse([]byte(sync))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		apply(t, f.Client(), o)
	}
	commit := strings.TrimSpace(f.git(t, "rev-parse", "HEAD"))
	f.waitFor(t, "flux-system", commit)
	f.waitFor(t, "apps", commit)
	f.before = f.theirs(t)
}

// testJoinChecked builds, exports the file and checks the cluster, which changes nothing.
func testJoinChecked(t *testing.T, f *joining) {
	f.profile(t, joinProfile)
	f.write(t, "clusters/prod/gatehouse.yaml", gatehouse(t, "bootstrap", filepath.Join(f.repository, "policies"), "--cluster", "prod", "--export"))
	said := f.bootstrap(t, "--dry-run").end(t)
	for _, want := range []string{
		"ok       the source GitRepository flux-system/flux-system exists\n",
		"warning  Kustomization flux-system/apps does not wait for gatehouse-policies: ",
		"1 created, 0 configured, 0 unchanged (dry run)\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

// profile writes the source and builds it.
func (f *joining) profile(t *testing.T, text string) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(f.repository), "profile")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f.source = dir
	gatehouse(t, "build", dir, "-o", filepath.Join(f.repository, "policies"))
}

func testJoinReady(t *testing.T, f *joining) {
	f.commit(t, "Audit with gatehouse", "flux-system")
	c := f.bootstrap(t, "--timeout", "15m")
	f.installKyverno(t)
	said := c.end(t)
	for _, want := range []string{
		"ok       Kustomization flux-system/flux-system applies Kustomization flux-system/gatehouse\n",
		"0 created, 0 configured, 0 unchanged\n",
		"ready    Kustomization flux-system/gatehouse-policies\n",
		"cluster prod (environment prod) is ready\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	root := f.get(t, f.root())
	if owner := root.String("metadata", "labels", "kustomize.toolkit.fluxcd.io/name"); owner != "flux-system" {
		t.Errorf("the root belongs to %q", owner)
	}
	for _, m := range root.Maps("metadata", "managedFields") {
		if m["manager"] == "gatehouse" {
			t.Error("bootstrap applied the root, too")
		}
	}
	waitServiceAccounts(t, f.Client(), "shop")
	wantAdmitted(t, judge(t, f.Client(), pod("shop", "bad", hostPath(goodPodSpec()))))
}

// testJoinArtifact: Flux reads .sourceignore in a folder of the repository.
func testJoinArtifact(t *testing.T, f *joining) {
	source := f.get(t, newObject(sourceAPI, "GitRepository", "flux-system", "flux-system", nil))
	response, err := http.Get(source.String("status", "artifact", "url"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	unpacked, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, header.Name)
	}
	for name, want := range map[string]bool{
		"clusters/prod/gatehouse.yaml": true, "policies/clusters/prod/gatehouse/kustomization.yaml": true,
		"policies/README.md": false, "policies/CODEOWNERS": false, "policies/gatehouse.lock": false,
	} {
		if slices.Contains(files, name) != want {
			t.Errorf("%s is in the artifact: %t, want %t", name, !want, want)
		}
	}
}

// testJoinWorkloads adds the lines of README.md, and changes the workload.
func testJoinWorkloads(t *testing.T, f *joining) {
	f.write(t, "clusters/prod/apps.yaml", joinApps+"  dependsOn:\n  - name: gatehouse-policies\n")
	f.write(t, "apps/prod/web.yaml", fmt.Sprintf(joinWorkload, 2))
	f.commit(t, "Wait for the policies", "flux-system", "gatehouse-policies", "apps")
	if version := f.get(t, newObject("v1", "ConfigMap", "shop", "web", nil)).String("data", "version"); version != "2" {
		t.Errorf("the workload is at version %q", version)
	}
	said := f.bootstrap(t).end(t)
	if !strings.Contains(said, "ok       Kustomization flux-system/apps waits for gatehouse-policies\n") || strings.Contains(said, "warning  Kustomization flux-system/apps") {
		t.Errorf("it says: %s", said)
	}
}

func testJoinEnforced(t *testing.T, f *joining) {
	f.profile(t, strings.Replace(joinProfile, "stage: audit", "stage: enforce", 1))
	f.commit(t, "Enforce", "flux-system", "gatehouse", "gatehouse-policies")
	eventually(t, layerTimeout, "the policies to be enforced", func() error {
		if err := judge(t, f.Client(), pod("shop", "bad", hostPath(goodPodSpec()))); answerOf(err) != refused {
			return fmt.Errorf("a bad Pod is %s", answerOf(err))
		}
		return nil
	})
	wantAdmitted(t, judge(t, f.Client(), pod("shop", "good", goodPodSpec())))
	f.write(t, "apps/prod/web.yaml", fmt.Sprintf(joinWorkload, 3))
	f.commit(t, "Change the workload", "apps")
}

// testJoinTwice adds a Kustomization that would apply the whole repository.
func testJoinTwice(t *testing.T, f *joining) {
	everything := newObject(kustomizationAPI, "Kustomization", "flux-system", "everything", map[string]any{"spec": map[string]any{
		"interval": "10m", "prune": false, "suspend": true, "path": "./", "sourceRef": map[string]any{"kind": "GitRepository", "name": "flux-system"},
	}})
	apply(t, f.Client(), everything)
	said := f.bootstrap(t, "--dry-run").refused(t)
	if !strings.Contains(said, "error    Kustomization flux-system/everything applies ./, and with it policies/clusters/prod/gatehouse of the repository: ") {
		t.Errorf("it says: %s", said)
	}
	if err := f.Client().Delete(t.Context(), everything); err != nil {
		t.Fatal(err)
	}
}

// testJoinRemoved removes the file: uninstall does not start before, and nothing else goes.
func testJoinRemoved(t *testing.T, f *joining) {
	said := f.uninstall(t).refused(t)
	if !strings.Contains(said, "Kustomization flux-system/apps waits for gatehouse-policies; remove that from its spec.dependsOn first") {
		t.Errorf("it says: %s", said)
	}
	f.write(t, "clusters/prod/apps.yaml", joinApps)
	f.commit(t, "Do not wait for the policies", "flux-system", "apps")
	said = f.uninstall(t).refused(t)
	if !strings.Contains(said, "Kustomization flux-system/flux-system applies Kustomization flux-system/gatehouse and would bring it back; remove its file") {
		t.Errorf("it says: %s", said)
	}
	if err := os.Remove(filepath.Join(f.repository, "clusters", "prod", "gatehouse.yaml")); err != nil {
		t.Fatal(err)
	}
	policies := names(f.list(t, "kyverno.io/v1", "ClusterPolicy"))
	f.commit(t, "Leave gatehouse", "flux-system", "apps")
	eventually(t, layerTimeout, "the root to go", func() error {
		if _, err := f.Client().Get(t.Context(), kustomizationAPI, "Kustomization", "flux-system", "gatehouse"); !kube.IsAbsent(err) {
			return fmt.Errorf("it is there: %v", err)
		}
		return nil
	})
	if left := names(f.list(t, "kyverno.io/v1", "ClusterPolicy")); !slices.Equal(left, policies) || len(left) == 0 {
		t.Errorf("policies: %v, before: %v", left, policies)
	}
	if answer := answerOf(judge(t, f.Client(), pod("shop", "bad", hostPath(goodPodSpec())))); answer != refused {
		t.Errorf("a bad Pod is %s", answer)
	}
}

func (f *joining) uninstall(t *testing.T) *inCluster {
	t.Helper()
	return f.beginWith(t, "uninstall", filepath.Join(f.repository, "policies"), "--cluster", "prod", "--yes", "--timeout", "10m")
}

func testJoinUninstall(t *testing.T, f *joining) {
	c := f.uninstall(t)
	f.removeKyverno(t)
	if said := c.end(t); !strings.Contains(said, "GitRepository flux-system/flux-system stays: others manage it\n") {
		t.Error("it does not say that the source stays")
	}
	if left := names(f.list(t, kustomizationAPI, "Kustomization")); !slices.Equal(left, []string{"apps", "flux-system"}) {
		t.Errorf("Kustomizations: %v", left)
	}
	if left := names(f.list(t, "kyverno.io/v1", "ClusterPolicy")); len(left) > 0 {
		t.Errorf("policies: %v", left)
	}
	wantAdmitted(t, judge(t, f.Client(), pod("shop", "bad", hostPath(goodPodSpec()))))
	f.write(t, "apps/prod/web.yaml", fmt.Sprintf(joinWorkload, 4))
	f.commit(t, "Change the workload again", "flux-system", "apps")
}
