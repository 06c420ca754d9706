package rollout

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// wrong are the findings that are not fine, one per line.
func wrong(t *testing.T, b *Bootstrap) string {
	t.Helper()
	findings, err := b.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range findings {
		if f.Level != OK {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, "\n")
}

// runFlux puts Flux's controllers into the cluster, locked down.
func (f *fakeServer) runFlux(available float64) {
	for _, name := range []string{"source-controller", "kustomize-controller", "helm-controller"} {
		d := startedWith(identity("apps/v1", "Deployment", "flux-system", name), "--no-cross-namespace-refs=true", "--no-remote-bases=true")
		d["status"] = map[string]any{"availableReplicas": available}
		f.put(d)
	}
}

func TestCheck(t *testing.T) {
	cases := []struct {
		name   string
		change func(f *fakeServer, b *Bootstrap)
		want   []string // parts of the lines, in order; none: all is fine
	}{
		{"fine", func(f *fakeServer, _ *Bootstrap) { f.runFlux(1) }, nil},
		{"an old Kubernetes", func(f *fakeServer, _ *Bootstrap) {
			f.runFlux(1)
			f.version = "v1.24.9"
		}, []string{"error    Kubernetes v1.24.9"}},
		{"a Kubernetes built from source", func(f *fakeServer, _ *Bootstrap) {
			f.runFlux(1)
			f.version = "v0.0.0-master+$Format:%H$"
		}, []string{"warning  Kubernetes at"}},
		{"no controllers", func(*fakeServer, *Bootstrap) {}, []string{
			"warning  Flux: there is no Deployment kustomize-controller in flux-system", "source-controller", "helm-controller",
		}},
		{"controllers down", func(f *fakeServer, _ *Bootstrap) { f.runFlux(0) }, []string{"warning  Flux: kustomize-controller is not available", "source", "helm"}},
		{"no Flux", func(f *fakeServer, _ *Bootstrap) {
			delete(f.served, kustomizationAPI)
			delete(f.served, sourceAPI)
		}, []string{
			"error    Flux: the API server does not serve kustomize.toolkit.fluxcd.io/v1 Kustomization, source.toolkit.fluxcd.io/v1 GitRepository - install Flux, or set spec.flux.install",
		}},
		{"everything wrong at once", func(f *fakeServer, b *Bootstrap) {
			f.refused["secrets"], f.refused["kustomizations"] = true, true
			delete(f.served, helmAPI)
			objects, err := b.Target.Objects(Access{})
			if err != nil {
				panic(err)
			}
			b.Objects = objects
		}, []string{
			"error    not permitted: get Kustomization flux-system/gatehouse, create Kustomization", "HelmRelease", "error    the source GitRepository flux-system/flux-system does not exist",
		}},
		{"the source is there", func(f *fakeServer, b *Bootstrap) {
			f.runFlux(1)
			f.put(identity(sourceAPI, "GitRepository", "flux-system", "flux-system"))
			b.Objects = b.Objects[:1]
		}, nil},
		{"another cluster", func(f *fakeServer, b *Bootstrap) {
			f.runFlux(1)
			root := b.Target.root()
			asMap(root["spec"])["path"] = "./clusters/prod-eu/gatehouse"
			f.put(root)
		}, []string{"error    the cluster follows ./clusters/prod-eu/gatehouse, not ./clusters/staging-eu/gatehouse"}},
		{"another source", func(f *fakeServer, b *Bootstrap) {
			f.runFlux(1)
			root := b.Target.root()
			asMap(root["spec"])["path"] = "./policies/clusters/staging-eu/gatehouse"
			asMap(root["spec"])["sourceRef"] = map[string]any{"kind": "GitRepository", "name": "old"}
			f.put(root)
		}, []string{"warning  the cluster follows GitRepository old now"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			c.change(server, b)
			checkLines(t, wrong(t, b), c.want)
			if writes := server.stored(); len(writes) > 0 {
				t.Errorf("a check wrote %v", writes)
			}
		})
	}
}

// checkLines compares one part per line.
func checkLines(t *testing.T, got string, want []string) {
	t.Helper()
	lines := strings.Split(got, "\n")
	if got == "" {
		lines = nil
	}
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(lines[i], want[i])
	}
	if !ok {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// goodKyverno is a Kyverno as the chart installs it with the README's values.
func goodKyverno() (deployment, config manifest.Object) {
	deployment = identity("apps/v1", "Deployment", "kyverno", "kyverno-admission-controller")
	deployment.Metadata()["labels"] = map[string]any{"app.kubernetes.io/component": "admission-controller"}
	deployment["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
		"name": "kyverno", "image": "reg.kyverno.io/kyverno/kyverno:v1.19.1",
		"args": []any{"--v=2", "--enablePolicyException=true", "--exceptionNamespace=policy-exceptions"},
		"env":  []any{map[string]any{"name": "INIT_CONFIG", "value": "kyverno-config"}},
	}}}}}
	config = identity("v1", "ConfigMap", "kyverno", "kyverno-config")
	config["data"] = map[string]any{"webhooks": `{"namespaceSelector":{"matchExpressions":[` +
		`{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["flux-system","kube-node-lease","kube-public","kube-system"]},` +
		`{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["kyverno"]}]}}`}
	return deployment, config
}

