package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func nothing(string) (any, bool) { return nil, false }

func allowed(source string) (any, bool) {
	return []string{"ghcr.io/x"}, source == "registries.allowed"
}

func TestResolveParameters(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	user := map[string]any{
		"names":      []any{"a", "x:y"},
		"count":      3,
		"on":         nil,
		"limits":     map[string]any{"cpu": "2"},
		"labels":     map[string]any{"owner": "me"},
		"registries": []any{"quay.io"},
	}
	tests := map[string]struct {
		user    map[string]any
		derived func(string) (any, bool)
		want    map[string]any
	}{
		"defaults and the profile": {nil, allowed, map[string]any{
			"names": []any{"bad"}, "registries": []any{"ghcr.io/x"}, "mode": "strict", "count": int64(2), "on": true,
			"limits": map[string]any{"cpu": "100m", "memory": "64Mi"}, "labels": map[string]any{"team": "ops"},
		}},
		"the user before the profile": {user, allowed, map[string]any{
			"names": []any{"a", "x:y"}, "registries": []any{"quay.io"}, "mode": "strict", "count": int64(3), "on": true,
			"limits": map[string]any{"cpu": "2", "memory": "64Mi"}, "labels": map[string]any{"owner": "me"},
		}},
		"defaults of nested properties": {map[string]any{"registries": []any{"a"}, "limits": map[string]any{"memory": "1Mi"}}, nothing, map[string]any{
			"names": []any{"bad"}, "registries": []any{"a"}, "mode": "strict", "count": int64(2), "on": true,
			"limits": map[string]any{"cpu": "100m", "memory": "1Mi"}, "labels": map[string]any{"team": "ops"},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, problems := c.ResolveParameters(tt.user, tt.derived)
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if user["on"] != nil || user["limits"].(map[string]any)["memory"] != nil {
		t.Error("ResolveParameters changed its argument")
	}
}

func TestResolveParametersProblems(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	tests := map[string]struct {
		user map[string]any
		want string
	}{
		"unknown":               {map[string]any{"nmaes": []any{}}, `nmaes: unknown parameter of sample (did you mean "names"?)`},
		"wrong type":            {map[string]any{"on": "yes"}, `on: must be a boolean, not the string "yes"`},
		"a value for a list":    {map[string]any{"names": "a"}, `names: must be an array, not the string "a"`},
		"a list for a value":    {map[string]any{"mode": []any{"strict"}}, "mode: must be a string, not a list"},
		"a fraction":            {map[string]any{"count": 1.5}, "count: must be an integer, not 1.5"},
		"a null in a list":      {map[string]any{"names": []any{nil}}, "names[0]: must be a string, not empty"},
		"pattern":               {map[string]any{"names": []any{"ok", "A"}}, `names[1]: "A" does not match`},
		"pattern, whole string": {map[string]any{"names": []any{"aXX"}}, `names[0]: "aXX" does not match`},
		"pattern, other branch": {map[string]any{"names": []any{"XXx:y"}}, `names[0]: "XXx:y" does not match`},
		"pattern, line feed":    {map[string]any{"names": []any{"a\n"}}, `names[0]: "a\n" contains`},
		"enum":                  {map[string]any{"mode": "stric"}, `mode: unsupported value "stric" (did you mean "strict"?)`},
		"minimum":               {map[string]any{"count": int64(0)}, "count: 0 is less than 1"},
		"maximum":               {map[string]any{"count": int64(6)}, "count: 6 is more than 5"},
		"minItems":              {map[string]any{"names": []any{}}, "names: has 0 items, but needs at least 1"},
		"maxItems":              {map[string]any{"names": []any{"a", "b", "c", "d"}}, "names: has 4 items, but at most 3 are allowed"},
		"unknown nested":        {map[string]any{"limits": map[string]any{"cpus": "1"}}, `limits.cpus: unknown field (did you mean "cpu"?)`},
		"wrong nested":          {map[string]any{"limits": map[string]any{"cpu": "x"}}, "limits.cpu: "},
		"wrong value of a key":  {map[string]any{"labels": map[string]any{"a": "A"}}, "labels[a]: "},
		"an anchor as a key":    {map[string]any{"labels": map[string]any{"X(a)": "a"}}, "labels: the key"},
		"an expression's end":   {map[string]any{"names": []any{"a'"}}, `contains "'", which has a special meaning`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := c.ResolveParameters(tt.user, allowed)
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.want) {
				t.Errorf("want one problem with %q, got %v", tt.want, problems)
			}
		})
	}
}

func TestResolveParametersNeedsTheProfile(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	_, problems := c.ResolveParameters(nil, nothing)
	want := "registries: has 0 items, but needs at least 1 (set it, or registries.allowed of the profile)"
	if len(problems) != 1 || problems[0].Error() != want {
		t.Errorf("want %q, got %v", want, problems)
	}
	_, problems = c.ResolveParameters(map[string]any{"names": "a", "count": 9}, nothing)
	if len(problems) != 3 {
		t.Errorf("want all three problems, got %v", problems)
	}
}

func TestUnsafeCharacters(t *testing.T) {
	s := Schema{Type: "string"}
	for _, v := range []string{"a'b", "a`b", `a"b`, "a{b", "a}b", "a\nb", `a\`} {
		if len(s.validate("p", v)) == 0 {
			t.Errorf("%q is accepted", v)
		}
	}
	for _, v := range []string{"", `a\.b`, "^a+(b|c)$", "ü", "a/b:c@d"} {
		if p := s.validate("p", v); len(p) > 0 {
			t.Errorf("%q is refused: %v", v, p)
		}
	}
}
