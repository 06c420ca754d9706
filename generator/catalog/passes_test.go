package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPasses negates the conditions of rules, in every place in which a Pod is.
func TestPasses(t *testing.T) {
	condition := func(key, operator string, value any) map[string]any {
		return map[string]any{"key": key, "operator": operator, "value": value}
	}
	policy := func(rule map[string]any) Policy {
		rule["name"] = "r"
		return Policy{Body: map[string]any{"spec": map[string]any{"rules": []any{rule}}}}
	}
	denies := func(list string, conditions ...any) map[string]any {
		return map[string]any{"validate": map[string]any{"deny": map[string]any{"conditions": map[string]any{list: conditions}}}}
	}
	const key = "{{ length(request.object.spec.containers[?x] || request.oldObject.metadata.labels || `[]`) }}"
	ofVariable := denies("any", condition("{{ length(offenders) }}", "GreaterThan", int64(0)))
	ofVariable["context"] = []any{map[string]any{"name": "offenders", "variable": map[string]any{"jmesPath": "request.object.spec.a | sort(@)"}}}
	ofAPI := denies("any", condition("{{ x }}", "Equals", true))
	ofAPI["context"] = []any{map[string]any{"name": "x", "apiCall": map[string]any{"urlPath": "/api"}}}
	ofPattern := map[string]any{"validate": map[string]any{"pattern": map[string]any{"spec": "*"}}}
	sometimes := denies("any", condition(key, "Equals", "x"))
	sometimes["preconditions"] = map[string]any{}
	for name, tt := range map[string]struct {
		rule map[string]any
		name string
		want [][]map[string]any
	}{
		"none of any":    {denies("any", condition(key, "GreaterThan", int64(0)), condition(key, "AnyIn", "x")), "r", [][]map[string]any{{condition(key, "LessThanOrEquals", int64(0)), condition(key, "AllNotIn", "x")}}},
		"not all":        {denies("all", condition(key, "Equals", "x"), condition(key, "LessThan", int64(1))), "r", [][]map[string]any{{condition(key, "NotEquals", "x")}, {condition(key, "GreaterThanOrEquals", int64(1))}}},
		"a Pod of a Job": {denies("any", condition(key, "Equals", "x")), "autogen-r", [][]map[string]any{{condition("{{ length(request.object.spec.template.spec.containers[?x] || request.oldObject.spec.template.metadata.labels || `[]`) }}", "NotEquals", "x")}}},
		"a Pod of a CronJob": {denies("any", condition(key, "Equals", "x")), "autogen-cronjob-r",
			[][]map[string]any{{condition("{{ length(request.object.spec.jobTemplate.spec.template.spec.containers[?x] || request.oldObject.spec.jobTemplate.spec.template.metadata.labels || `[]`) }}", "NotEquals", "x")}}},
		"a variable":         {ofVariable, "autogen-r", [][]map[string]any{{condition("{{ length((request.object.spec.template.spec.a | sort(@))) }}", "LessThanOrEquals", int64(0))}}},
		"a look-up":          {ofAPI, "r", nil},
		"a pattern":          {ofPattern, "r", nil},
		"a precondition":     {sometimes, "r", nil},
		"a text":             {denies("any", condition("x", "Equals", "x")), "r", nil},
		"a strange operator": {denies("any", condition(key, "In", "x")), "r", nil},
		"another rule":       {denies("any", condition(key, "Equals", "x")), "s", nil},
	} {
		got, ok := policy(tt.rule).Passes(tt.name)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.want != nil) {
			t.Errorf("%s: ok %v (-want +got)\n%s", name, ok, diff)
		}
	}
}
