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
