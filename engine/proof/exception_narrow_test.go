package proof_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/made"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// container is one that disallow-privileged-containers refuses.
func container(name, image string) object {
	return object{"name": name, "image": image, "securityContext": object{"privileged": true}}
}

func calm(name, image string) object { return object{"name": name, "image": image} }

func volume(image string) object {
	return object{"name": fmt.Sprintf("v%d", len(image)), "image": object{"reference": image}}
}

// asWorkloads are requests for a Pod spec in everything that holds one: the workload that an exception names, and what
// controllers make from it.
func asWorkloads(t *testing.T, name string, spec object) map[string]protocol.EvaluateParams {
	t.Helper()
	out := map[string]protocol.EvaluateParams{}
	for _, kind := range []string{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "StatefulSet"} {
		pod := faultyPod(name, "tools")
		pod.Object["spec"] = clone(t, spec)
		c := pod
		if kind != "Pod" {
			c = wrapped(t, pod, kind)
		}
		out[kind] = requestOf(t, c)
		for _, s := range made.From(kind, name) {
			c := pod
			if s.Kind != "Pod" {
				c = wrapped(t, pod, s.Kind)
			}
			out[kind+", "+s.Kind+" "+s.Stored()] = sent(t, s, c)
		}
	}
	for key, request := range out {
		request.Now = dayBefore
		out[key] = request
	}
	return out
}

// narrowed is a cluster with an exception for some parts of the workloads agent in tools.
func narrowed(t *testing.T, controls object, ids []any, parts object) cluster {
	t.Helper()
	spec := object{
		"controls": ids,
		"match":    object{"namespaces": []any{"tools"}, "kinds": []any{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "StatefulSet"}, "names": []any{"agent"}},
	}
	maps.Copy(spec, parts)
	bundle := compile(t, object{"controls": controls, "registries": object{"allowed": []any{"ghcr.io/acme"}}}, map[string]any{"agent.yaml": waiver("agent", spec)})
	return newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
}

// TestExceptionForContainers: the other containers of a Pod are judged as ever.
func TestExceptionForContainers(t *testing.T) {
	k := narrowed(t, object{"disallow-privileged-containers": object{}}, []any{"disallow-privileged-containers"}, object{"containers": []any{"agent", "init-*"}})
	const image = "ghcr.io/acme/agent:1"
	for _, tt := range []struct {
		name   string
		spec   object
		exempt bool
	}{
		{"alone", object{"containers": []any{container("agent", image)}}, true},
		{"with a good one", object{"containers": []any{container("agent", image), calm("istio-proxy", "docker.io/istio/proxyv2:1")}}, true},
		{"with a good one before", object{"containers": []any{calm("istio-proxy", "docker.io/istio/proxyv2:1"), container("agent", image)}}, true},
		{"init container", object{"containers": []any{calm("app", image)}, "initContainers": []any{container("init-node", image)}}, true},
		{"with a bad one", object{"containers": []any{container("agent", image), container("istio-proxy", "docker.io/istio/proxyv2:1")}}, false},
		{"with a bad init container", object{"containers": []any{container("agent", image)}, "initContainers": []any{container("setup", image)}}, false},
		{"a longer name", object{"containers": []any{container("agent-2", image)}}, false},
		{"a longer name before", object{"containers": []any{container("my-agent", image)}}, false},
		{"without a name", object{"containers": []any{object{"image": image, "securityContext": object{"privileged": true}}}}, false},
	} {
		for kind, request := range asWorkloads(t, "agent", tt.spec) {
			if got := k.ask(t, request); got.Blocked == tt.exempt {
				t.Errorf("%s, %s: blocked is %v: %s", tt.name, kind, got.Blocked, verdict(got))
			}
			scan := protocol.EvaluateParams{Scan: true, Resource: request.Resource, Namespace: "tools", Now: dayBefore}
			if got := k.ask(t, scan); (faults(got) == 0) != tt.exempt {
				t.Errorf("%s, %s: a background scan says %s", tt.name, kind, verdict(got))
			}
		}
	}
}

