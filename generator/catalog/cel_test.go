package catalog

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestFieldsAndLookUpsOfChecks: a check that is asked too seldom admits what it should
// refuse, and one that reads what Kyverno may not read is an error for every request.
func TestFieldsAndLookUpsOfChecks(t *testing.T) {
	const path = `lookUps: ["/apis/apps/v1/namespaces/x/deployments"]`
	for name, test := range map[string]struct{ check, want string }{
		"fields":                    {"kinds: [Pod]\n  fields: [hostPID, volumes]\n  offenders: '[]'", ""},
		"fields that are a text":    {"kinds: [Pod]\n  fields: hostPID\n  offenders: '[]'", "fields"},
		"a path as a field":         {"kinds: [Pod]\n  fields: [spec.hostPID]\n  offenders: '[]'", `"spec.hostPID" is not the name of a field`},
		"fields of another kind":    {"kinds: [v1/Service]\n  fields: [type]\n  offenders: '[]'", "fields: is for offenders of Pods"},
		"fields beside refusals":    {"kinds: [Pod]\n  fields: [volumes]\n  refusals: '[]'", "fields: is for offenders of Pods"},
		"look-up":                   {"kinds: [Pod]\n  " + path + "\n  offenders: resource.List('apps/v1', 'deployments', 'x').items", ""},
		"look-up without its paths": {"kinds: [Pod]\n  refusals: (resource.Get('v1', 'secrets', 'x', 'y') == null ? [] :['x'])", "lookUps: must have the paths"},
		"paths without a look-up":   {"kinds: [Pod]\n  " + path + "\n  offenders: '[]'", "lookUps: must have the paths"},
		"the resource of a request": {"kinds: [Pod]\n  refusals: \"request.resource.resource == 'pods' ? [] : ['x']\"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var body map[string]any
			if err := yaml.Unmarshal([]byte("checks:\n- name: one\n  message: Wrong.\n  "+test.check), &body); err != nil {
				t.Fatal(err)
			}
			var p policyCheck
			p.checks(body)
			if err := p.err(); test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
