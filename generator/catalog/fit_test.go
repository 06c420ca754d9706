package catalog_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// TestFit checks that the author's verdicts are certain for the examples, for recorded cases with the defaults, and if a document uses what differs.
func TestFit(t *testing.T) {
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	all, _ := catalog.New(set)
	tests := []struct {
		name, control string
		params        map[string]any // nil for the examples
		differing     []string
		document      string // a bad one
		sure          bool
	}{
		{"examples", "require-labels", nil, nil, "only-the-first", true},
		{"defaults, recorded", "require-labels", map[string]any{}, []string{"labels"}, "no-labels", true},
		{"defaults, not bad with them", "require-labels", map[string]any{}, []string{"labels"}, "only-the-first", false},
		{"others", "require-labels", map[string]any{"labels": []any{"team"}}, []string{"labels"}, "no-labels", false},
		{"a control without parameters", "disallow-host-namespaces", map[string]any{}, nil, "host-network", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			control, _ := all.Control(test.control)
			params, found := control.Examples()
			if test.params != nil {
				params, found = control.ResolveParameters(test.params, func(string) (any, bool) { return nil, false })
			}
			if len(found) > 0 {
				t.Fatal(found)
			}
			sure, differing, err := control.Fit(params)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.differing, differing, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("differing (-want +got):\n%s", diff)
			}
			_, bad, err := control.Tests(params)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(bad, func(c catalog.Case) bool { return c.Name == test.document })
			if i < 0 {
				t.Fatalf("there is no document %s", test.document)
			}
			if got := sure(bad[i], true); got != test.sure {
				t.Errorf("sure is %v, want %v", got, test.sure)
			}
		})
	}
}

// TestFitUses checks that a document that uses every parameter that differs is certain.
func TestFitUses(t *testing.T) {
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	all, _ := catalog.New(set)
	control, _ := all.Control("restrict-image-registries")
	params, _ := control.ResolveParameters(map[string]any{"registries": []any{"quay.io/acme"}}, func(string) (any, bool) { return nil, false })
	sure, _, err := control.Fit(params)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		parameters []string
		want       bool
	}{{[]string{"registries"}, true}, {nil, false}} {
		if got := sure(catalog.Case{Name: "x", Parameters: c.parameters}, false); got != c.want {
			t.Errorf("a document that uses %v: sure is %v", c.parameters, got)
		}
	}
}
