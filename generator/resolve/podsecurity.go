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
		actions, waived := r.podSecurityActions(env, needed[level]), waivedNamespaces(env, needed[level])
		for j := range env.Namespaces {
			n := &env.Namespaces[j]
			action := actions[n.Tier]
			if action >= plan.Audit {
				n.PodSecurity.Audit = level
			}
			if action == plan.Enforce && !waived[n.Name] {
				n.PodSecurity.Enforce = level
			}
		}
	}
}

// podSecurityActions returns the loosest action of the needed controls for each
// tier. It is at most Audit if one of them has parameters that are not the defaults.
func (r *resolver) podSecurityActions(env *plan.Environment, needed []string) map[string]plan.Action {
	actions := map[string]plan.Action{}
	for _, t := range r.plan.Tiers {
		actions[t] = plan.Enforce
		for _, id := range needed {
			actions[t] = min(actions[t], podSecurityAction(env, id, t))
		}
	}
	return actions
}

// podSecurityAction returns what a control does in a tier, with any of its contents.
func podSecurityAction(env *plan.Environment, id, tier string) plan.Action {
	action := plan.Off
	for _, p := range env.Policies {
		switch {
		case p.Base != id:
		case p.HasDefaults():
			action = max(action, p.Actions[tier])
		default:
			action = max(action, min(p.Actions[tier], plan.Audit))
		}
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
