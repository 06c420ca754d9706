package resolve

import (
	"fmt"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// codeContradiction is the code of parts of a profile that ask for different things.
const codeContradiction = "contradiction"

// withoutEffect warns of controls that ask for what a control that is off would bring.
func (r *resolver) withoutEffect(spec *profile.Spec) {
	report := source.Reporter{Positions: spec.Positions}
	for _, c := range r.controls[spec] {
		followed := c.policy.Control.Follows
		if followed == "" || r.control(spec, followed).policy.Control != nil {
			continue
		}
		id := c.policy.Control.ID
		report.Warn(c.field, codeContradiction, fmt.Sprintf("switch %s on, or %s off", followed, id),
			"%s has no effect: it asks for what %s brings, which is off (%s)", id, followed, spec.At("spec.controls["+followed+"].enabled"))
	}
	r.Problems = append(r.Problems, report.Problems...)
}

// openNamespaces refuses a namespace that the profile leaves open although a control
// asks for a closed network in it. It reports a namespace for the first environment only.
func (r *resolver) openNamespaces() {
	reported := map[diag.Position]bool{}
	for i, e := range r.src.Environments {
		for _, n := range e.Spec.Namespaces {
			if n.Network != nil || !n.In(e.Name) || reported[n.At] {
				continue
			}
			if policy, asked := asksToClose(r.plan.Environments[i], n); asked {
				reported[n.At] = true
				report := source.Reporter{Positions: n.Positions}
				report.Report(n.Field+".network.defaultDeny", codeContradiction, fmt.Sprintf("remove it, or switch %s off", policy.Name),
					"namespace %s is open, but %s (%s) asks for a default deny in it in environment %s", n.Name, policy.Name, policy.At, e.Name)
				r.Problems = append(r.Problems, report.Problems...)
			}
		}
	}
}

// asksToClose returns a policy of an environment that asks for a default deny in a
// namespace.
func asksToClose(env plan.Environment, n profile.Namespace) (plan.Policy, bool) {
	for _, p := range env.Policies {
		if p.Control.Follows == catalog.DefaultDeny && p.Actions[n.Tier] > plan.Off {
			return p, true
		}
	}
	return plan.Policy{}, false
}
