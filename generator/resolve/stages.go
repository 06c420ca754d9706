package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// podSecurity decides the Pod Security Admission level of each namespace from the
// controls of that level and below. The level must not refuse what the policies
// admit, so it does not enforce if there is an exception or a parameter that is not
// the default.
func (r *resolver) podSecurity() {
	var needed []string
	for _, level := range []string{"baseline", "restricted"} {
		for _, c := range r.src.Catalog.Controls() {
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

// podSecurityActions returns the loosest action of the needed controls for each
// tier. It is at most Audit if one of them has parameters that are not the defaults.
func (r *resolver) podSecurityActions(env *plan.Environment, needed []string) map[string]plan.Action {
	actions := map[string]plan.Action{}
	for _, t := range r.plan.Tiers {
		actions[t] = plan.Enforce
		for _, id := range needed {
			actions[t] = min(actions[t], env.Action(id, t))
			if !r.defaults[id] {
				actions[t] = min(actions[t], plan.Audit)
			}
		}
	}
	return actions
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

// rings refuses an environment that is stricter than one in an earlier ring.
func (r *resolver) rings() {
	for i, later := range r.plan.Environments {
		if r.src.Environments[i].AllowAhead {
			continue
		}
		for _, earlier := range r.plan.Environments[:i] {
			if earlier.Ring == later.Ring {
				continue
			}
			r.blame(i, func(p plan.Policy, tier string) bool { return p.Actions[tier] > earlier.Action(p.Name, tier) }, func(policies string) diag.Diagnostic {
				return diag.Diagnostic{Code: "ring-ahead",
					Summary: fmt.Sprintf("%s would be stricter than %s (ring %d) for %s", later.Name, earlier.Name, earlier.Ring, policies),
					Hint:    fmt.Sprintf("raise %s first, or set allowAhead: true", earlier.Name)}
			})
		}
	}
}

// skips refuses to enforce what the lock does not show as audited
// (docs/safety.md#audit-before-enforce).
func (r *resolver) skips(o Options) {
	if o.AllowSkip {
		return
	}
	for i, env := range r.plan.Environments {
		if env.AllowSkip {
			continue
		}
		r.blame(i, func(p plan.Policy, tier string) bool {
			return p.Actions[tier] == plan.Enforce && !shown(o.Prior, env.Name, p.Name, tier)
		}, func(policies string) diag.Diagnostic {
			return diag.Diagnostic{Code: "stage-skip",
				Summary: fmt.Sprintf("would enforce what was never audited in %s: %s", env.Name, policies),
				Hint:    "build and apply an audit stage first; for a new environment set allowSkip: true, or build with --allow-skip"}
		})
	}
}

// blame reports the policies of the i-th environment that are wrong in some tier:
// one problem for each field that sets their stage.
func (r *resolver) blame(i int, wrong func(p plan.Policy, tier string) bool, problem func(policies string) diag.Diagnostic) {
	blamed := map[string][]string{}
	for _, p := range r.plan.Environments[i].Policies {
		if slices.ContainsFunc(r.plan.Tiers, func(tier string) bool { return wrong(p, tier) }) {
			_, field := r.src.Environments[i].StageOf(p.Control.ID)
			blamed[field] = append(blamed[field], p.Name)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(blamed)) {
		d := problem(some(blamed[field]))
		d.Position, d.Path = r.src.Environments[i].At(field), field
		r.Problems.Add(d)
	}
}

// some returns the names as text, and only the first few of a long list.
func some(names []string) string {
	if len(names) <= 4 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

// shown reports whether the lock has a policy at Audit or Enforce for a tier.
func shown(prior *manifest.Lock, environment, policy, tier string) bool {
	if prior == nil {
		return false
	}
	action := prior.Environments[environment].Policies[policy][tier]
	return action == plan.Audit.String() || action == plan.Enforce.String()
}
