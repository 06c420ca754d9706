package resolve

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// podSecurity decides the Pod Security Admission level of each namespace that gatehouse
// creates: the level that the profile sets, or else the one that the controls amount to.
func (r *resolver) podSecurity() {
	needed := r.podSecurityControls()
	for i := range r.plan.Environments {
		env, src := &r.plan.Environments[i], r.src.Environments[i]
		set := map[string]string{}
		for _, n := range src.Spec.Namespaces {
			set[n.Name] = n.PodSecurity
		}
		r.derivedLevels(env, needed)
		for j := range env.Namespaces {
			n := &env.Namespaces[j]
			switch level := set[n.Name]; {
			case n.Existing:
				n.PodSecurity = plan.PodSecurity{}
			case level != "":
				action := r.plan.Stages[src.Stage].Actions[n.Tier]
				n.PodSecurity = givenLevel(level, action, waivedNamespaces(env, needed[level])[n.Name])
			}
		}
	}
}

// podSecurityControls returns the controls that each level amounts to: its own and
// those of the levels below.
func (r *resolver) podSecurityControls() map[string][]string {
	needed := map[string][]string{}
	for _, c := range r.src.Catalog.Controls() {
		if c.PodSecurity == "baseline" {
			needed["baseline"] = append(needed["baseline"], c.ID)
		}
		if c.PodSecurity == "baseline" || c.PodSecurity == "restricted" {
			needed["restricted"] = append(needed["restricted"], c.ID)
		}
	}
	return needed
}

// givenLevel returns what becomes of a level that the profile sets, where the stage has
// an action for the tier. privileged refuses nothing, so it does not wait for a stage.
func givenLevel(level string, action plan.Action, waived bool) plan.PodSecurity {
	switch {
	case level == "privileged" || action == plan.Enforce && !waived:
		return plan.PodSecurity{Audit: level, Enforce: level}
	case action >= plan.Audit:
		return plan.PodSecurity{Audit: level}
	}
	return plan.PodSecurity{}
}

// derivedLevels sets the levels that the controls amount to. A level must not refuse
// what the policies admit, so it does not enforce if there is an exception or a
// parameter that is not the default.
func (r *resolver) derivedLevels(env *plan.Environment, needed map[string][]string) {
	for _, level := range []string{"baseline", "restricted"} {
		action, waived := r.podSecurityActions(env, needed[level]), waivedNamespaces(env, needed[level])
		for j := range env.Namespaces {
			n := &env.Namespaces[j]
			action := action(n.Name, n.Tier)
			if action >= plan.Audit {
				n.PodSecurity.Audit = level
			}
			if action == plan.Enforce && !waived[n.Name] {
				n.PodSecurity.Enforce = level
			}
		}
	}
}

// podSecurityActions returns a function that returns the loosest action of the needed
// controls for a namespace in a tier. It is at most Audit if one of them has parameters
// that are not the defaults. Most namespaces are named by no scope, and are alike.
func (r *resolver) podSecurityActions(env *plan.Environment, needed []string) func(namespace, tier string) plan.Action {
	policies, named := map[string][]plan.Policy{}, map[string]bool{}
	for _, p := range env.Policies {
		if !slices.Contains(needed, p.Base) {
			continue
		}
		if !p.HasDefaults() {
			p.Actions = capped(p.Actions, plan.Audit)
		}
		policies[p.Base] = append(policies[p.Base], p)
		for _, name := range slices.Concat(p.Scope.Include, p.Scope.Exclude) {
			named[name] = true
		}
	}
	known := map[[2]string]plan.Action{}
	return func(namespace, tier string) plan.Action {
		if !named[namespace] {
			namespace = unnamed
		}
		at := [2]string{namespace, tier}
		if _, done := known[at]; !done {
			known[at] = plan.Enforce
			for _, id := range needed {
				known[at] = min(known[at], strictestFor(policies[id], namespace, tier))
			}
		}
		return known[at]
	}
}

// unnamed stands for every namespace that no scope names. No namespace has this name.
const unnamed = "*"

// capped returns actions of which none is above a limit.
func capped(actions map[string]plan.Action, limit plan.Action) map[string]plan.Action {
	out := map[string]plan.Action{}
	for tier, action := range actions {
		out[tier] = min(action, limit)
	}
	return out
}

// strictestFor returns the strictest action of some policies for a namespace in a tier.
func strictestFor(policies []plan.Policy, namespace, tier string) plan.Action {
	action := plan.Off
	for _, p := range policies {
		action = max(action, p.ActionFor(namespace, tier))
	}
	return action
}

// waivedNamespaces returns the namespaces in which an exception waives one of the controls.
func waivedNamespaces(env *plan.Environment, controls []string) map[string]bool {
	waived := map[string]bool{}
	for _, x := range env.Exceptions {
		if slices.ContainsFunc(x.Policies, func(p plan.ExceptionPolicy) bool { return slices.Contains(controls, p.Name) }) {
			for _, n := range x.Namespaces {
				waived[n] = true
			}
		}
	}
	return waived
}
