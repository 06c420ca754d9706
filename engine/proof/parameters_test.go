package proof_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// TestWildcardRegistries: a * in a registry is one name of its host, with each kind of policies.
func TestWildcardRegistries(t *testing.T) {
	images := map[string]bool{
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1":                               true,
		"111122223333.dkr.ecr.us-gov-west-1.amazonaws.com/team/app@sha256:" + digestOf('a'): true,
		"444455556666.dkr.ecr.eu-west-1.amazonaws.com/app:v1":                               false,
		"111122223333.dkr.ecr.eu.west.amazonaws.com/app:v1":                                 false,
		"111122223333.dkr.ecr..amazonaws.com/app:v1":                                        false,
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com.evil.example/app:v1":                  false,
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com:443/app:v1":                           false,
		"111122223333.dkr.ecr.evil.example/x.amazonaws.com/app:v1":                          false,
		"111122223333.dkr.ecr.evil.example:5000.amazonaws.com/app:v1":                       false,
		"evil@111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1":                          false,
		"111122223333xdkr.ecr.eu-west-1.amazonaws.com/app:v1":                               false,
		"any.registry.example:5000/team/app:v1":                                             true,
		"any.registry.example/team/app:v1":                                                  false,
		"registry.example:5000/team/app:v1":                                                 false,
		"any.registry.example:5000/teams/app:v1":                                            false,
		"ghcr.io/acme/app:v1":                                                               true,
		"ghcr.io/acme-evil/app:v1":                                                          false,
		"ghcrxio/acme/app:v1":                                                               false,
	}
	objects := map[string]object{}
	for image := range images {
		objects[image] = ofKind("v1", "Pod", object{"spec": object{"containers": []any{object{"name": "app", "image": image}}}})
	}
	wantAdmitted(t, object{
		"registries": object{"allowed": []any{"111122223333.dkr.ecr.*.amazonaws.com", "*.registry.example:5000/team", "ghcr.io/acme"}},
		"controls":   object{"restrict-image-registries": object{}},
	}, objects, images)
}

// TestAnyOfProbes: one probe of those that are listed is enough, in each container by itself.
func TestAnyOfProbes(t *testing.T) {
	probe := object{"httpGet": object{"port": 80}}
	container := func(name string, probes ...string) any {
		c := object{"name": name, "image": "ghcr.io/acme/app:v1"}
		for _, p := range probes {
			c[p] = probe
		}
		return c
	}
	pod := func(spec object) object { return ofKind("v1", "Pod", object{"spec": spec}) }
	sidecar := container("sidecar").(object)
	sidecar["restartPolicy"] = "Always"
	empty := container("empty").(object)
	empty["livenessProbe"] = object{}
	objects := map[string]object{
		"liveness":            pod(object{"containers": []any{container("a", "livenessProbe")}}),
		"readiness":           pod(object{"containers": []any{container("a", "readinessProbe")}}),
		"both":                pod(object{"containers": []any{container("a", "readinessProbe", "livenessProbe")}}),
		"one each":            pod(object{"containers": []any{container("a", "readinessProbe"), container("b", "livenessProbe")}}),
		"none":                pod(object{"containers": []any{container("a")}}),
		"another":             pod(object{"containers": []any{container("a", "startupProbe")}}),
		"an empty one":        pod(object{"containers": []any{empty}}),
		"none in the second":  pod(object{"containers": []any{container("a", "readinessProbe", "livenessProbe"), container("b")}}),
		"none in the sidecar": pod(object{"containers": []any{container("a", "livenessProbe")}, "initContainers": []any{sidecar}}),
		"it ends":             pod(object{"restartPolicy": "Never", "containers": []any{container("a")}}),
	}
	admitted := map[string]bool{"liveness": true, "readiness": true, "both": true, "one each": true, "it ends": true}
	wantAdmitted(t, object{
		"controls": object{"require-probes": object{"parameters": object{"probes": []any{"livenessProbe", "readinessProbe"}, "anyOf": true}}},
	}, objects, admitted)
}

// wantAdmitted asks policies of each kind that a profile enforces about objects, by name, and
// wants those admitted that are true, and all others refused.
func wantAdmitted(t *testing.T, spec object, objects map[string]object, admitted map[string]bool) {
	t.Helper()
	for _, target := range catalog.Targets() {
		t.Run(target, func(t *testing.T) {
			spec := maps.Clone(spec)
			spec["kyverno"] = object{"policyType": target}
			bundle := compile(t, spec, nil)
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
			for name, o := range objects {
				got := k.ask(t, in("apps", requestOf(t, catalog.Case{Name: name, Operation: "CREATE", Namespace: "shop", Object: o})))
				if got.Blocked == admitted[name] || len(errorsOf(got)) > 0 {
					t.Errorf("%s: blocked: %v %s", name, got.Blocked, messages(got))
				}
			}
		})
	}
}

func digestOf(r rune) string { return strings.Repeat(string(r), 64) }
