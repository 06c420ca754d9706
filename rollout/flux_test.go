package rollout

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// runOperator puts the Flux Operator into a namespace of the cluster.
func (f *fakeServer) runOperator(namespace string) {
	f.served[fluxInstanceAPI] = []served{{"fluxinstances", "FluxInstance", true}}
	d := identity("apps/v1", "Deployment", namespace, "flux-operator")
	d.Metadata()["labels"] = map[string]any{"app.kubernetes.io/name": "flux-operator"}
	f.put(d)
}

// withoutFlux takes the kinds of Flux away.
func (f *fakeServer) withoutFlux() {
	for _, version := range []string{kustomizationAPI, sourceAPI, helmAPI} {
		delete(f.served, version)
	}
}

func TestCheckFlux(t *testing.T) {
	instance := func(namespace, manager string) manifest.Object {
		o := identity(fluxInstanceAPI, "FluxInstance", namespace, "flux")
		o.Metadata()["managedFields"] = []any{map[string]any{"manager": manager, "operation": "Apply"}}
		return o
	}
	const serves = "Flux: the API server does not serve kustomize.toolkit.fluxcd.io/v1 Kustomization, source.toolkit.fluxcd.io/v1 GitRepository, helm.toolkit.fluxcd.io/v2 HelmRelease"
	cases := []struct {
		name    string
		install string
		change  func(f *fakeServer, b *Bootstrap)
		want    []string // parts of the lines that are not fine
		applied bool     // whether what installs Flux is applied
	}{
		{"none and no Flux", "", func(f *fakeServer, _ *Bootstrap) { f.withoutFlux() },
			[]string{"error    " + serves + " - install Flux, or set spec.flux.install to cli or operator"}, false},

		{"cli and no Flux", FluxByCLI, func(f *fakeServer, _ *Bootstrap) { f.withoutFlux() },
			[]string{"error    " + serves + " - run `flux install --export --version=v2.9.5 --namespace=flux-system --components=source-controller,kustomize-controller,helm-controller,notification-controller > flux.yaml` and use --flux-install flux.yaml"}, false},
		{"cli and a Flux that is there", FluxByCLI, func(f *fakeServer, _ *Bootstrap) { f.runFlux(1) }, nil, false},
		{"cli and a file of another namespace, without Helm", FluxByCLI, func(_ *fakeServer, b *Bootstrap) {
			b.Flux = fluxInstall()
			b.Flux[0].Metadata()["namespace"] = "flux"
		}, []string{"does not define source.toolkit.fluxcd.io/v1 GitRepository", "HelmRelease", "Deployment flux/kustomize-controller is not in the namespace flux-system", "kustomize-controller runs without --no-cross-namespace-refs"}, true},
		{"cli and a file of an old Flux", FluxByCLI, func(_ *fakeServer, b *Bootstrap) {
			b.Flux = fluxInstall()
			asMap(b.Flux[2]["spec"])["versions"] = []any{map[string]any{"name": "v1", "served": false}, map[string]any{"name": "v1beta2", "served": true}}
		}, []string{"does not define kustomize.toolkit.fluxcd.io/v1 Kustomization - flux install --export --version=v2.9.5", "GitRepository", "HelmRelease", "kustomize-controller runs without --no-cross-namespace-refs"}, true},

		{"operator", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.withoutFlux()
			f.runOperator("flux-system")
		}, nil, true},
		{"operator again", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.runOperator("flux-system")
			f.put(instance("flux-system", Manager))
		}, nil, true},
		{"operator that is not there", FluxByOperator, func(f *fakeServer, _ *Bootstrap) { f.withoutFlux() },
			[]string{"error    Flux Operator: the API server does not serve fluxcd.controlplane.io/v1 FluxInstance - helm install flux-operator oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator --namespace flux-system"}, true},
		{"operator elsewhere", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.withoutFlux()
			f.runOperator("flux-operator")
		}, []string{"error    Flux Operator: it runs in flux-operator and does not see a FluxInstance in flux-system"}, true},
		{"operator of another name", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.withoutFlux()
			f.served[fluxInstanceAPI] = []served{{"fluxinstances", "FluxInstance", true}}
		}, []string{"warning  Flux Operator: it has no Deployment"}, true},
		{"operator and a Flux of the CLI", FluxByOperator, func(f *fakeServer, _ *Bootstrap) { f.runFlux(1) },
			[]string{"warning  Flux: it runs without a FluxInstance and stays as it is"}, false},
		{"operator and a Flux of the CLI, which it did not take over", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.runFlux(1)
			f.runOperator("flux-system")
		}, []string{"warning  Flux: it runs without a FluxInstance and stays as it is"}, false},
		{"operator and an instance of others", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.runFlux(1)
			f.runOperator("elsewhere")
			f.put(instance("elsewhere", "helm"))
		}, nil, false},
		{"operator and an instance of others without Helm", FluxByOperator, func(f *fakeServer, _ *Bootstrap) {
			f.runFlux(1)
			delete(f.served, helmAPI)
			f.runOperator("flux-system")
			f.put(instance("flux-system", "kubectl"))
		}, []string{"error    Flux: the API server does not serve helm.toolkit.fluxcd.io/v2 HelmRelease - add it where that Flux is managed"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			b.Target.FluxInstall = c.install
			if c.install == FluxByOperator {
				b.Flux = []manifest.Object{b.Target.FluxInstance()}
			}
			c.change(server, b)
			checkLines(t, wrong(t, b), c.want)
			if got := len(b.Flux) > 0; got != c.applied {
				t.Errorf("what installs Flux is applied: %v", got)
			}
		})
	}
}

// TestApplyOperator waits for a FluxInstance as the operator leaves it: the
// generation is in its condition only.
func TestApplyOperator(t *testing.T) {
	server, b, _ := newBootstrap(t)
	server.withoutFlux()
	server.runOperator("flux-system")
	instance := b.Target.FluxInstance()
	b.Flux = []manifest.Object{instance}
	server.after = func(_, path string) {
		o := server.objects[path]
		if o.Kind() != "FluxInstance" {
			return
		}
		o.Metadata()["generation"] = 1.0
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True", "observedGeneration": 1.0}}}
		server.serveFlux()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	changes, err := b.Apply(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Namespace flux-system created", "FluxInstance flux-system/flux created",
		"GitRepository flux-system/flux-system created", "Kustomization flux-system/gatehouse created",
	}
	if diff := cmp.Diff(want, did(changes)); diff != "" {
		t.Error(diff)
	}
}