// TestExceptionForContainersOfLevels: what the Pod itself says is judged as ever, and of several rules only those about
// containers are waived.
func TestExceptionForContainersOfLevels(t *testing.T) {
	k := narrowed(t, object{"require-run-as-nonroot": object{}}, []any{"require-run-as-nonroot"}, object{"containers": []any{"agent"}})
	root := func(name string) object {
		return object{"name": name, "image": "ghcr.io/acme/a:1", "securityContext": object{"runAsNonRoot": false}}
	}
	safe := object{"runAsNonRoot": true}
	for _, tt := range []struct {
		name   string
		spec   object
		exempt bool
	}{
		{"the container", object{"securityContext": safe, "containers": []any{root("agent")}}, true},
		{"another one too", object{"securityContext": safe, "containers": []any{root("agent"), root("other")}}, false},
		{"the Pod", object{"securityContext": object{"runAsNonRoot": false}, "containers": []any{calm("agent", "ghcr.io/acme/a:1")}}, false},
	} {
		for kind, request := range asWorkloads(t, "agent", tt.spec) {
			if got := k.ask(t, request); got.Blocked == tt.exempt {
				t.Errorf("%s, %s: blocked is %v: %s", tt.name, kind, got.Blocked, verdict(got))
			}
		}
	}
}

// TestExceptionForImageSpellings: an image is named however it is written, and an image volume only by its own.
func TestExceptionForImageSpellings(t *testing.T) {
	k := narrowed(t, object{"restrict-image-registries": object{}}, []any{"restrict-image-registries"}, object{"images": []any{"quay.io/vendor/agent:*", "busybox", "library/nginx:*", "quay.io/vendor/tools@*"}})
	const ours = "ghcr.io/acme/app:1"
	digest := "@sha256:" + fmt.Sprintf("%064d", 1)
	for _, tt := range []struct {
		image          string
		exempt, volume bool
	}{
		{image: "quay.io/vendor/agent:1", exempt: true},
		{image: "quay.io/vendor/agent", exempt: true},
		{image: "quay.io/vendor/agent:1" + digest, exempt: true},
		{image: "quay.io/vendor/agent" + digest},
		{image: "quay.io/vendor/tools" + digest, exempt: true},
		{image: "quay.io/vendor/tools:1"},
		{image: "quay.io/vendor/agent-evil:1"},
		{image: "evil.example/quay.io/vendor/agent:1"},
		{image: "quay.io:443/vendor/agent:1"},
		{image: "busybox", exempt: true},
		{image: "busybox:latest", exempt: true},
		{image: "docker.io/busybox", exempt: true},
		{image: "docker.io/library/busybox", exempt: true},
		{image: "index.docker.io/library/busybox:latest", exempt: true},
		{image: "busybox:1"},
		{image: "evil/busybox"},
		{image: "localhost/busybox"},
		{image: "localhost/library/nginx:1"},
		{image: "nginx:1.29", exempt: true},
		{image: "docker.io/nginx:1.29", exempt: true},
		{image: "quay.io/nginx:1.29"},
	} {
		for what, spec := range map[string]object{
			"container":      {"containers": []any{calm("c", ours), calm("d", tt.image)}},
			"init container": {"containers": []any{calm("c", ours)}, "initContainers": []any{calm("d", tt.image)}},
			"image volume":   {"containers": []any{calm("c", ours)}, "volumes": []any{volume(tt.image)}},
		} {
			for kind, request := range asWorkloads(t, "agent", spec) {
				if got := k.ask(t, request); got.Blocked == tt.exempt {
					t.Errorf("%s as %s of %s: blocked is %v: %s", tt.image, what, kind, got.Blocked, verdict(got))
				}
			}
		}
	}
}

// TestExceptionForContainersNotVolumes: an image volume is no container, so its image is judged as ever.
func TestExceptionForContainersNotVolumes(t *testing.T) {
	k := narrowed(t, object{"restrict-image-registries": object{}}, []any{"restrict-image-registries"}, object{"containers": []any{"*"}})
	for _, tt := range []struct {
		volumes []any
		exempt  bool
	}{{[]any{}, true}, {[]any{volume("ghcr.io/acme/data:1")}, true}, {[]any{volume("quay.io/other/tools:1")}, false}} {
		for kind, request := range asWorkloads(t, "agent", object{"containers": []any{calm("c", "quay.io/vendor/agent:1")}, "volumes": tt.volumes}) {
			if got := k.ask(t, request); got.Blocked == tt.exempt {
				t.Errorf("%v, %s: blocked is %v: %s", tt.volumes, kind, got.Blocked, verdict(got))
			}
		}
	}
}

