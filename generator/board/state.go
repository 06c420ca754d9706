package board

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// state writes the stage of an environment, how much is enforced and audited there, and
// what that means while Kyverno is down.
func state(b *strings.Builder, env plan.Environment) {
	enforced, audited, closed := 0, 0, 0
	for _, policy := range env.Policies {
		switch policy.Strictest() {
		case plan.Enforce:
			enforced++
			if policy.Control.Judges() && policy.Target != catalog.ValidatingAdmissionPolicy {
				closed++
			}
		case plan.Audit:
			audited++
		}
	}
	fmt.Fprintf(b, "Stage %s. Controls: %d enforced, %d audited. Exceptions: %d.\n", markdown.Text(env.Stage), enforced, audited, len(env.Exceptions))
	if closed > 0 {
		fmt.Fprintf(b, "\nPolicies that fail closed: %d. While Kyverno does not answer, the API server refuses what they judge, except in system namespaces.\n", closed)
	}
}

// pending writes what the source asks for and the environment has not accepted.
func pending(b *strings.Builder, env plan.Environment) {
	if len(env.Pending) == 0 {
		return
	}
	fmt.Fprintf(b, "\nThese changes wait for the environment. `changes: %s` in its file accepts them.\n\n", acceptDay(env))
	t := markdown.NewTable(b, "Pending", "Effect", "Since")
	for _, p := range env.Pending {
		t.Row(p.What, p.Effect, p.Since)
	}
}

// acceptDay returns the first day with which the environment can accept all that is pending.
func acceptDay(env plan.Environment) string {
	var day string
	for _, p := range env.Pending {
		day = max(day, p.Since)
	}
	if used, err := time.Parse(time.DateOnly, env.Locked.Changes); err == nil && day <= env.Locked.Changes {
		day = used.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return day
}

// podSecurity writes what Pod Security Admission enforces.
func podSecurity(b *strings.Builder, namespaces []plan.Namespace) {
	names := map[string][]string{}
	for _, n := range namespaces {
		names[n.PodSecurity.Enforce] = append(names[n.PodSecurity.Enforce], n.Name)
	}
	var lines []string
	for _, level := range []string{"restricted", "baseline", "privileged"} {
		if len(names[level]) > 0 {
			slices.Sort(names[level])
			lines = append(lines, fmt.Sprintf("- %s: %s\n", level, some(names[level])))
		}
	}
	if len(lines) > 0 {
		b.WriteString("\nPod Security Admission enforces these levels, with and without Kyverno:\n\n" + strings.Join(lines, ""))
	}
}
