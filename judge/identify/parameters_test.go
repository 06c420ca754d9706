package identify

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func TestParameters(t *testing.T) {
	labels := func(names ...any) map[string]map[string]any {
		return map[string]map[string]any{"require-labels": {"labels": names}}
	}
	registries := func(names ...any) map[string]map[string]any {
		return map[string]map[string]any{"restrict-image-registries": {"registries": names}}
	}
	tests := []struct {
		name, spec string
		want       map[string]map[string]any
	}{
		{"labels of a pattern", `{rules: [{validate: {pattern: {metadata: {labels: {team: "?*", "=(other)": x, app: "?*"}}}}}]}`, labels("app", "team")},
		{"labels of an expression", `{validations: [{expression: "'team' in object.metadata.labels && object.metadata.?labels[?'app'].orValue('') != ''"}]}`, labels("app", "team")},
		{"registries of a pattern", `{rules: [{validate: {pattern: {spec: {containers: [{image: "quay.io/acme/* | ghcr.io/* | nginx:1"}]}}}}]}`, registries("ghcr.io", "quay.io/acme")},
		{"registries of an expression", `{validations: [{expression: "object.spec.containers.all(c, c.image.startsWith('ghcr.io/acme/'))"}]}`, registries("ghcr.io/acme")},
		{"labels that are selected", `{rules: [{match: {resources: {selector: {matchLabels: {a: b}}}}, validate: {pattern: {spec: {selector: {labels: {a: b}}}}}}]}`, map[string]map[string]any{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects, err := manifest.Parse([]byte("{apiVersion: v1, kind: P, metadata: {name: p}, spec: " + test.spec + "}"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, parameters(objects[0])); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnippet(t *testing.T) {
	with := func(name string, answer Answer, labels ...any) Policy {
		p := Policy{Name: name, Answer: answer, Controls: []string{"require-labels", "restrict-nodeport"}}
		if labels != nil {
			p.Parameters = map[string]map[string]any{"require-labels": {"labels": labels}}
		}
		return p
	}
	want := `spec:
  controls:
    require-labels: {"parameters":{"labels":["a"]}} # one, two (has other parameters)
    restrict-nodeport: {} # one, two
`
	if diff := cmp.Diff(want, snippet([]Policy{with("none", Different, "c"), with("one", Equal, "a"), with("two", Equal, "b")})); diff != "" {
		t.Errorf("snippet (-want +got):\n%s", diff)
	}
	if got := snippet([]Policy{with("none", Different)}); got != "" {
		t.Errorf("a snippet of nothing: %s", got)
	}
}