// TestExceptionForContainersWithImages: together, they are for containers that both name.
func TestExceptionForContainersWithImages(t *testing.T) {
	k := narrowed(t, object{"restrict-image-registries": object{}}, []any{"restrict-image-registries"}, object{"containers": []any{"agent"}, "images": []any{"quay.io/vendor/*"}})
	for _, tt := range []struct {
		name, image string
		exempt      bool
	}{{"agent", "quay.io/vendor/a:1", true}, {"agent", "quay.io/other/a:1", false}, {"other", "quay.io/vendor/a:1", false}} {
		for kind, request := range asWorkloads(t, "agent", object{"containers": []any{calm(tt.name, tt.image)}}) {
			if got := k.ask(t, request); got.Blocked == tt.exempt {
				t.Errorf("%s %s, %s: blocked is %v: %s", tt.name, tt.image, kind, got.Blocked, verdict(got))
			}
		}
	}
}

// TestExceptionForImagesOfVendor is about an exception from four controls for the images of one vendor, and a Pod that
// also mounts an image of another.
func TestExceptionForImagesOfVendor(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		bundle := compile(t, with(object{
			"controls":   object{"restrict-image-registries": object{}, "verify-images": object{}, "require-image-digest": object{}, "disallow-latest-tag": object{}},
			"registries": object{"allowed": []any{f.Host + "/acme"}},
			"trust": object{
				"attestors": []any{object{"name": "key", "keys": object{"publicKeys": f.signer.PublicKey}}},
				"images":    []any{object{"name": "all", "references": []any{f.Host + "/*"}, "attestors": []any{"key"}}},
			},
		}), map[string]any{"vendor.yaml": waiver("vendor-agent", object{
			"controls": []any{"restrict-image-registries", "require-image-digest", "disallow-latest-tag", "verify-images-all"},
			"match":    object{"namespaces": []any{"tools"}, "kinds": []any{"Pod", "DaemonSet"}, "names": []any{"agent*"}},
			"images":   []any{f.Host + "/unsigned:*"},
		})})
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		agent := calm("c", f.Host+"/unsigned:v1")
		for _, tt := range []struct {
			name   string
			spec   object
			exempt map[string]bool
		}{
			{"alone", object{"containers": []any{agent}}, map[string]bool{"restrict-image-registries": true, "require-image-digest": true, "disallow-latest-tag": true, "verify-images-all": true}},
			{"with an image volume of another", object{"containers": []any{agent}, "volumes": []any{volume(f.Host + "/other-key:latest")}}, map[string]bool{}},
			{"with another container", object{"containers": []any{agent, calm("d", f.Host+"/other-key:latest")}}, map[string]bool{}},
			{"with a signed container", object{"containers": []any{agent, calm("d", f.Host+"/signed:v1")}}, map[string]bool{"disallow-latest-tag": true, "verify-images-all": true}},
			{"with a signed image volume", object{"containers": []any{agent}, "volumes": []any{volume(f.Host + "/signed:v1")}}, map[string]bool{"disallow-latest-tag": true, "verify-images-all": true}},
			{"mounted", object{"containers": []any{calm("d", f.Host+"/signed:v1")}, "volumes": []any{volume(f.Host + "/unsigned:v1")}}, map[string]bool{"disallow-latest-tag": true, "verify-images-all": true}},
		} {
			for kind, request := range asWorkloads(t, "agent", tt.spec) {
				if kind != "Pod" && kind != "DaemonSet" && kind != "DaemonSet, Pod agent-x7k2p" {
					continue
				}
				for _, policy := range []string{"restrict-image-registries", "require-image-digest", "disallow-latest-tag", "verify-images-all"} {
					asked := only(policy, request)
					if policy == "verify-images-all" && slices.ContainsFunc(applied(bundle, enforced), func(o manifest.Object) bool { return o.Kind() == "ClusterPolicy" }) {
						asked.Policies = append(asked.Policies, "verify-images-all.vendor-agent")
						if kind == "DaemonSet" && tt.spec["volumes"] != nil {
							continue // the rules of controllers keep to containers; their Pods are judged
						}
					}
					if got := k.ask(t, asked); got.Blocked == tt.exempt[policy] {
						t.Errorf("%s, %s, %s: blocked is %v: %s", tt.name, kind, policy, got.Blocked, verdict(got))
					}
				}
			}
		}
	})
}
