package impact

import (
	"fmt"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func TestCloses(t *testing.T) {
	env := func(action plan.Action, namespaces int) plan.Environment {
		e := plan.Environment{Policies: []plan.Policy{{Name: catalog.DefaultDeny, Base: catalog.DefaultDeny, Actions: map[string]plan.Action{"apps": action}}}}
		for i := range namespaces {
			e.Namespaces = append(e.Namespaces, plan.Namespace{Name: fmt.Sprint("n", i), Tier: "apps", Network: &plan.Network{}})
		}
		e.Namespaces = append(e.Namespaces, plan.Namespace{Name: "open", Tier: "apps"})
		return e
	}
	const rest = ": only what the network rules allow still connects"
	for name, tt := range map[string]struct {
		now, next plan.Environment
		want      string
	}{
		"a bump closes":       {env(plan.Audit, 2), env(plan.Enforce, 2), "closes the network of n0, n1" + rest},
		"closed already":      {env(plan.Enforce, 2), env(plan.Enforce, 2), ""},
		"still audited":       {env(plan.Off, 2), env(plan.Audit, 2), ""},
		"a long list is cut":  {env(plan.Audit, 12), env(plan.Enforce, 12), "closes the network of n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more" + rest},
		"only open ones left": {env(plan.Audit, 0), env(plan.Enforce, 0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := closes(tt.now, tt.next); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	env := func(namespaces ...plan.Namespace) plan.Environment { return plan.Environment{Namespaces: namespaces} }
	quota := plan.Namespace{Name: "quota", Quota: plan.Quota{"pods": "5"}}
	limited := plan.Namespace{Name: "limited", LimitRange: []plan.LimitRange{{Type: plan.LimitPod}}}
	now := env(plan.Namespace{Name: "free"}, plan.Namespace{Name: "limited", Unlimited: true}, plan.Namespace{Name: "quota", Unlimited: true})
	next := env(plan.Namespace{Name: "free"}, limited, quota)
	if got, want := limits(now, next), "the resource quotas and limit ranges of limited, quota begin to hold: compare them with what is used there"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := limits(next, next); got != "" {
		t.Errorf("got %q for limits that hold already", got)
	}
}
