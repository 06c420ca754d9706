package staging

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Leftovers refuses to build for a Kyverno that does not execute what the last build left in
// the clusters of the environment, or for none: what that enforces would end in silence.
// ids are the objects of the last build of each environment; policies are those of this one.
//
// What is only audited counts, too, so that it goes while its Kyverno is still there.
func (e *Environment) Leftovers(now plan.Kyverno, ids map[string][]string, policies []plan.Policy) {
	held := slices.ContainsFunc(policies, func(p plan.Policy) bool { return !now.Runs(p.Target) })
	for _, name := range slices.Sorted(maps.Keys(e.options.All)) {
		if !e.takes(name) {
			continue
		}
		var left []string
		moved := false // to what is executed
		for _, id := range ids[name] {
			kind, object, ok := kinds.ParseID(id)
			if ok && !now.Executes(kind) {
				left = append(left, kind.Kind+"/"+object)
			}
			moved = moved || ok && kind.Kind == now.PolicyType
		}
		if len(left) > 0 {
			e.leftover(name, now, left, missing(now, moved, held && name == e.source.Name))
		}
	}
}

func (e *Environment) leftover(environment string, now plan.Kyverno, left []string, step string) {
	field, who := "version", "Kyverno "+now.Version+" does not execute"
	if now.Absent {
		field, who = "install", "nothing executes without Kyverno"
	}
	slices.Sort(left)
	e.kyverno(field, diag.Diagnostic{Code: "kyverno-needed",
		Summary: fmt.Sprintf("the last build of %s left what %s: %s", environment, who, Some(slices.Compact(left))),
		Hint:    step + "; then change this in a build of its own"})
}

// missing names the step that is missing: to another kind of policies if what was built is
// not moved, to give up what is still held of the old kind, or to build once more.
func missing(now plan.Kyverno, moved, held bool) string {
	before := "with version " + v1alpha1.KyvernoVersion + ", "
	if now.Absent {
		before = "with the Kyverno of before, "
	}
	switch {
	case !moved:
		return before + "set policyType: " + now.PolicyType + ", and go over in its steps (docs/policy-types.md#from-one-kind-to-another)"
	case held:
		return before + "accept by spec.changes what waits, until the board has no policy of two kinds"
	}
	return before + "build once more, and let Flux remove them"
}
