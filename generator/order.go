package generator

import (
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// stageAction is what a stage of the ladder does to a tier.
func stageAction(s v1alpha1.Stage, tier string) plan.Action {
	switch {
	case slices.Contains(s.Enforce, tier):
		return plan.Enforce
	case slices.Contains(s.Audit, tier):
		return plan.Audit
	}
	return plan.Off
}
