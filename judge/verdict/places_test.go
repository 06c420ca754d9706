package verdict

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
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
	for _, tt := range []struct {
		tier  string
		empty bool
		want  []place
	}{
		{"platform", false, []place{{tier: "platform", namespace: "tools"}, labelled("platform", "logs", "apps")}},
		{"platform", true, []place{labelled("platform", "gatehouse-test-platform", "platform")}},
		{"apps", false, []place{labelled("apps", "gatehouse-test-apps", "apps"), labelled("apps", "old", "platform"), unknown}},
	} {
		if diff := cmp.Diff(tt.want, k.places(tt.tier, tt.empty), cmp.AllowUnexported(place{})); diff != "" {
			t.Errorf("%s, empty %t: %s", tt.tier, tt.empty, diff)
		}
	}
	k.plan = &plan.Plan{Tiers: []string{"apps"}}
	if got := k.places("apps", false)[1]; got.namespace != "old" || got.labels == nil || len(got.labels) > 0 {
		t.Errorf("with one tier: %+v", got)
	}
}
