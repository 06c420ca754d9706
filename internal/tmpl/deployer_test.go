package tmpl

import (
	"strings"
	"testing"
)

func TestFromDeployer(t *testing.T) {
	applier := func(user, label, namespace any) any {
		return map[string]any{"user": user, "label": label, "namespace": namespace}
	}
	for name, tt := range map[string]struct {
		users, groups, appliers any
		want, err               string
	}{
		"no one":           {[]any{}, []any{}, []any{}, "`false`", ""},
		"users":            {[]any{"a", "b"}, []any{}, []any{}, "contains(`[\"a\",\"b\"]`, request.userInfo.username || '')", ""},
		"groups":           {[]string{}, []any{"g"}, []any{}, "length((request.userInfo.groups || `[]`)[?contains(`[\"g\"]`, @)]) > `0`", ""},
		"an applier":       {[]any{}, []any{}, []any{applier("u", "l/n", "ns")}, `request.userInfo.username == 'u' && (request.operation == 'DELETE' && request.oldObject || request.object).metadata.labels."l/n" == 'ns'`, ""},
		"all are joined":   {[]any{"a"}, []any{"g"}, []any{applier("u", "l", "n")}, " || length(", ""},
		"an expression":    {[]any{"a`, 'x') || contains(`[]"}, []any{}, []any{}, "", "is not a name"},
		"a quoted group":   {[]any{}, []any{`g"`}, []any{}, "", "is not a name"},
		"a quoted account": {[]any{}, []any{}, []any{applier("u' == 'u", "l", "n")}, "", "user is not a name"},
		"a quoted label":   {[]any{}, []any{}, []any{applier("u", `l"`, "n")}, "", "label is not a name"},
		"no namespace":     {[]any{}, []any{}, []any{map[string]any{"user": "u", "label": "l"}}, "", "namespace is not a name"},
		"a name alone":     {[]any{}, []any{}, []any{"u"}, "", "is not an applier"},
		"no list":          {"a", []any{}, []any{}, "", "is not a list of strings"},
		"no appliers":      {[]any{}, []any{}, nil, "", "is not a list of appliers"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fromDeployer(tt.users, tt.groups, tt.appliers)
			switch {
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("%q, want an error with %q, got %v", got, tt.err, err)
			case tt.err == "" && (err != nil || !strings.Contains(got, tt.want)):
				t.Errorf("got %q and %v, want %q", got, err, tt.want)
			}
		})
	}
}
