package impact

import (
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// maxBegins is the number of namespaces that are named of those in which something begins.
const maxBegins = 10

// limitsOf stands for quotas and limit ranges, which are not a control, among what is not
// evaluated.
const limitsOf = "limits"

// closes returns which namespaces default-deny closes at the next stage and not at the
// current one; empty for none. What their Pods connect to is not in the objects.
func closes(now, next plan.Environment) string {
	closed := func(env plan.Environment, n plan.Namespace) bool { return env.Closes(n) == plan.Enforce }
	if names := begins(now, next, closed); names != "" {
		return "closes the network of " + names + ": only what the network rules allow still connects"
	}
	return ""
}

// limits returns in which namespaces a quota or limits begin to hold; empty for none. What
// is used in a cluster, and what a LimitRange makes of a Pod, is not in the objects.
func limits(now, next plan.Environment) string {
	limited := func(_ plan.Environment, n plan.Namespace) bool { return n.Quota != nil || n.LimitRange != nil }
	if names := begins(now, next, limited); names != "" {
		return "the resource quotas and limit ranges of " + names + " begin to hold: compare them with what is used there"
	}
	return ""
}

// begins returns the names of the namespaces of which something is true at the next stage
// and not at the current one, and only the first of a long list.
func begins(now, next plan.Environment, holds func(plan.Environment, plan.Namespace) bool) string {
	held := map[string]bool{}
	for _, n := range now.Namespaces {
		held[n.Name] = holds(now, n)
	}
	var names []string
	for _, n := range next.Namespaces {
		if holds(next, n) && !held[n.Name] {
			names = append(names, n.Name)
		}
	}
	more := ""
	if len(names) > maxBegins {
		more = fmt.Sprintf(" and %d more", len(names)-maxBegins)
		names = names[:maxBegins]
	}
	return strings.Join(names, ", ") + more
}
