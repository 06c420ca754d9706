package migration

import (
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/staging"
)

// Lines describes the way: where the environment is, its steps, and what is in the way of
// the next one.
func (w Way) Lines(refused *Refusal) []string {
	lines := []string{fmt.Sprintf("%s (ring %d): %s", w.Environment, w.Ring, w.At())}
	if len(w.Stays) > 0 {
		lines = append(lines, "  cannot be "+plural(w.To)+": "+staging.Some(w.Stays))
	}
	if w.Place == Done {
		return append(lines, w.upgrade("  next  ")...)
	}
	for i, does := range w.steps() {
		mark := "    "
		switch at := Place(i); {
		case at < w.Place:
			mark = "done"
		case at == w.Place && refused == nil:
			mark = "next"
		case at == w.Place:
			mark = "wait"
		}
		lines = append(lines, fmt.Sprintf("  %s  %d. %s", mark, i+1, does))
	}
	lines = append(lines, w.upgrade(fmt.Sprintf("        %d. ", len(w.steps())+1))...)
	if refused != nil {
		lines = append(lines, "  "+refused.Error())
	}
	return lines
}

// upgrade returns the step to the version of Kyverno that the way leads to, if there is one.
func (w Way) upgrade(mark string) []string {
	if w.Kyverno == "" {
		return nil
	}
	line := fmt.Sprintf("%sspec.kyverno.version: %q, in a build of its own: it executes no ClusterPolicy", mark, w.Kyverno)
	if len(w.Legacy) > 0 {
		line += "; before, switch off what stays one: " + staging.Some(w.Legacy)
	}
	return []string{line}
}

// steps says what each step changes, and what it does.
func (w Way) steps() []string {
	from, to := plural(w.From), plural(w.To)
	switch {
	case w.Place == Before && w.First == Done:
		return []string{fieldPolicyType + ": " + w.To + ": " + from + ", which enforce nothing, are removed"}
	case w.Place == Before && w.First == Both:
		return []string{
			fieldPolicyType + ": " + w.To + ": both go on enforcing",
			fieldChanges + ": a later day: " + from + " are removed",
		}
	}
	return []string{
		fieldPolicyType + ": " + w.To + ": " + to + " audit beside " + from + ", which go on enforcing",
		fieldChanges + ": the day since when they audit: both enforce",
		fieldChanges + ": a later day: " + from + " are removed",
	}
}

// Error says why the step is refused, and when it can be taken.
func (r *Refusal) Error() string { return r.Why + "; " + r.When }

// Next says what to look at before the next step, after the one that led here, and how to
// go back. from is the kind that the environment had before.
func (w Way) Next(from string) []string {
	var lines []string
	switch w.Place {
	case Beside:
		lines = []string{"commit this, and let Flux apply it; then compare the reports of both kinds in each cluster (kubectl get policyreports -A -o yaml)"}
	case Both:
		lines = []string{"commit this, and let Flux apply it; then see that the new policies are in force in each cluster (flux get kustomization gatehouse-policies; kubectl get " + resource(w.To) + ")"}
	case Done:
		return []string{"commit this, and let Flux apply it: that was the last step", w.goBack(from)}
	}
	return append(lines, "next step: the same command, on a later day", w.goBack(from))
}

func (w Way) goBack(from string) string {
	return "back: git revert this commit, or gatehouse migrate --to " + from
}

// resource is the name of a kind for kubectl.
func resource(kind string) string {
	out := strings.ToLower(plural(kind))
	if kind == catalog.ValidatingPolicy { // image rules have a kind of their own
		out += ",imagevalidatingpolicies"
	}
	return out
}
