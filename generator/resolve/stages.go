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
