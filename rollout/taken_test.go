package rollout

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// What exists under the names of the repository, or beside it, is found before Flux
// overwrites it.
func TestCheckTaken(t *testing.T) {
	helm := func(o manifest.Object) manifest.Object {
		return merge(o, map[string]any{"metadata": map[string]any{"annotations": map[string]any{helmName: "policies", helmNamespace: "kyverno"}}})
	}
	tier := func(name string) manifest.Object {
		return merge(identity("v1", "Namespace", "", name), map[string]any{"metadata": map[string]any{"labels": map[string]any{"gatehouse.dev/tier": "platform"}}})
	}
	policy := identity("kyverno.io/v1", "ClusterPolicy", "", "disallow-host-path")
	exception := func(namespace, name string) manifest.Object {
		return identity("kyverno.io/v2", "PolicyException", namespace, name)
	}
	cases := []struct {
		name string
		live manifest.Object
		want []string
	}{
		{"a policy of a chart", helm(policy),
			[]string{"error    ClusterPolicy disallow-host-path is not from this repository (Helm release kyverno/policies): Flux would overwrite it"}},
		{"a policy of another Kustomization", ownedBy(policy, "apps"), []string{"not from this repository (Kustomization flux-system/apps)"}},
		{"a policy by hand", policy, []string{"not from this repository (applied by hand)"}},
		{"a policy of the repository", ownedBy(policy, "gatehouse-policies"), nil},
		{"a policy with another name", identity("kyverno.io/v1", "ClusterPolicy", "", "theirs"), nil},
		{"a namespace with two owners", ownedBy(identity("v1", "Namespace", "", "shop"), "apps"),
			[]string{"error    Kustomization flux-system/apps manages Namespace shop, which the repository has, too: if one of them gives it up, the other may lose it - set create: false"}},
		{"a namespace of a chart", helm(identity("v1", "Namespace", "", "shop")), []string{"error    Helm release kyverno/policies manages Namespace shop"}},
		{"a namespace by hand", identity("v1", "Namespace", "", "shop"), nil},
		{"a namespace of the repository", ownedBy(tier("shop"), "gatehouse-namespaces"), nil},
		{"a namespace of others", ownedBy(identity("v1", "Namespace", "", "theirs"), "apps"), nil},
		{"a label from before", tier("theirs"),
			[]string{`warning  Namespace theirs has the label gatehouse.dev/tier, and the profile does not know it: policies judge it as tier "platform"`}},
		{"an exception elsewhere", exception("kyverno", "old"), []string{"warning  PolicyExceptions outside policy-exceptions do not count: kyverno/old - move them"}},
		{"an exception of others", exception("policy-exceptions", "old"), []string{"warning  PolicyExceptions in policy-exceptions are not from this repository: policy-exceptions/old"}},
		{"an exception of the repository", ownedBy(exception("policy-exceptions", "new"), "gatehouse-exceptions"), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			server.runFlux(1)
			server.served["kyverno.io/v2"] = []served{{"policyexceptions", "PolicyException", true}}
			server.put(c.live)
			checkLines(t, wrong(t, b), c.want)
		})
	}
}

// A namespace with create: false belongs to others, and its label means nothing.
func TestCheckTakenExisting(t *testing.T) {
	server, b, _ := newBootstrap(t)
	server.runFlux(1)
	b.Target.Creates = nil
	namespace := ownedBy(identity("v1", "Namespace", "", "shop"), "apps")
	namespace.Metadata()["labels"].(map[string]any)["gatehouse.dev/tier"] = "platform"
	server.put(namespace)
	checkLines(t, wrong(t, b), nil)
}
