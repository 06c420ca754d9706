package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// judgeable returns a control with a parameter that one good and one bad document use.
func judgeable(results string) *Control {
	c := &Control{ID: "c", Dir: "controls/c", Background: true, ExampleParameters: map[string]any{"labels": []any{"owner", "team"}}}
	c.Parameters = Schema{Type: "object", AdditionalProperties: false, Properties: map[string]*Schema{
		"labels": {Type: "array", Items: &Schema{Type: "string"}, Default: []any{"owner"}},
		"users":  {Type: "array", Items: &Schema{Type: "string"}, Default: []any{}, From: "deployers"},
	}}
	document := func(name, labels string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: apps, labels: " + labels + "}\n"
	}
	c.good = []byte("# all\n---\n" + document("follows", "<< mapOf .labels \"x\" >>") + "---\n" + document("fixed", "{owner: a, team: b}"))
	c.bad = []byte(document("none", "{}") + "---\n" + document("one", "{owner: a}"))
	c.results = []byte(results)
	return c
}

const sampleResults = `
examples:
  good: {follows: {labels: pass}, fixed: {labels: pass}}
  bad: {none: {labels: fail}, one: {labels: fail}}
defaults:
  good: {follows: {labels: pass}, fixed: {labels: pass}}
  bad: {none: {labels: fail}, one: {labels: pass}}
`

func TestJudged(t *testing.T) {
	tests := []struct {
		name   string
		params map[string]any
		want   string
	}{
		{"the examples", map[string]any{"labels": []any{"owner", "team"}, "users": []any{}}, "follows fixed | none one"},
		{"the defaults, under which a bad document is good", map[string]any{"labels": []any{"owner"}, "users": []any{}}, "follows fixed | none"},
		{"others, to which only a document is fitted", map[string]any{"labels": []any{"cost-centre"}, "users": []any{}}, "follows |"},
		{"other deployers, who do not create the documents", map[string]any{"labels": []any{"owner"}, "users": []any{"flux"}}, "follows fixed | none"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			good, bad, err := judgeable(sampleResults).Judged(tc.params)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, j := range good {
				got = append(got, j.Name)
			}
			got = append(got, "|")
			for _, j := range bad {
				got = append(got, j.Name)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudgedWithoutRecording(t *testing.T) {
	c := judgeable("")
	c.results = nil
	if good, bad, err := c.Judged(map[string]any{"labels": []any{"owner"}, "users": []any{}}); len(good)+len(bad) > 0 || err != nil {
		t.Errorf("%v %v %v", good, bad, err)
	}
	if _, _, err := judgeable("examples: {god: {}}").Judged(nil); err == nil || !strings.Contains(err.Error(), "controls/c/tests/results.yaml") {
		t.Errorf("an unknown field is accepted: %v", err)
	}
}

func TestRecordingsEncode(t *testing.T) {
	want := Recordings{Examples: Recording{Good: Results{"yes": {"r": "pass"}}, Bad: Results{"no": {"r": "fail"}}}}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := judgeable(string(text)).recordings()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
