package rollout

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const repositoryURL = "https://example.com/policies"

// exampleTarget is a cluster of an example's output.
func exampleTarget(t *testing.T, example, cluster string) *Target {
	t.Helper()
	target, err := Open(os.DirFS("../examples/"+example+"/policy-repo"), cluster)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// newBootstrap brings the example acme into a fake cluster.
func newBootstrap(t *testing.T) (*fakeServer, *Bootstrap, *[]string) {
	t.Helper()
	server, client := newFakeServer(t)
	target := exampleTarget(t, "acme", "staging-eu")
	objects, err := target.Objects(Access{URL: repositoryURL, Branch: "main"})
	if err != nil {
		t.Fatal(err)
	}
	lines := &[]string{}
	return server, &Bootstrap{
		Client: client, Target: target, Objects: objects, Every: time.Millisecond,
		Log: Log{Line: func(line string) { *lines = append(*lines, line) }},
	}, lines
}

func did(changes []Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, c.String())
	}
	return all
}

func TestApply(t *testing.T) {
	server, b, _ := newBootstrap(t)
	first, err := b.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Namespace flux-system created", "GitRepository flux-system/flux-system created", "Kustomization flux-system/gatehouse created"}
	if diff := cmp.Diff(want, did(first)); diff != "" {
		t.Error(diff)
	}
	if got, want := server.objects["/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/gatehouse"].Value("spec"), map[string]any{
		"interval": "10m0s", "retryInterval": "2m0s", "path": "./clusters/staging-eu/gatehouse", "prune": true, "deletionPolicy": "Orphan",
		"sourceRef": map[string]any{"kind": "GitRepository", "name": "flux-system"},
	}; !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
	second, err := b.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range second {
		if c.Did != Unchanged {
			t.Errorf("the second run changed %v", c)
		}
	}
}

func TestApplyKeepsNamespace(t *testing.T) {
	server, b, _ := newBootstrap(t)
	namespace := identity("v1", "Namespace", "", "flux-system")
	namespace.Metadata()["labels"] = map[string]any{"team": "platform"}
	server.put(namespace)
	if _, err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if writes := server.stored(); slices.Contains(writes, "PATCH /api/v1/namespaces/flux-system") {
		t.Error("a namespace that was there was applied")
	}
}

func TestApplyConflict(t *testing.T) {
	server, b, _ := newBootstrap(t)
	other := identity(sourceAPI, "GitRepository", "flux-system", "flux-system")
	other.Metadata()["annotations"] = map[string]any{"test/manager": `"flux"`}
	other["spec"] = map[string]any{"url": "https://example.com/other"}
	server.put(other)
	_, err := b.Apply(t.Context())
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v", err)
	}
	if want := []string{`.spec.url (conflict with "flux")`}; !cmp.Equal(want, conflict.Fields) {
		t.Error(cmp.Diff(want, conflict.Fields))
	}
	if slices.ContainsFunc(server.stored(), func(w string) bool { return strings.HasSuffix(w, "/kustomizations/gatehouse") }) {
		t.Error("the root was applied after the source was not")
	}
}

func TestDryRun(t *testing.T) {
	server, b, lines := newBootstrap(t)
	if _, err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(server.stored())
	b.DryRun = true
	var err error
	if b.Objects, err = b.Target.Objects(Access{URL: repositoryURL, Branch: "next"}); err != nil {
		t.Fatal(err)
	}
	changes, err := b.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`spec.ref.branch: "main" → "next"`}; !cmp.Equal(want, changes[1].Fields) {
		t.Error(cmp.Diff(want, changes[1].Fields))
	}
	if !slices.Contains(*lines, `  spec.ref.branch: "main" → "next"`) {
		t.Errorf("not said: %v", *lines)
	}
	if got := server.stored(); len(got) != before {
		t.Errorf("a dry run stored %v", got[before:])
	}
}

func TestDryRunWithoutFlux(t *testing.T) {
	server, b, _ := newBootstrap(t)
	delete(server.served, kustomizationAPI)
	delete(server.served, sourceAPI)
	b.DryRun = true
	changes, err := b.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Did != Created {
			t.Errorf("%v", c)
		}
	}
}

