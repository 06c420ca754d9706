package migration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

const file = `# dev
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
---
kind: Environment
metadata:
  name: prod # ours
spec:
  ring: 2
  overrides:
    # why
    kyverno: {policyType: ClusterPolicy}
    network: {}
`

// TestEdit: each step changes one field of the one environment, and leaves no empty mapping.
func TestEdit(t *testing.T) {
	tests := []struct {
		name      string
		way       Way
		inherited string
		what      string
		old, new  string // the lines that change
	}{
		{"the kind", Way{Environment: "prod", To: "ValidatingPolicy"}, "ClusterPolicy", "spec.overrides.kyverno.policyType: ValidatingPolicy", "{policyType: ClusterPolicy}", "{policyType: ValidatingPolicy}"},
		{"the kind of the profile", Way{Environment: "prod", To: "ValidatingPolicy"}, "ValidatingPolicy", "without spec.overrides.kyverno.policyType", "    # why\n    kyverno: {policyType: ClusterPolicy}\n", ""},
		{"the kind, in flow style", Way{Environment: "dev", To: "ValidatingPolicy"}, "ClusterPolicy", "spec.overrides.kyverno.policyType: ValidatingPolicy", "stage: audit}", "stage: audit, overrides: {kyverno: {policyType: ValidatingPolicy}}}"},
		{"the day since", Way{Environment: "dev", To: "ValidatingPolicy", Place: Beside, Since: "2026-11-02", used: "2026-10-01"}, "", "spec.changes: 2026-11-02", "stage: audit}", `stage: audit, changes: "2026-11-02"}`},
		{"a day after the last", Way{Environment: "dev", To: "ValidatingPolicy", Place: Both, Since: "2026-11-02", used: "2026-11-30"}, "", "spec.changes: 2026-12-01", "stage: audit}", `stage: audit, changes: "2026-12-01"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, what, err := test.way.Edit([]byte(file), test.inherited)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Replace(file, test.old, test.new, 1), string(got)); diff != "" || what != test.what {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		})
	}
	if _, _, err := (Way{Environment: "other", To: "ValidatingPolicy", File: "f.yaml"}).Edit([]byte(file), ""); err == nil || !strings.HasPrefix(err.Error(), "f.yaml: ") {
		t.Errorf("an environment that is not there: %v", err)
	}
}

// TestRefused: what is in the way of a step, and when it can be taken.
func TestRefused(t *testing.T) {
	dev := Way{Environment: "dev", Ring: 1, From: "ClusterPolicy", To: "ValidatingPolicy", Place: Beside, Since: "2026-11-02"}
	prod := Way{Environment: "prod", Ring: 2, From: "ClusterPolicy", To: "ValidatingPolicy", Place: Beside, Since: "2026-11-02", used: "2026-11-01"}
	with := func(w Way, change func(*Way)) Way {
		change(&w)
		return w
	}
	tests := []struct {
		name string
		way  Way
		ways []Way
		day  string
		want string // empty: not refused
	}{
		{"alone", prod, nil, "2026-11-03", ""},
		{"the same ring", prod, []Way{with(dev, func(w *Way) { w.Ring = 2 })}, "2026-11-03", ""},
		{"an earlier ring at the same place", prod, []Way{dev}, "2026-11-03", "earlier ring"},
		{"allowed ahead", with(prod, func(w *Way) { w.AllowAhead = true }), []Way{dev}, "2026-11-03", ""},
		{"an earlier ring that is further", prod, []Way{with(dev, func(w *Way) { w.Place = Both })}, "2026-11-03", ""},
		{"an earlier ring, on the way back", with(prod, func(w *Way) { w.From, w.To = w.To, w.From }), []Way{with(dev, func(w *Way) { w.To = "ClusterPolicy" })}, "2026-11-03", ""},
		{"the same day", prod, nil, "2026-11-02", "go on from 2026-11-03"},
		{"a day before the step", prod, nil, "2026-10-30", "is of 2026-11-02, which is later"},
		{"a day that is used", with(prod, func(w *Way) { w.used = "2026-11-03" }), nil, "2026-11-03", "go on from 2026-11-04"},
		{"other changes of the day", with(prod, func(w *Way) { w.waits = []waits{{"namespace shop", "2026-11-02"}} }), nil, "2026-11-03", "would also accept: namespace shop"},
		{"other changes that came later", with(prod, func(w *Way) { w.waits = []waits{{"namespace shop", "2026-11-03"}} }), nil, "2026-11-03", ""},
		{"at first, a policy that waits", with(prod, func(w *Way) { w.Place, w.waits = Before, []waits{{"policy a", "2026-11-02"}} }), nil, "2026-11-03", "wait there already: policy a"},
		{"at first, a namespace that waits", with(prod, func(w *Way) { w.Place, w.waits = Before, []waits{{"namespace a", "2026-11-02"}} }), nil, "2026-11-03", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if refused := test.way.Refused(test.ways, test.day); refused != nil {
				got = refused.Error()
			}
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("refused with %q, not %q", got, test.want)
			}
		})
	}
}

// TestOnlyKind: a policy that has other parameters or keys waits for more than its kind. What
// is held has the keys in it.
func TestOnlyKind(t *testing.T) {
	one := func(parameters map[string]any, attestors ...plan.Attestor) *plan.Policy {
		p := &plan.Policy{Control: &catalog.Control{ID: "a"}, Parameters: parameters}
		if attestors != nil {
			p.Image = &plan.Image{References: []string{"ghcr.io/acme/*"}, Count: 1, Attestors: attestors}
		}
		return p
	}
	trust := []plan.TrustObject{{Kind: "ConfigMap", Name: "keys", Data: map[string]string{"a.pub": "PEM"}}}
	file := plan.Attestor{Name: "a", ConfigMap: "keys", ConfigMapKey: "a.pub"}
	for name, test := range map[string]struct {
		old, new *plan.Policy
		want     bool
	}{
		"nothing":            {one(nil), one(map[string]any{}), true},
		"parameters":         {one(map[string]any{"a": []any{"b"}}), one(map[string]any{"a": []any{"b"}}), true},
		"other parameters":   {one(map[string]any{"a": []any{"b"}}), one(map[string]any{"a": []any{"c"}}), false},
		"an image rule":      {one(nil, file), one(nil, file), true},
		"a key that is held": {one(nil, plan.Attestor{Name: "a", PublicKeys: "PEM"}), one(nil, file), true},
		"another key":        {one(nil, plan.Attestor{Name: "a", PublicKeys: "OTHER"}), one(nil, file), false},
		"nothing new":        {one(nil), nil, false},
	} {
		if got := (&policy{test.old, test.new}).onlyKind(trust); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
