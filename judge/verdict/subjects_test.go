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
