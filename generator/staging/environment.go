package staging

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// checkChanges refuses to accept what is not known yet.
func (e *Environment) checkChanges() {
	if e.source.Changes > e.today() {
		e.Problems.Add(diag.Diagnostic{Code: "changes-future", Position: e.source.At("spec.changes"), Path: "spec.changes",
			Summary: fmt.Sprintf("%s is after today, %s: changes that are not made yet would be accepted", e.source.Changes, e.today()),
			Hint:    "write the day of the last change that you have looked at"})
	}
}

// jumps refuses a field that raises the stage by more than one rung.
func (e *Environment) jumps() {
	if !e.prior.exists || e.source.AllowSkip {
		return
	}
	e.jump("", "spec.stage")
	for _, id := range slices.Sorted(maps.Keys(e.source.Controls)) {
		e.jump(id, "spec.controls["+id+"].stage")
	}
}

func (e *Environment) jump(control, field string) {
	stage, _ := e.source.StageOf(control)
	before := e.prior.stage(control, e.options.Stages)
	if before < 0 || stage <= before+1 {
		return
	}
	e.Problems.Add(diag.Diagnostic{Code: "stage-jump", Position: e.source.At(field), Path: field,
		Summary: fmt.Sprintf("%s is %d rungs above %s, at which %s was built", e.options.Stages[stage].Name, stage-before, e.options.Stages[before].Name, e.source.Name),
		Hint:    fmt.Sprintf("raise it to %s first, or set allowSkip: true", e.options.Stages[before+1].Name)})
}

// pending notes a policy that a tier audits although it shall enforce it.
func (e *Environment) pending(s *staged, tier string) {
	what := policyName(s.Name)
	since := e.auditedSince(s, tier)
	for _, p := range e.Pending {
		if p.What == what {
			return
		}
	}
	effect := "is new here and audited; then it is enforced"
	if len(e.prior.enforced(s.Name, tier)) > 0 {
		effect = "goes on enforcing what it enforced, and audits the change beside it; then the change is enforced"
	}
	e.Pending = append(e.Pending, plan.Pending{What: what, Effect: effect, Since: since})
}

// policyName is how a policy is called among what else may be pending.
func policyName(name string) string { return "policy " + name }

// answered reports whether a field of the environment asked for a change, and was told
// why it does not get it.
func (e *Environment) answered(what string) bool {
	for _, r := range e.asked {
		if slices.ContainsFunc(slices.Concat(r.young, r.unaudited), func(name string) bool { return policyName(name) == what }) {
			return true
		}
	}
	return false
}

// sayPending warns of the changes that begin to wait with this build.
func (e *Environment) sayPending() {
	var fresh []string
	for _, p := range e.Pending {
		if p.Since == e.today() && !e.answered(p.What) {
			fresh = append(fresh, p.What)
		}
	}
	if len(fresh) == 0 || e.Problems.HasErrors() {
		return
	}
	e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "change-pending", Position: e.source.At("spec.stage"), Path: "spec.stage",
		Summary: fmt.Sprintf("%s does not enforce these changes before it accepts them: %s", e.source.Name, Some(fresh)),
		Hint:    "when you have looked at what they report, set changes: " + e.acceptDay()})
}

// acceptDay is the first day with which the environment can accept what is pending now.
func (e *Environment) acceptDay() string {
	day := e.today()
	if used, err := time.Parse(dateLayout, e.source.Changes); err == nil && e.source.Changes >= day {
		day = used.AddDate(0, 0, 1).Format(dateLayout)
	}
	return day
}

// gone says which policies of the last build are no longer on.
func (e *Environment) gone(desired []Desired) {
	var names []string
	for _, f := range e.prior.Policies {
		on := slices.ContainsFunc(desired, func(d Desired) bool { return d.Name == f.Name })
		if !on && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "policy-removed", Position: e.source.At("spec.stage"), Path: "spec",
		Summary: fmt.Sprintf("%s no longer has %s: Flux deletes what belongs to it, and nothing is checked there", e.source.Name, Some(names))})
}

// clusters says which clusters the environment no longer has.
func (e *Environment) clusters() {
	for _, cluster := range e.prior.Clusters {
		if !slices.Contains(e.source.Clusters, cluster) {
			e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "cluster-removed", Position: e.source.At("spec.clusters"), Path: "spec.clusters",
				Summary: fmt.Sprintf("%s no longer has the cluster %s: Flux finds nothing at its path any more, and leaves what it applied there as it is", e.source.Name, cluster),
				Hint:    "if the cluster has a new name, bootstrap it again; if it leaves gatehouse, uninstall first"})
		}
	}
}
