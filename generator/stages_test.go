package generator_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// TestWithStages bumps the later ring only, which a build would refuse.
func TestWithStages(t *testing.T) {
	source := fstest.MapFS{"all.yaml": {Data: []byte(`apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec: {controls: {disallow-host-path: {}}}
---
kind: Environment
metadata: {name: staging}
spec: {ring: 1, stage: audit}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 2, stage: audit}
`)}}
	tests := []struct {
		name   string
		stages map[string]string
		want   map[string]plan.Action // of the platform tier, by environment
	}{
		{"as written", nil, map[string]plan.Action{"staging": plan.Audit, "prod": plan.Audit}},
		{"later ring ahead", map[string]string{"prod": "enforce-platform"}, map[string]plan.Action{"staging": plan.Audit, "prod": plan.Enforce}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bundle, problems := generator.Compile(source, ".", generator.Options{Unstaged: true})
			if tt.stages != nil {
				bundle, problems = bundle.WithStages(tt.stages)
			}
			if problems.HasErrors() {
				t.Fatal(problems.Err())
			}
			got := map[string]plan.Action{}
			for _, env := range bundle.Plan.Environments {
				got[env.Name] = env.Policies[0].Actions["platform"]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	bundle, _ := generator.Compile(source, ".", generator.Options{Unstaged: true})
	if _, problems := bundle.WithStages(map[string]string{"prod": "nowhere"}); !problems.HasErrors() {
		t.Error("an unknown stage is accepted")
	}
}
