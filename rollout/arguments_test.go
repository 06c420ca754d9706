package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// startedWith gives a controller arguments, in a container that is not the first.
func startedWith(deployment manifest.Object, args ...any) manifest.Object {
	deployment["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{
		map[string]any{"name": "sidecar", "args": []any{"--default-service-account=sidecar"}},
		map[string]any{"name": "manager", "args": args},
	}}}}
	return deployment
}

func TestArgumentsOf(t *testing.T) {
	got := argumentsOf(startedWith(manifest.Object{}, "--events-addr=http://a=b", "--no-cross-namespace-refs", "--default-service-account", "tenant", "--watch-all-namespaces=false", "--log-level=", "stray"))
	want := arguments{"events-addr": "http://a=b", "no-cross-namespace-refs": "true", "default-service-account": "tenant", "watch-all-namespaces": "false", "log-level": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if got := argumentsOf(manifest.Object{}); len(got) > 0 {
		t.Errorf("a Deployment without containers has the arguments %v", got)
	}
}

func TestCheckArguments(t *testing.T) {
	run := func(f *fakeServer, controller string, args ...any) {
		f.runFlux(1)
		args = append([]any{"--no-cross-namespace-refs", "--no-remote-bases"}, args...) // the last one counts
		d := startedWith(identity("apps/v1", "Deployment", "flux-system", controller), args...)
		d["status"] = map[string]any{"availableReplicas": float64(1)}
		f.put(d)
	}
	account := func(b *Bootstrap, name string) {
		for _, k := range b.Target.Kustomizations {
			asMap(k["spec"])["serviceAccountName"] = name
		}
	}
	for name, c := range map[string]struct {
		change func(f *fakeServer, b *Bootstrap)
		want   []string
	}{
		"a default account, and layers without one": {func(f *fakeServer, _ *Bootstrap) {
			run(f, "kustomize-controller", "--default-service-account=default")
		}, []string{"error    Flux: kustomize-controller applies as default what names no service account (--default-service-account), and the repository names none - set spec.flux.serviceAccountName: default"}},
		"written as two arguments": {func(f *fakeServer, _ *Bootstrap) {
			run(f, "helm-controller", "--default-service-account", "tenant")
		}, []string{"error    Flux: helm-controller applies as tenant"}},
		"layers with an account": {func(f *fakeServer, b *Bootstrap) {
			account(b, "flux-applier")
			run(f, "kustomize-controller", "--default-service-account=default")
		}, nil},
		"only its own namespace": {func(f *fakeServer, _ *Bootstrap) { run(f, "kustomize-controller", "--watch-all-namespaces=false") }, nil},
		"one shard": {func(f *fakeServer, _ *Bootstrap) {
			run(f, "kustomize-controller", "--watch-label-selector=sharding.fluxcd.io/key=shard1")
		}, []string{`error    Flux: kustomize-controller watches only "sharding.fluxcd.io/key=shard1", and does not see Kustomization flux-system/`}},
		"all but the other shards": {func(f *fakeServer, _ *Bootstrap) {
			run(f, "kustomize-controller", "--watch-label-selector=!sharding.fluxcd.io/key")
		}, nil},
		"a selector that is none": {func(f *fakeServer, _ *Bootstrap) { run(f, "kustomize-controller", "--watch-label-selector=a=b=c") }, []string{"warning  Flux: kustomize-controller watches"}},
		"not locked down": {func(f *fakeServer, _ *Bootstrap) {
			run(f, "kustomize-controller", "--no-cross-namespace-refs=false", "--no-remote-bases=false")
		}, []string{"warning  Flux: kustomize-controller runs without --no-cross-namespace-refs and --no-remote-bases"}},
		"helm-controller not locked down": {func(f *fakeServer, _ *Bootstrap) {
			run(f, "helm-controller", "--no-cross-namespace-refs=false", "--no-remote-bases=false")
		}, []string{"warning  Flux: helm-controller runs without --no-cross-namespace-refs,"}},
		"not locked down, and no tenants": {func(f *fakeServer, b *Bootstrap) {
			b.Target.Policies = nil
			run(f, "kustomize-controller", "--no-cross-namespace-refs=false")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			c.change(server, b)
			checkLines(t, wrong(t, b), c.want)
		})
	}
}
