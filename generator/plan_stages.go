package generator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// podSecurity decides the Pod Security Admission level of each namespace from
// the controls of that level and those below. It must not refuse what the
// policies admit: an exception or a parameter that is not the default keeps it
// from enforcing.
func (r *resolver) podSecurity() {
	var needed []string
	for _, level := range []string{"baseline", "restricted"} {
		for _, c := range r.in.Catalog.Controls() {
			if c.PodSecurity == level {
				needed = append(needed, c.ID)
			}
		}
		for i := range r.plan.Environments {
			env := &r.plan.Environments[i]
			actions, waived := r.podSecurityActions(env, needed), waivedNamespaces(env, needed)
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
}

// podSecurityActions is, per tier, the loosest action of the needed controls;
// Audit at the most where one of them has parameters of its own.
func (r *resolver) podSecurityActions(env *plan.Environment, needed []string) map[string]plan.Action {
	actions := map[string]plan.Action{}
	for _, t := range r.plan.Tiers {
		actions[t] = plan.Enforce
		for _, id := range needed {
			actions[t] = min(actions[t], actionIn(*env, id, t))
			if !r.defaults[id] {
				actions[t] = min(actions[t], plan.Audit)
			}
		}
	}
	return actions
}

// waivedNamespaces are those in which an exception waives one of the controls.
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

// rings refuses an environment that is stricter than one in an earlier ring.
func (r *resolver) rings(environments []Loaded[v1alpha1.Environment]) {
	for i, later := range r.plan.Environments {
		if *environments[i].Value.Spec.AllowAhead {
			continue
		}
		for _, earlier := range r.plan.Environments[:i] {
			if earlier.Ring == later.Ring {
				continue
			}
			ahead := map[string][]string{} // by the field that is to blame
			for _, p := range later.Policies {
				for _, t := range r.plan.Tiers {
					if p.Actions[t] > actionIn(earlier, p.Name, t) {
						field := "spec.stage"
						if _, own := environments[i].Value.Spec.Controls[p.Control]; own {
							field = fmt.Sprintf("spec.controls[%s].stage", p.Control)
						}
						ahead[field] = append(ahead[field], p.Name)
						break
					}
				}
			}
			for _, field := range sortedKeys(ahead) {
				r.problems.Add(diag.Diagnostic{Code: "ring-ahead", Position: environments[i].Positions.At(field), Path: field,
					Summary: fmt.Sprintf("%s would be stricter than %s (ring %d) for %s", later.Name, earlier.Name, earlier.Ring, some(ahead[field])),
					Hint:    fmt.Sprintf("raise %s first, or set allowAhead: true", earlier.Name)})
			}
		}
	}
}

func actionIn(env plan.Environment, policy, tier string) plan.Action {
	for _, p := range env.Policies {
		if p.Name == policy {
			return p.Actions[tier]
		}
	}
	return plan.Off
}

// skips refuses to enforce what the lock does not show in Audit before
// (docs/safety.md#audit-before-enforce).
func (r *resolver) skips(environments []Loaded[v1alpha1.Environment], o Options) {
	if o.AllowSkip {
		return
	}
	for i, env := range r.plan.Environments {
		if env.AllowSkip {
			continue
		}
		skipped := map[string][]string{}
		for _, p := range env.Policies {
			for _, t := range r.plan.Tiers {
				if p.Actions[t] == plan.Enforce && !shown(o.Prior, env.Name, p.Name, t) {
					field := "spec.stage"
					if _, own := environments[i].Value.Spec.Controls[p.Control]; own {
						field = fmt.Sprintf("spec.controls[%s].stage", p.Control)
					}
					skipped[field] = append(skipped[field], p.Name)
					break
				}
			}
		}
		for _, field := range sortedKeys(skipped) {
			r.problems.Add(diag.Diagnostic{Code: "stage-skip", Position: environments[i].Positions.At(field), Path: field,
				Summary: fmt.Sprintf("would enforce what was never audited in %s: %s", env.Name, some(skipped[field])),
				Hint:    "build and apply an audit stage first; for a new environment set allowSkip: true, or build with --allow-skip"})
		}
	}
}

// some names the first few of a long list.
func some(names []string) string {
	if len(names) <= 4 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

// shown tells whether the lock has a policy at Audit or Enforce for a tier.
func shown(prior *manifest.Lock, environment, policy, tier string) bool {
	if prior == nil {
		return false
	}
	action := prior.Environments[environment].Policies[policy][tier]
	return action == plan.Audit.String() || action == plan.Enforce.String()
}
