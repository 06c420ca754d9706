package verdict

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// Namespaces of an exception do not limit kinds that have none.
func TestSubjectsOfBothScopes(t *testing.T) {
	made := trial{
		exception: plan.Exception{
			Namespaces: []string{"a", "b"}, Names: []string{"old"},
			Kinds: []string{"PersistentVolumeClaim", "StorageClass"}, ClusterKinds: []string{"StorageClass"},
		},
		policy: plan.Policy{Policy: catalog.Policy{Rules: []catalog.Rule{{Name: "owner", Kinds: []string{"PersistentVolumeClaim", "StorageClass"}}}}},
	}
	got := map[string][]string{}
	for _, s := range made.subjects([]string{"owner"}) {
		got[s.kind] = append(got[s.kind], s.namespace)
	}
	want := map[string][]string{"PersistentVolumeClaim": {"a", "b"}, "StorageClass": {""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces by kind (-want +got)\n%s", diff)
	}
}

// Policies that do not judge a kind say nothing about an exception for it.
func TestUnnamed(t *testing.T) {
	policy := func(name string, kinds ...string) plan.Policy {
		return plan.Policy{Name: name, Policy: catalog.Policy{Rules: []catalog.Rule{{Name: "r", Kinds: []string{"Job"}}, {Name: "s", Kinds: kinds}}}}
	}
	all := []plan.Policy{policy("waived", "ClusterRoleBinding"), policy("pods", "Pod"), policy("bindings", "ClusterRoleBinding"), policy("any", "*")}
	made := trial{
		exception: plan.Exception{Policies: []plan.ExceptionPolicy{{Name: "waived"}}},
		cluster:   &cluster{env: plan.Environment{Policies: all}, loaded: map[string]bool{"waived": true, "pods": true, "bindings": true, "any": true}},
	}
	if diff := cmp.Diff([]string{"bindings", "any"}, made.unnamed("ClusterRoleBinding")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
