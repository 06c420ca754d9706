package kyverno

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func TestParseKind(t *testing.T) {
	tests := map[string]schema.GroupKind{ // the zero value: not known
		"v1/Pod":                               {Kind: "Pod"},
		"v1/Namespace/status":                  {Kind: "Namespace"},
		"Node":                                 {Kind: "Node"},
		"Role":                                 {Group: "rbac.authorization.k8s.io", Kind: "Role"},
		"*/Role":                               {Group: "rbac.authorization.k8s.io", Kind: "Role"},
		"v1beta1/Role":                         {Group: "rbac.authorization.k8s.io", Kind: "Role"},
		"apps/v1/Deployment":                   {Group: "apps", Kind: "Deployment"},
		"apps/v1/Deployment/scale":             {Group: "apps", Kind: "Deployment"},
		"source.toolkit.fluxcd.io/*/Bucket":    {Group: "source.toolkit.fluxcd.io", Kind: "Bucket"},
		"rbac.authorization.k8s.io/*/RoleBind": {Group: "rbac.authorization.k8s.io", Kind: "RoleBind"},
		"Widget":                               {},
		"*/*/Widget":                           {},
		"example.com/v1/Wid*":                  {},
		"*":                                    {},
		"*/*":                                  {},
		"":                                     {},
	}
	for text, want := range tests {
		if got, ok := parseKind(text); ok && got != want || ok == want.Empty() {
			t.Errorf("parseKind(%q) = %v, %t, want %v", text, got, ok, want)
		}
	}
}

// matching is a policy with one rule.
func matching(kinds ...string) map[string]any {
	resources := map[string]any{"kinds": list(kinds)}
	return map[string]any{"spec": map[string]any{"rules": []any{
		map[string]any{"match": map[string]any{"any": []any{map[string]any{"resources": resources}}}},
	}}}
}

func TestReportsRules(t *testing.T) {
	policy := func(background bool, action plan.Action, kinds ...string) plan.Policy {
		return plan.Policy{Background: background, Actions: map[string]plan.Action{"apps": action}, Body: matching(kinds...)}
	}
	tests := []struct {
		name     string
		policies []plan.Policy
		want     map[string][]string
	}{
		{"what Kyverno may read anyway", []plan.Policy{policy(true, plan.Enforce, "Pod", "apps/v1/Deployment", "networking.k8s.io/v1/Ingress", "v1/Namespace")}, map[string][]string{}},
		{"roles and Flux sources", []plan.Policy{
			policy(true, plan.Audit, "rbac.authorization.k8s.io/*/Role", "rbac.authorization.k8s.io/*/ClusterRole", "Role"),
			policy(true, plan.Audit, "source.toolkit.fluxcd.io/*/GitRepository", "source.toolkit.fluxcd.io/*/HelmRepository"),
		}, map[string][]string{
			"rbac.authorization.k8s.io": {"roles", "clusterroles"},
			"source.toolkit.fluxcd.io":  {"gitrepositories", "helmrepositories"},
		}},
		{"a policy without background scan", []plan.Policy{policy(false, plan.Enforce, "Role")}, map[string][]string{}},
		{"a policy that is off", []plan.Policy{policy(true, plan.Off, "Role")}, map[string][]string{}},
		{"never every Secret, never everything", []plan.Policy{policy(true, plan.Enforce, "Secret", "v1/Secret", "*", "*/*", "*/*/Role", "apps/*/Deploy*")}, map[string][]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, reportsRules(plan.Environment{Policies: tt.policies})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
