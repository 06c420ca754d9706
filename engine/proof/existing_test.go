package proof_test

import (
	"maps"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// labelsOfOthers are labels that a namespace may have that gatehouse does not create.
func labelsOfOthers() map[string]map[string]string {
	return map[string]map[string]string{
		"what is known of it": nil, "no label": {}, "that of its tier": tier("platform"), "that of another tier": tier("apps"), "no such tier": tier("none"),
	}
}

// compileExisting builds a profile whose namespaces exist already: edge in the first
// tier, shop in the last.
func compileExisting(t *testing.T, spec object) *generator.Bundle {
	t.Helper()
	spec = maps.Clone(spec)
	spec["namespaces"] = []any{object{"name": "edge", "tier": "platform", "create": false}, object{"name": "shop", "create": false}}
	return compile(t, spec, nil)
}

// wantByName asks about an object in both namespaces under all labels.
func wantByName(t *testing.T, k cluster, request func(namespace string) protocol.EvaluateParams, refused map[string]bool) {
	t.Helper()
	for namespace, want := range refused {
		for name, labels := range labelsOfOthers() {
			r := request(namespace)
			r.NamespaceLabels = labels
			got := k.ask(t, r)
			if got.Blocked != want || !want && len(got.Results) > 0 && faults(got) == 0 {
				t.Errorf("%s with %s: refused %v, want %v: %s", namespace, name, got.Blocked, want, verdict(got))
			}
		}
	}
}

// TestSelectedByName: the name of a namespace decides its tier if gatehouse does not
// create it, whatever its labels say.
func TestSelectedByName(t *testing.T) {
	bundle := compileExisting(t, object{"controls": object{"disallow-host-path": object{}}})
	violation := func(namespace string) protocol.EvaluateParams { return requestOf(t, faultyPod("x", namespace)) }
	for environment, refused := range map[string]map[string]bool{
		audited:  {"edge": false, "shop": false},
		mixed:    {"edge": true, "shop": false},
		enforced: {"edge": true, "shop": true},
	} {
		t.Run(environment, func(t *testing.T) {
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, environment))
			wantByName(t, k, violation, refused)
			if got := k.ask(t, in("platform", violation("new"))); got.Blocked != refused["edge"] {
				t.Errorf("another namespace with the label of the tier: refused %v: %s", got.Blocked, verdict(got))
			}
		})
	}
}

// TestOffByName: where a control is off for a tier, it judges nothing there.
func TestOffByName(t *testing.T) {
	spec := object{
		"controls": object{"disallow-host-path": object{}},
		"rollout": object{"stages": []any{
			object{"name": "audit", "audit": []any{"platform"}}, object{"name": "enforce-platform", "enforce": []any{"platform"}},
			object{"name": "enforce", "enforce": []any{"platform", "apps"}},
		}},
	}
	bundle := compileExisting(t, spec)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, mixed))
	violation := func(namespace string) protocol.EvaluateParams { return requestOf(t, faultyPod("x", namespace)) }
	wantByName(t, k, violation, map[string]bool{"edge": true, "shop": false})
	for name, labels := range labelsOfOthers() {
		r := violation("shop")
		r.NamespaceLabels = labels
		if got := k.ask(t, r); len(got.Results) > 0 {
			t.Errorf("judged in a tier that is off, with %s: %s", name, verdict(got))
		}
	}
}

// TestImagesByName: an image rule has a policy for the enforced tiers and one for the
// audited ones, and both know the names.
func TestImagesByName(t *testing.T) {
	f := newFixture(t)
	bundle := compileExisting(t, imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*"))
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, mixed))
	unsigned := func(namespace string) protocol.EvaluateParams {
		return protocol.EvaluateParams{Resource: encode(t, object{
			"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": namespace},
			"spec": object{"containers": []any{object{"name": "c", "image": f.Host + "/unsigned:v1"}}},
		})}
	}
	wantByName(t, k, unsigned, map[string]bool{"edge": true, "shop": false})
}
