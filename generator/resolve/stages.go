package resolve

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/staging"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// rings compares each environment with those in earlier rings. Where it becomes
// stricter than one of them with this build, that is an error. Where it was stricter
// before, or the earlier one went down, it is a warning: an environment may always go
// down, whatever later ones do.
func (r *resolver) rings() {
	for i, later := range r.plan.Environments {
		if r.src.Environments[i].AllowAhead {
			continue
		}
		for _, earlier := range r.plan.Environments[:i] {
			if earlier.Ring == later.Ring {
				continue
			}
			ahead := func(p plan.Policy, tier string) bool { return isAhead(p, earlier, tier) }
			climbs := func(p plan.Policy, tier string) bool { return ahead(p, tier) && r.staged[i].Climbed(p.Base, tier) }
			finding := func(severity diag.Severity, hint string) func(string) diag.Diagnostic {
				return func(policies string) diag.Diagnostic {
					return diag.Diagnostic{Severity: severity, Code: "ring-ahead", Hint: hint,
						Summary: fmt.Sprintf("%s is stricter than %s (ring %d) for %s", later.Name, earlier.Name, earlier.Ring, policies)}
				}
			}
			if r.blame(i, climbs, finding(diag.Error, fmt.Sprintf("raise %s, or accept the change there, first; or set allowAhead: true", earlier.Name))) {
				continue
			}
			stricter := func(p plan.Policy, tier string) bool {
				return ahead(p, tier) && !ofAnotherKind(p, later, earlier, tier)
			}
			r.blame(i, stricter, finding(diag.Warning, fmt.Sprintf("nothing to do here until %s is back", earlier.Name)))
		}
	}
}

// isAhead reports whether a policy is stricter in a tier than in an earlier environment,
// or enforces there a content that the earlier one does not enforce yet.
func isAhead(p plan.Policy, earlier plan.Environment, tier string) bool {
	action, enforces := plan.Off, false
	for _, other := range earlier.Policies {
		if other.Base == p.Base {
			action = max(action, other.Actions[tier])
			enforces = enforces || other.Actions[tier] == plan.Enforce && p.ChecksWithin(other)
		}
	}
	return p.Actions[tier] > action || p.Actions[tier] == plan.Enforce && !enforces && pendingIn(earlier, p, tier)
}

// ofAnotherKind reports whether an earlier environment enforces the same by another kind of
// policies, as on its way to one. It is an error to accept another kind before it does, but
// neither is stricter.
func ofAnotherKind(p plan.Policy, later, earlier plan.Environment, tier string) bool {
	return slices.ContainsFunc(earlier.Policies, func(other plan.Policy) bool {
		if other.Base != p.Base || other.Actions[tier] != plan.Enforce || other.Target == p.Target || !p.Scope.Within(other.Scope) {
			return false
		}
		other.Scope = p.Scope
		return staging.OnlyKind(p, later.Trust, other, earlier.Trust)
	})
}

// pendingIn reports whether an environment audits what a policy checks, to enforce it later.
func pendingIn(env plan.Environment, p plan.Policy, tier string) bool {
	return slices.ContainsFunc(env.Policies, func(other plan.Policy) bool {
		return other.Actions[tier] == plan.Audit && p.ChecksWithin(other)
	})
}

// blame reports the policies of the i-th environment that are wrong in some tier:
// one problem for each field that makes them so. It reports whether there is one.
func (r *resolver) blame(i int, wrong func(p plan.Policy, tier string) bool, problem func(policies string) diag.Diagnostic) bool {
	blamed := map[string][]string{}
	for _, p := range r.plan.Environments[i].Policies {
		if slices.ContainsFunc(r.plan.Tiers, func(tier string) bool { return wrong(p, tier) }) {
			_, field := r.src.Environments[i].StageOf(p.Control.ID)
			if r.staged[i].Accepted(p.Base) {
				field = "spec.changes"
			}
			if !slices.Contains(blamed[field], p.Base) {
				blamed[field] = append(blamed[field], p.Base)
			}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(blamed)) {
		d := problem(staging.Some(blamed[field]))
		d.Position, d.Path = r.src.Environments[i].At(field), field
		r.Problems.Add(d)
	}
	return len(blamed) > 0
}
