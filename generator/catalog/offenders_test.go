package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// validating is the sample control with another validate block.
func validating(t *testing.T, block string) *Control {
	t.Helper()
	return sample(t, "clusterpolicy.yaml", policyText[strings.Index(policyText, "        message:"):], block)
}

func TestOffenders(t *testing.T) {
	c := validating(t, `        message: "Remove: {{ offenders }}."
        offenders: << printf "request.object.spec.x[?contains(split('%s', ','), @)]" (join "," .names) >>
`)
	params, _ := c.Examples()
	policy, err := c.Render(ClusterPolicy, params)
	if err != nil {
		t.Fatal(err)
	}
	rule := rulesOf(policy.Body)[0]
	want := map[string]any{
		"message":                 "Remove: {{- join(', ', offenders) }}.",
		"allowExistingViolations": false,
		"deny": map[string]any{"conditions": map[string]any{"any": []any{
			map[string]any{"key": "{{ length(offenders) }}", "operator": "GreaterThan", "value": int64(0)},
		}}},
	}
	if diff := cmp.Diff(want, rule["validate"]); diff != "" {
		t.Errorf("validate (-want +got)\n%s", diff)
	}
	wantContext := []any{map[string]any{"name": "offenders", "variable": map[string]any{"jmesPath": "[" +
		"(request.object.spec.x[?contains(split('bad', ','), @)]) || `[]`, " +
		"request.oldObject && (request.oldObject.spec.x[?contains(split('bad', ','), @)]) || `[]`] | " +
		"sort(values(merge(object_from_lists([0], [0]), object_from_lists([1], `[]`)))[?@ != `null`])",
	}}}
	if diff := cmp.Diff(any(wantContext), rule["context"]); diff != "" {
		t.Errorf("context (-want +got)\n%s", diff)
	}
}

// TestWildcards: the texts of the old object become a regular expression.
func TestWildcards(t *testing.T) {
	c := validating(t, `        message: "Remove: {{ offenders }}."
        wildcards: true
        offenders: request.object.spec.x
`)
	params, _ := c.Examples()
	policy, err := c.Render(ClusterPolicy, params)
	if err != nil {
		t.Fatal(err)
	}
	rule := rulesOf(policy.Body)[0]
	if _, left := rule.Map("validate")["wildcards"]; left {
		t.Error("Kyverno does not know the field wildcards")
	}
	got := rule.Maps("context")[0].String("variable", "jmesPath")
	for _, want := range []string{"regex_replace_all(join('', ['(?m)^('", "request.oldObject && (request.oldObject.spec.x) || `[]`", "'$1[^ ]+$2'", "sort(values(object_from_lists(@, @)))"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nhas no %s", got, want)
		}
	}
}

func TestOffendersRefuses(t *testing.T) {
	tests := map[string]struct{ validate, want string }{
		"a check as well":     {"        message: a\n        offenders: request.object.x\n        deny: {}", "deny: is made from offenders"},
		"existing violations": {"        message: a\n        offenders: request.object.x\n        allowExistingViolations: true", "allowExistingViolations: is made from offenders"},
		"the old object":      {"        message: a\n        offenders: request.oldObject.x", "must be an expression on request.object"},
		"no object":           {"        message: a\n        offenders: x", "must be an expression on request.object"},
		"a list":              {"        message: a\n        offenders: [request.object.x]", "must be an expression on request.object"},
		"a variable":          {"        message: a\n        offenders: \"{{ request.object.x }}\"", "without {{ }}"},
		"another variable":    {"        message: \"{{ offenders }} {{ request.object.x }}\"\n        offenders: request.object.x", "may have one variable"},
		"wildcards as text":   {"        message: a\n        offenders: request.object.x\n        wildcards: all", "wildcards: is true or absent"},
		"wildcards alone":     {"        message: a\n        wildcards: true\n        deny: {}", "wildcards"},
		"twice":               {"        message: \"{{ offenders }} {{ offenders }}\"\n        offenders: request.object.x", "may have one variable"},
		"no message":          {"        offenders: request.object.x", "message: must tell"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := validating(t, tt.validate+"\n")
			params, _ := c.Examples()
			if _, err := c.Render(ClusterPolicy, params); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLines(t *testing.T) {
	split := func(list, replacement string) string {
		return "not_null(split(regex_replace_all('[^\\n]+', join(" + newline + ", (" + list + " || `[]`)[].to_string(@)), " + replacement + "), " + newline + ")[?@])"
	}
	if got, want := each("name", "list"), split("list", "join('', [to_string(name), ' ($0)'] || `[]`)"); got != want {
		t.Errorf("each: %s\nwant %s", got, want)
	}
	if got, want := cross("a", "b"), split("a", "join("+newline+", (b || `[]`)[].join('', ['$0 ', replace_all(to_string(@), '$', '$$')]))"); got != want {
		t.Errorf("cross: %s\nwant %s", got, want)
	}
}
