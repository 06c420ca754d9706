package board

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// maxListed is the number of namespaces that the board lists for one tier and state, and of
// those with limits.
const maxListed = 50

// networks writes which namespaces of an environment default-deny closes, and which it
// would close if it were enforced: a NetworkPolicy cannot audit, so there is no report
// of what it would refuse.
func networks(b *strings.Builder, tiers []string, env plan.Environment) {
	listed := map[string]map[plan.Action][]string{}
	closes := false
	for _, n := range env.Namespaces {
		action := env.Closes(n)
		if listed[n.Tier] == nil {
			listed[n.Tier] = map[plan.Action][]string{}
		}
		listed[n.Tier][action] = append(listed[n.Tier][action], allowed(n))
		closes = closes || action != plan.Off
	}
	if !closes {
		return
	}
	b.WriteString("\nNetwork, by default-deny. In parentheses: the rules that allow something, DNS aside.\n\n")
	t := markdown.NewTable(b, "Tier", "Closed", "Would be closed", "Open")
	for _, tier := range tiers {
		if of := listed[tier]; of != nil {
			t.Row(tier, some(of[plan.Enforce]), some(of[plan.Audit]), some(of[plan.Off]))
		}
	}
}

// allowed returns the name of a namespace, with the number of its rules unless it is open.
func allowed(n plan.Namespace) string {
	if n.Network == nil {
		return n.Name
	}
	return fmt.Sprintf("%s (%d)", n.Name, len(n.Network.Ingress)+len(n.Network.Egress))
}

// some returns the names as text, and only the first of a long list.
func some(names []string) string {
	if len(names) <= maxListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
}

// limits writes which namespaces of an environment have a quota or a limit range, and which
// will have one: neither can audit.
func limits(b *strings.Builder, env plan.Environment) {
	var lines []string
	for _, n := range env.Namespaces {
		var parts []string
		for _, resource := range slices.Sorted(maps.Keys(n.Quota)) {
			parts = append(parts, resource+" "+n.Quota[resource])
		}
		if n.LimitRange != nil {
			parts = append(parts, "a limit range")
		}
		if n.Unlimited {
			parts = append(parts, "more is not applied yet")
		}
		if parts != nil {
			lines = append(lines, fmt.Sprintf("- %s: %s", n.Name, strings.Join(parts, ", ")))
		}
	}
	if len(lines) == 0 {
		return
	}
	b.WriteString("\nResource quotas and limit ranges:\n\n" + strings.Join(lines[:min(len(lines), maxListed)], "\n") + "\n")
	if more := len(lines) - maxListed; more > 0 {
		fmt.Fprintf(b, "- %d more namespaces\n", more)
	}
}
