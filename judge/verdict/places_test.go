package verdict

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// A namespace that policies select by name is tried with the label of another tier.
func TestPlaces(t *testing.T) {
	p := &plan.Plan{Tiers: []string{"platform", "apps"}}
	env := plan.Environment{
		Namespaces: []plan.Namespace{
			{Name: "edge", Tier: "platform", Existing: true}, {Name: "logs", Tier: "platform", Existing: true}, {Name: "tools", Tier: "platform"},
			{Name: "old", Tier: "apps", Existing: true},
		},
		Exceptions: []plan.Exception{{Namespaces: []string{"edge"}}},
	}
	k := &cluster{plan: p, env: env}
	unknown := place{tier: "apps", namespace: "gatehouse-test-unknown", labels: map[string]string{}}
	labelled := func(tier, namespace, label string) place {
		return place{tier: tier, namespace: namespace, labels: map[string]string{v1alpha1.LabelTier: label}}
	}
	empty := plan.Policy{Policy: catalog.Policy{LookUps: []string{"pods"}}}
	only := func(names ...string) plan.Policy { return plan.Policy{Scope: plan.Scope{Include: names}} }
	but := func(names ...string) plan.Policy { return plan.Policy{Scope: plan.Scope{Exclude: names}} }
	made := labelled("platform", "gatehouse-test-platform", "platform")
	for _, tt := range []struct {
		name   string
		tier   string
		policy plan.Policy
		want   []place
	}{
		{"everywhere", "platform", plan.Policy{}, []place{{tier: "platform", namespace: "tools"}, labelled("platform", "logs", "apps")}},
		{"empty", "platform", empty, []place{made}},
		{"everywhere", "apps", plan.Policy{}, []place{labelled("apps", "gatehouse-test-apps", "apps"), labelled("apps", "old", "platform"), unknown}},
		{"only one", "platform", only("tools"), []place{{tier: "platform", namespace: "tools"}, made}},
		{"only one by name", "platform", only("logs"), []place{made, labelled("platform", "logs", "apps")}},
		{"only one with an exception", "platform", only("edge"), []place{made}},
		{"only one that is not listed", "apps", only("new"), []place{labelled("apps", "gatehouse-test-apps", "apps"), unknown, {tier: "apps", namespace: "new", labels: map[string]string{}}}},
		{"but one", "platform", but("tools"), []place{made, labelled("platform", "logs", "apps"), {tier: "platform", namespace: "tools"}}},
		{"but one by name", "platform", but("logs"), []place{{tier: "platform", namespace: "tools"}, labelled("platform", "logs", "apps")}},
		{"but one that is not listed", "apps", but("new"), []place{labelled("apps", "gatehouse-test-apps", "apps"), labelled("apps", "old", "platform"), unknown, {tier: "apps", namespace: "new", labels: map[string]string{}}}},
	} {
		if diff := cmp.Diff(tt.want, k.places(tt.policy, tt.tier), cmp.AllowUnexported(place{})); diff != "" {
			t.Errorf("%s in %s: %s", tt.name, tt.tier, diff)
		}
	}
	k.plan = &plan.Plan{Tiers: []string{"apps"}}
	if got := k.places(plan.Policy{}, "apps")[1]; got.namespace != "old" || got.labels == nil || len(got.labels) > 0 {
		t.Errorf("with one tier: %+v", got)
	}
}