func TestChangesHideSecrets(t *testing.T) {
	server, b, _ := newBootstrap(t)
	for _, token := range []string{"before", "hunter2"} {
		objects, err := b.Target.Objects(Access{URL: repositoryURL, Branch: "main", Username: "git", Token: []byte(token)})
		if err != nil {
			t.Fatal(err)
		}
		b.Objects = objects
		changes, err := b.Apply(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if token == "hunter2" {
			if want := []string{"data.password"}; !cmp.Equal(want, changes[1].Fields) {
				t.Error(cmp.Diff(want, changes[1].Fields))
			}
		}
	}
	if got := server.objects["/api/v1/namespaces/flux-system/secrets/flux-system"].String("data", "password"); got != "aHVudGVyMg==" {
		t.Errorf("the Secret holds %q", got)
	}
}

// fluxInstall is the shape of what flux install --export prints.
func fluxInstall() []manifest.Object {
	namespace := identity("v1", "Namespace", "", "flux-system")
	namespace.Metadata()["labels"] = map[string]any{"app.kubernetes.io/part-of": "flux"}
	crd := identity("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "kustomizations.kustomize.toolkit.fluxcd.io")
	crd["spec"] = map[string]any{
		"group": "kustomize.toolkit.fluxcd.io", "names": map[string]any{"kind": "Kustomization"},
		"versions": []any{map[string]any{"name": "v1", "served": true}},
	}
	deployment := identity("apps/v1", "Deployment", "flux-system", "kustomize-controller")
	deployment["spec"] = map[string]any{"replicas": 1.0}
	return []manifest.Object{deployment, namespace, crd}
}

func TestApplyInstallsFlux(t *testing.T) {
	server, b, _ := newBootstrap(t)
	delete(server.served, kustomizationAPI)
	delete(server.served, sourceAPI)
	b.Flux = fluxInstall()
	server.after = func(_, path string) {
		switch o := server.objects[path]; o.Kind() {
		case "CustomResourceDefinition":
			o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}}
			server.serveFlux()
		case "Deployment":
			o["status"] = map[string]any{"availableReplicas": 1.0}
		}
	}
	changes, err := b.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Namespace flux-system created", "CustomResourceDefinition kustomizations.kustomize.toolkit.fluxcd.io created",
		"Deployment flux-system/kustomize-controller created", "GitRepository flux-system/flux-system created", "Kustomization flux-system/gatehouse created",
	}
	if diff := cmp.Diff(want, did(changes)); diff != "" {
		t.Error(diff)
	}
}

// settle lets everything that the target names become ready.
func (f *fakeServer) settle(b *Bootstrap, revision string) {
	for _, o := range b.Target.watched() {
		live := manifest.Object(merge(f.objects[f.path(o)], o))
		live["status"] = map[string]any{
			"conditions":          []any{map[string]any{"type": "Ready", "status": "True"}},
			"lastAppliedRevision": revision, "artifact": map[string]any{"revision": revision},
		}
		f.objects[f.path(o)] = live
	}
}

// fails gives an object a condition that is not met.
func (f *fakeServer) fails(o manifest.Object, reason, message string) {
	live := f.objects[f.path(o)]
	asMap(live["status"])["conditions"] = []any{map[string]any{"type": "Ready", "status": "False", "reason": reason, "message": message}}
}

func TestWait(t *testing.T) {
	server, b, lines := newBootstrap(t)
	server.settle(b, "main@sha1:1")
	if err := b.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.Target.watched()); len(*lines) != n || n < 50 {
		t.Errorf("%d of %d objects were said to be ready", len(*lines), n)
	}
}

func TestWaitEnds(t *testing.T) {
	kustomization := func(name string) manifest.Object {
		return identity(kustomizationAPI, "Kustomization", "flux-system", name)
	}
	cases := []struct {
		name   string
		change func(server *fakeServer)
		want   string // of the error
	}{
		{"the source fails", func(s *fakeServer) {
			s.fails(identity(sourceAPI, "GitRepository", "flux-system", "flux-system"), "GitOperationFailed", "authentication required")
		}, "GitRepository flux-system/flux-system: authentication required"},
		{"a layer fails and others wait", func(s *fakeServer) {
			s.fails(kustomization("gatehouse-kyverno"), "HealthCheckFailed", "timeout waiting for\nHelmRelease/kyverno")
			s.fails(kustomization("gatehouse-policies"), "DependencyNotReady", "dependency is not ready")
		}, "not ready in time: 2 of"},
		{"why a layer fails", func(s *fakeServer) {
			s.fails(kustomization("gatehouse-kyverno"), "HealthCheckFailed", "timeout waiting for\nHelmRelease/kyverno")
			s.fails(kustomization("gatehouse-policies"), "DependencyNotReady", "dependency is not ready")
		}, "\n  Kustomization flux-system/gatehouse-kyverno: timeout waiting for HelmRelease/kyverno\n  and 1 that wait for others"},
		{"a policy fails", func(s *fakeServer) {
			s.fails(identity("kyverno.io/v1", "ClusterPolicy", "", "disallow-host-path"), "Failed", "webhook not configured")
		}, "ClusterPolicy disallow-host-path: webhook not configured"},
		{"suspended", func(s *fakeServer) {
			s.objects[s.path(kustomization("gatehouse-policies"))]["spec"] = map[string]any{"suspend": true}
		}, "is suspended"},
		{"an old revision", func(s *fakeServer) {
			s.objects[s.path(kustomization("gatehouse-policies"))]["status"].(map[string]any)["lastAppliedRevision"] = "main@sha1:0"
		}, "has not applied main@sha1:1 yet"},
		{"an old generation", func(s *fakeServer) {
			s.objects[s.path(kustomization("gatehouse-policies"))].Metadata()["generation"] = 2.0
		}, "is not reconciled yet"},
		{"the repository was not pushed", func(s *fakeServer) {
			delete(s.objects, s.path(kustomization("gatehouse-network")))
		}, "gatehouse-network: is not in what flux-system serves at main@sha1:1"},
		{"Kyverno is not there", func(s *fakeServer) { delete(s.served, "kyverno.io/v1") }, "ClusterPolicy disallow-host-path: does not exist"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			server.settle(b, "main@sha1:1")
			c.change(server)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := b.Wait(ctx)
			var late *NotReadyError
			if !errors.As(err, &late) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestWaitInterrupted(t *testing.T) {
	server, b, _ := newBootstrap(t)
	server.settle(b, "main@sha1:1")
	server.fails(identity(kustomizationAPI, "Kustomization", "flux-system", layout.Root), "BuildFailed", "x")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := b.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
