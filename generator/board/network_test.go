package board

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func TestNetworks(t *testing.T) {
	deny := plan.Policy{Name: catalog.DefaultDeny, Base: catalog.DefaultDeny, Actions: map[string]plan.Action{"platform": plan.Enforce, "apps": plan.Audit, "lab": plan.Off}}
	rule := plan.NetworkRule{Peer: plan.Peer{Namespace: "x"}}
	env := plan.Environment{Policies: []plan.Policy{deny}, Namespaces: []plan.Namespace{
		{Name: "edge", Tier: "platform", Network: &plan.Network{Ingress: []plan.NetworkRule{rule}, Egress: []plan.NetworkRule{rule}}},
		{Name: "left-open", Tier: "platform"},
		{Name: "play", Tier: "lab", Network: &plan.Network{}},
	}}
	for i := range maxListed + 2 {
		env.Namespaces = append(env.Namespaces, plan.Namespace{Name: fmt.Sprint("n", i), Tier: "apps", Network: &plan.Network{DNS: true}})
	}
	var apps []string
	for i := range maxListed {
		apps = append(apps, fmt.Sprintf("n%d (0)", i))
	}
	var b strings.Builder
	networks(&b, []string{"platform", "apps", "lab", "empty"}, env)
	want := `
Network, by default-deny. In parentheses: the rules that allow something, DNS aside.

| Tier | Closed | Would be closed | Open |
|---|---|---|---|
| platform | edge (2) |  | left-open |
| apps |  | ` + strings.Join(apps, ", ") + ` and 2 more |  |
| lab |  |  | play (0) |
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if networks(&b, []string{"platform"}, plan.Environment{Namespaces: env.Namespaces[:2]}); b.Len() > 0 {
		t.Errorf("without default-deny the board says %q", b.String())
	}
}

func TestLimits(t *testing.T) {
	env := plan.Environment{Namespaces: []plan.Namespace{
		{Name: "free"},
		{Name: "shop", Quota: plan.Quota{"pods": "5", "cpu": "2"}, LimitRange: []plan.LimitRange{{Type: plan.LimitPod}}},
		{Name: "waits", Unlimited: true},
	}}
	var b strings.Builder
	limits(&b, env)
	if want := "\nResource quotas and limit ranges:\n\n- shop: cpu 2, pods 5, a limit range\n- waits: more is not applied yet\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	for i := range maxListed {
		env.Namespaces = append(env.Namespaces, plan.Namespace{Name: fmt.Sprint("n", i), Unlimited: true})
	}
	b.Reset()
	if limits(&b, env); !strings.HasSuffix(b.String(), "\n- 2 more namespaces\n") || strings.Count(b.String(), "\n- ") != maxListed+1 {
		t.Errorf("a long list is %q", b.String())
	}
	b.Reset()
	if limits(&b, plan.Environment{Namespaces: env.Namespaces[:1]}); b.Len() > 0 {
		t.Errorf("without limits the board says %q", b.String())
	}
}
