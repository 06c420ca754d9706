package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestPolicyOfTheAPIServer: a policy is in force when the API server's controllers have
// looked at this generation of it and found no fault in its expressions.
func TestPolicyOfTheAPIServer(t *testing.T) {
	for _, tc := range []struct{ status, why string }{
		{"", "is not checked yet"},
		{"status: {observedGeneration: 1}", "is not checked yet"},
		{"status: {observedGeneration: 2, typeChecking: {}}", ""},
		{"status: {observedGeneration: 2, typeChecking: {expressionWarnings: [{fieldRef: spec, warning: undefined field 'typo'}]}}", "has an expression that may fail: undefined field 'typo'"},
	} {
		text := "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: a, generation: 2}\n" + tc.status
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var o manifest.Object
		if err := json.Unmarshal(raw, (*map[string]any)(&o)); err != nil {
			t.Fatal(err)
		}
		if got := judge(o); got.ready != (tc.why == "") || got.why != tc.why {
			t.Errorf("%s: %+v", tc.status, got)
		}
	}
}
