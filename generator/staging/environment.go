package staging

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
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
		Hint:    fmt.Sprintf("raise it to %s first; if nothing runs there yet, set allowSkip: true", e.options.Stages[before+1].Name)})
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
	if s.enforces(tier) {
		effect = "goes on enforcing what it enforced, and audits the change beside it; then the change is enforced"
	}
	e.Pending = append(e.Pending, plan.Pending{What: what, Effect: effect, Since: since})
}

// leaving notes that policies of another kind, or in another object, enforce the same beside the new ones, which
// are enforced since a day.
func (e *Environment) leaving(s *staged, old Content, since string) {
	what := policyName(s.Name)
	if slices.ContainsFunc(e.Pending, func(p plan.Pending) bool { return p.What == what }) {
		return
	}
	effect := "is enforced by a " + s.Content.Target + ", and still by the " + old.Target + " of before; then that is removed"
	if old.Target == s.Content.Target {
		e.moving = append(e.moving, what)
		effect = "is enforced in another " + old.Target + ", and still in that of before; then it leaves that"
	} else {
		e.both = append(e.both, what)
	}
	e.Pending = append(e.Pending, plan.Pending{What: what, Since: since, Effect: effect})
}

// sayKinds warns of policies of two kinds, on the day from which they are there: those of
// which one audits, and those that enforce the same. It also warns of those in two objects.
func (e *Environment) sayKinds() {
	say := func(of []string, d diag.Diagnostic) {
		fresh := slices.DeleteFunc(slices.Clone(of), func(what string) bool {
			return !slices.ContainsFunc(e.Pending, func(p plan.Pending) bool { return p.What == what && p.Since == e.today() })
		})
		if len(fresh) == 0 || e.Problems.HasErrors() {
			return
		}
		d.Severity, d.Position = diag.Warning, e.source.At(d.Path)
		d.Summary += ": " + Some(fresh)
		e.Problems.Add(d)
	}
	say(e.beside, diag.Diagnostic{Code: "policy-type-beside", Path: "spec.stage",
		Summary: "in " + e.source.Name + ", policies of another kind audit beside those that enforce",
		Hint:    "compare the reports of both kinds; on a later day, go on with gatehouse migrate, or set " + e.acceptDay()})
	say(e.bothChange, diag.Diagnostic{Code: "policy-type-attestors", Path: "spec.stage",
		Summary: "in " + e.source.Name + ", another kind of policies and other attestors come together, and once that is accepted, images need the signatures of both until the old kind is given up",
		Hint:    "change them one after the other; or sign images for both until then"})
	say(e.both, diag.Diagnostic{Code: "policy-type-both", Path: "spec.changes",
		Summary: "in " + e.source.Name + ", policies of two kinds enforce, and what is admitted satisfies both",
		Hint:    "when the new ones are in force in every cluster, remove the old ones: set " + e.acceptDay()})
	say(e.moving, diag.Diagnostic{Code: "policy-moves", Path: "spec.changes",
		Summary: "in " + e.source.Name + ", checks that judge other kinds or operations than before enforce in two policies",
		Hint:    "when the new one is in force in every cluster, remove them from the old one: set " + e.acceptDay()})
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
	var fresh, older []string
	for _, p := range e.Pending {
		switch {
		case e.answered(p.What), slices.Contains(slices.Concat(e.both, e.beside, e.moving), p.What):
		case p.Since == e.today() || e.prior.merged:
			fresh = append(fresh, p.What)
		default:
			older = append(older, p.What+" since "+p.Since)
		}
	}
	if len(fresh) == 0 || e.Problems.HasErrors() {
		return
	}
	summary := fmt.Sprintf("%s does not enforce these changes before it accepts them: %s", e.source.Name, Some(fresh))
	if len(older) > 0 {
		summary += "; these wait already: " + Some(older)
	}
	e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "change-pending", Position: e.source.At("spec.stage"), Path: "spec.stage",
		Summary: summary, Hint: "to accept all of it when you have looked at it, set " + e.acceptDay()})
}

// acceptDay says which value of spec.changes accepts everything that is pending now.
func (e *Environment) acceptDay() string {
	if used, err := time.Parse(dateLayout, e.Locked.Changes); err == nil && e.Locked.Changes >= e.today() {
		next := used.AddDate(0, 0, 1).Format(dateLayout)
		return "changes: " + next + ", from that day on, since " + e.Locked.Changes + " is used"
	}
	return "changes: " + e.today()
}

// sayAccepted warns of a new spec.changes that accepts nothing.
func (e *Environment) sayAccepted() {
	if !e.prior.exists || e.source.Changes <= e.prior.Changes || e.acts || len(e.Pending) == 0 || e.Problems.HasErrors() {
		return
	}
	oldest := e.Pending[0].Since
	for _, p := range e.Pending {
		oldest = min(oldest, p.Since)
	}
	e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "changes-nothing", Position: e.source.At("spec.changes"), Path: "spec.changes",
		Summary: fmt.Sprintf("accepts nothing: the oldest change that waits in %s is of %s", e.source.Name, oldest), Hint: "write a later day"})
}

// oldLock warns of a lock that does not have what the last build enforced, kept and
// exempted: nothing can be compared with it.
func (e *Environment) oldLock() {
	nameless := func(f manifest.LockedPolicy) bool { return f.Action == plan.Enforce.String() && f.Content == "" }
	if !e.prior.exists || !slices.ContainsFunc(e.options.Prior.Policies, nameless) || e.Problems.HasErrors() {
		return
	}
	e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "lock-old", Position: e.source.At("spec.stage"), Path: "spec.stage",
		Summary: fmt.Sprintf("the lock of %s is of an older gatehouse: what policies, exceptions and networks were is not in it, and what changed since takes effect at once", e.source.Name),
		Hint:    "first build the source of the commit that has this lock, and commit the output; then build what changed"})
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

// clusters says which clusters the environment no longer has, and which are new.
func (e *Environment) clusters() {
	for _, cluster := range e.prior.Clusters {
		if !e.has(cluster) {
			e.clusterGone(cluster, e.options.Clusters[cluster])
		}
	}
	enforces := slices.ContainsFunc(e.Locked.Policies, func(f manifest.LockedPolicy) bool { return f.Action == plan.Enforce.String() })
	for _, cluster := range e.source.Clusters {
		if enforces && e.prior.knowsNamespaces() && !slices.Contains(e.prior.Clusters, cluster) {
			e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "cluster-added", Position: e.source.At("spec.clusters"), Path: "spec.clusters",
				Summary: fmt.Sprintf("the cluster %s is new in %s, which enforces: what runs in it was never audited there", cluster, e.source.Name),
				Hint:    "ask gatehouse impact about it before bootstrap, or let it begin in an environment of its own"})
		}
	}
}

// clusterGone says that a cluster is in another environment now, or in none.
func (e *Environment) clusterGone(cluster, now string) {
	d := diag.Diagnostic{Severity: diag.Warning, Code: "cluster-removed", Position: e.source.At("spec.clusters"), Path: "spec.clusters",
		Summary: fmt.Sprintf("%s no longer has the cluster %s: Flux finds nothing at its path any more, and leaves what it applied there as it is", e.source.Name, cluster),
		Hint:    "if the cluster has a new name, bootstrap it again; if it leaves gatehouse, uninstall first"}
	if now != "" {
		d.Summary = fmt.Sprintf("the cluster %s moved from %s to %s, which decides from this build on what is enforced there", cluster, e.source.Name, now)
		d.Hint = fmt.Sprintf("what was audited there under %s does not count in %s; compare what both enforce", e.source.Name, now)
	}
	e.Problems.Add(d)
}
