package fluxtree_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// TestUnresolved: a script beside a field with a variable does not hide the field.
func TestUnresolved(t *testing.T) {
	tests := []struct {
		name, object string
		want         string // the first rendering
		paths        []string
	}{
		{"none", `{"a":"x"}`, `{"a":"x"}`, nil},
		{"a part of a text", `{"image":"${R}/web:${T:=1}"}`, `{"image":"unknown/web:unknown"}`, []string{"image", "image"}},
		{"a script", `{"args":["${a[@]} ${HOME}"],"image":"${R}/web"}`, `{"args":["${a[@]} ${HOME}"],"image":"unknown/web"}`, []string{"image"}},
		{"a key", `{"labels":{"${K}":"v"}}`, `{"labels":{"${K}":"v"}}`, []string{""}},
		{"an escape alone", `{"a":"$${R}"}`, `{"a":"$${R}"}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object, _, unknown := fluxtree.Unresolved([]byte(tt.object))
			var paths []string
			for _, u := range unknown {
				paths = append(paths, u.Path)
			}
			if diff := cmp.Diff(tt.paths, paths); diff != "" || string(object) != tt.want {
				t.Errorf("%s\n%s", object, diff)
			}
		})
	}
	_, others, _ := fluxtree.Unresolved([]byte(`{"n":"${N}"}`))
	var got []string
	for _, o := range others {
		got = append(got, string(o))
	}
	if diff := cmp.Diff([]string{`{"n":1}`, `{"n":true}`, `{"n":null}`}, got); diff != "" {
		t.Error(diff)
	}
}