func TestCheckKyverno(t *testing.T) {
	set := func(key string, value any) func(container, config manifest.Object) {
		return func(container, _ manifest.Object) { container[key] = value }
	}
	webhooks := func(text string) func(container, config manifest.Object) {
		return func(_, config manifest.Object) { config["data"] = map[string]any{"webhooks": text} }
	}
	cases := []struct {
		name   string
		change func(container, config manifest.Object)
		want   []string
	}{
		{"as the README says", func(_, _ manifest.Object) {}, nil},
		{"a version before", set("image", "ghcr.io/kyverno/kyverno:v1.18.2"), []string{"error    Kyverno is v1.18.2; the policies are for 1.19 - run 1.19 there, or set spec.kyverno.version"}},
		{"a tag and a digest", set("image", "host:5000/kyverno/kyverno:v1.19.3@sha256:0"), nil},
		{"a digest only", set("image", "host:5000/kyverno/kyverno@sha256:0"), []string{"warning  Kyverno: the image"}},
		{"exceptions off", set("args", []any{"--enablePolicyException=false", "--exceptionNamespace=policy-exceptions"}), []string{"error    Kyverno: exceptions do not count"}},
		{"exceptions everywhere", set("args", []any{"--enablePolicyException", "--exceptionNamespace=*"}), []string{"a tenant can exempt itself"}},
		{"exceptions elsewhere", set("args", []any{"--enablePolicyException=true", "--exceptionNamespace=kyverno"}), []string{`in the namespace "kyverno", not in "policy-exceptions"`}},
		{"the chart's own webhooks", webhooks(`{"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["kube-system","kyverno"]}]}}`),
			[]string{"error    Kyverno: its webhooks are called for flux-system, kube-node-lease, kube-public: with Kyverno down"}},
		{"only those", webhooks(`{"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["flux-system","kube-node-lease","kube-public","kube-system","kyverno"]}]}}`),
			[]string{"called for kyverno, flux-system"}},
		{"no webhooks configured", webhooks(""), []string{"called for kyverno, flux-system, kube-node-lease, kube-public, kube-system"}},
		{"a webhooks list", webhooks("[]"), []string{"error    Kyverno: reading webhooks"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, client := newFakeServer(t)
			server.runFlux(1)
			target := exampleTarget(t, "existing-kyverno", "prod")
			objects, err := target.Objects(Access{URL: "oci://ghcr.io/acme/policies", Tag: "latest"})
			if err != nil {
				t.Fatal(err)
			}
			deployment, config := goodKyverno()
			c.change(kyvernoContainer(deployment), config)
			server.put(deployment)
			server.put(config)
			checkLines(t, wrong(t, &Bootstrap{Client: client, Target: target, Objects: objects, Every: time.Millisecond}), c.want)
		})
	}
}

// Another chart of the repository does not stand for a Kyverno of the repository.
func TestCheckSecondRelease(t *testing.T) {
	server, client := newFakeServer(t)
	server.runFlux(1)
	target, err := Open(changed(t, "existing-kyverno", withSecondRelease), "prod")
	if err != nil {
		t.Fatal(err)
	}
	server.put(identity(sourceAPI, "OCIRepository", "flux-system", "policies"))
	objects, err := target.Objects(Access{})
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, wrong(t, &Bootstrap{Client: client, Target: target, Objects: objects}), []string{"error    Kyverno: none is installed"})
}

func TestCheckNoKyverno(t *testing.T) {
	server, client := newFakeServer(t)
	server.runFlux(1)
	target := exampleTarget(t, "existing-kyverno", "prod")
	server.put(identity(sourceAPI, "OCIRepository", "flux-system", "policies"))
	objects, err := target.Objects(Access{})
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, wrong(t, &Bootstrap{Client: client, Target: target, Objects: objects}), []string{"error    Kyverno: none is installed"})
}

func TestCheckUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, b, _ := newBootstrap(t)
	b.Client = client
	if _, err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "reaching "+server.URL) {
		t.Errorf("got %v", err)
	}
}
