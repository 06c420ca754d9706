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
// the controls of that level. It must not refuse what the policies admit: an
// exception or a parameter that is not the default keeps it from enforcing.
func (r *resolver) podSecurity() {
	levels := []string{"baseline", "restricted"}
	var needed []string // controls of this level and those below
	for _, level := range levels {
		for _, c := range r.in.Catalog.Controls() {
			if c.PodSecurity == level {
				needed = append(needed, c.ID)
			}
		}
		for i := range r.plan.Environments {
			env := &r.plan.Environments[i]
			for j := range env.Namespaces {
				n := &env.Namespaces[j]
				switch r.podSecurityAction(env, n, needed) {
				case plan.Enforce:
					n.PodSecurity.Enforce, n.PodSecurity.Audit = level, level
				case plan.Audit:
					n.PodSecurity.Audit = level
				}
			}
		}
	}
}

func (r *resolver) podSecurityAction(env *plan.Environment, n *plan.Namespace, needed []string) plan.Action {
	action := plan.Enforce
	for _, id := range needed {
		i := slices.IndexFunc(env.Policies, func(p plan.Policy) bool { return p.Name == id })
		if i < 0 {
			return plan.Off
		}
		action = min(action, env.Policies[i].Actions[n.Tier])
		if !r.defaults[id] {
			action = min(action, plan.Audit)
		}
		for _, x := range env.Exceptions {
			if slices.Contains(x.Namespaces, n.Name) && slices.ContainsFunc(x.Policies, func(p plan.ExceptionPolicy) bool { return p.Name == id }) {
				action = min(action, plan.Audit)
			}
		}
	}
	return action
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
// (DESIGN 6, invariant 3).
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
