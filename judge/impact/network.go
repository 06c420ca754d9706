package impact

import (
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// maxClosed is the number of namespaces that closes names.
const maxClosed = 10

// closes returns which namespaces default-deny closes at the next stage and not at the
// current one; empty for none. What their Pods connect to is not in the objects.
func closes(now, next plan.Environment) string {
	closed := map[string]bool{}
	for _, n := range now.Namespaces {
		closed[n.Name] = now.Closes(n) == plan.Enforce
	}
	var names []string
	for _, n := range next.Namespaces {
		if next.Closes(n) == plan.Enforce && !closed[n.Name] {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > maxClosed {
		more = fmt.Sprintf(" and %d more", len(names)-maxClosed)
		names = names[:maxClosed]
	}
	return "closes the network of " + strings.Join(names, ", ") + more + ": only what the network rules allow still connects"
}
