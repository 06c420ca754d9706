package staging

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// request is what one field of the environment asks for: to enforce more.
type request struct {
	// granted, young and unaudited list the policies that are enforced, that were not
	// audited for long enough, and that were not audited at all.
	granted, young, unaudited []string
	// since is the last day since which one of the granted or young is audited.
	since string
}

// ask notes that a field asks to enforce a policy.
func (e *Environment) ask(field, policy, since string, granted, audited bool) {
	r := e.asked[field]
	if r == nil {
		r = &request{}
		e.asked[field] = r
	}
	list := &r.unaudited
	switch {
	case granted:
		list = &r.granted
		e.acts = true
	case audited:
		list = &r.young
	}
	if !slices.Contains(*list, policy) {
		*list = append(*list, policy)
	}
	if audited {
		r.since = max(r.since, since)
	}
}

// answer refuses a field that gets nothing of what it asks for, and warns about what a
// field does not get.
func (e *Environment) answer(field string, r *request) {
	report := func(severity diag.Severity, code, hint, format string, args ...any) {
		e.Problems.Add(diag.Diagnostic{Severity: severity, Code: code, Position: e.source.At(field), Path: field,
			Summary: fmt.Sprintf(format, args...), Hint: hint})
	}
	name := e.source.Name
	switch {
	case len(r.granted) == 0 && len(r.young) == 0:
		hint := "build and apply an audit stage first; if nothing runs there yet, set allowSkip: true"
		if !e.prior.exists {
			hint += "; if it was built before, the output is another folder, or has lost its gatehouse.lock: restore it from Git"
		}
		report(diag.Error, "stage-skip", hint,
			"would enforce what was never audited in %s: %s", name, Some(r.unaudited))
	case len(r.granted) == 0 || len(r.young) > 0 && field == "spec.changes":
		report(diag.Error, "soak", "wait until "+e.soakedOn(r.since)+", or ask for less",
			"%s has audited %s only since %s, and spec.rollout.soak of the profile is %dd", name, Some(r.young), r.since, int(e.options.Soak.Hours())/24)
	case len(r.young)+len(r.unaudited) > 0:
		report(diag.Warning, "change-pending", "when it has, set spec.changes to the day of that build",
			"%s goes on auditing what it has not audited for long enough: %s", name, Some(slices.Concat(r.unaudited, r.young)))
	case r.since == e.today() && !e.source.AllowSkip:
		report(diag.Warning, "audit-short", "look at the reports of the clusters first; spec.rollout.soak of the profile asks for a minimum",
			"%s has audited this only since today: %s", name, Some(r.granted))
	}
}

// soakedOn is the day on which what is audited since a day may be enforced.
func (e *Environment) soakedOn(since string) string {
	day, err := time.Parse(dateLayout, since)
	if err != nil {
		return since // of an older gatehouse, which did not note days
	}
	return day.Add(e.options.Soak).Format(dateLayout)
}

// Some returns names as text, and only the first few of a long list.
func Some(names []string) string {
	if len(names) <= 4 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}
