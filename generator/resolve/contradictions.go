package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// codeContradiction is the code of parts of a profile that exclude each other.
const codeContradiction = "contradiction"

// contradictions compares what the controls claim (catalog.Claims) with the rest of the
// profile, and with what gatehouse makes of it. What can never be admitted is an error
// where the source asks to enforce, and a warning where it asks to audit. What would
// refuse gatehouse's own objects is always an error, what has no effect always a warning.
// A control that is off contradicts nothing.
func (r *resolver) contradictions() {
	found := &findings{}
	for i, e := range r.src.Environments {
		s := r.situation(e, r.plan.Environments[i])
		s.found = found
		s.withoutEffect()
		s.openNamespaces()
		s.refusedNamespaces()
		s.ownNamespaces()
		s.reservedLabels()
		s.refusedImages()
		s.openRegistries()
		s.deployedObjects()
		s.refusedValues()
		s.refusedByLevel()
		s.releasedByScope()
	}
	r.idleImageRules(found)
	found.open.warn(&found.problems)
	r.Problems = append(r.Problems, found.problems...)
}

// situation is one environment as the source asks for it, whatever of it the
// environment has accepted already.
type situation struct {
	*resolver
	*profile.Spec
	env   profile.Environment
	plan  plan.Environment
	asked []plan.Policy
	found *findings
}

func (r *resolver) situation(e profile.Environment, env plan.Environment) situation {
	s := situation{resolver: r, Spec: e.Spec, env: e, plan: env}
	for _, c := range r.controls[e.Spec] {
		s.asked = append(s.asked, r.policies(c, e)...)
	}
	return s
}

// findings holds one contradiction for each place and control: that of the first
// environment, unless another one makes an error of it.
type findings struct {
	problems diag.List
	controls []string // of the problems
	open     openRules
}

// report adds what an environment finds at a field of the profile about a control.
func (s situation) report(severity diag.Severity, control, field, hint, format string, args ...any) {
	d := diag.Diagnostic{
		Severity: severity, Code: codeContradiction, Position: s.At(field), Path: s.Positions.Path(field),
		Summary: fmt.Sprintf(format, args...), Hint: hint,
	}
	for i, other := range s.found.problems {
		if other.Position == d.Position && other.Path == d.Path && s.found.controls[i] == control {
			if other.Severity != diag.Error && severity == diag.Error {
				s.found.problems[i] = d
			}
			return
		}
	}
	s.found.problems.Add(d)
	s.found.controls = append(s.found.controls, control)
}

// severity of what an action makes impossible.
func severity(a plan.Action) diag.Severity {
	if a == plan.Enforce {
		return diag.Error
	}
	return diag.Warning
}

// refuses is the verb for what an action does to a violation.
func refuses(a plan.Action) string {
	if a == plan.Enforce {
		return "refuses"
	}
	return "reports"
}

// written returns the parameters that the profile sets for a control.
func (s situation) written(control string) map[string]any {
	for _, c := range s.Controls {
		if c.ID == control {
			return c.Parameters
		}
	}
	return nil
}

// field returns where the profile has the settings of a control.
func field(control string) string { return "spec.controls[" + control + "]" }

// excepted reports whether some exception waives a policy in the environment, in a
// namespace if one is given. Dates do not count: they must not decide what builds.
func (s situation) excepted(p plan.Policy, namespace string) bool {
	return slices.ContainsFunc(s.src.Exceptions, func(x profile.Exception) bool {
		return slices.Contains(x.Controls, p.Control.ID) &&
			(x.Environments == nil || slices.Contains(x.Environments, s.env.Name)) &&
			(namespace == "" || slices.Contains(x.Match.Namespaces, namespace))
	})
}

// least returns the loosest action of a policy in some tiers, where another one judges.
func least(p plan.Policy, tiers []string, where plan.Scope) plan.Action {
	if !where.Within(p.Scope) {
		return plan.Off
	}
	action := plan.Enforce
	for _, t := range tiers {
		action = min(action, p.ActionIn(t))
	}
	return action
}

// texts returns the strings of a list parameter.
func texts(p plan.Policy, parameter string) []string {
	list, _ := p.Parameters[parameter].([]any)
	var all []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// and joins names for a sentence.
func and(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
