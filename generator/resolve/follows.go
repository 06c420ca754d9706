package resolve

import (
	"fmt"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
)

// codeContradiction is the code of parts of a profile that ask for different things.
const codeContradiction = "contradiction"

// withoutEffect warns of controls that ask for what a control that is off would bring.
func (r *resolver) withoutEffect() {
	for _, c := range r.controls {
		followed := c.policy.Control.Follows
		if followed == "" || r.control(followed).policy.Control != nil {
			continue
		}
		id := c.policy.Control.ID
		r.Warn(c.field, codeContradiction, fmt.Sprintf("switch %s on, or %s off", followed, id),
			"%s has no effect: it asks for what %s brings, which is off (%s)", id, followed, r.src.At("spec.controls["+followed+"].enabled"))
	}
}

// openNamespaces refuses a namespace that the profile leaves open although a control
// asks for a closed network in it.
func (r *resolver) openNamespaces() {
	for _, n := range r.src.Namespaces {
		if n.Network != nil {
			continue
		}
		policy, env, asked := r.asksToClose(n)
		if !asked {
			continue
		}
		r.Report(n.Field+".network.defaultDeny", codeContradiction, fmt.Sprintf("remove it, or switch %s off", policy.Name),
			"namespace %s is open, but %s (%s) asks for a default deny in it in environment %s", n.Name, policy.Name, policy.At, env)
	}
}

// asksToClose returns a policy that asks for a default deny in a namespace, and the
// first environment in which it does.
func (r *resolver) asksToClose(n profile.Namespace) (plan.Policy, string, bool) {
	for _, env := range r.plan.Environments {
		if !n.In(env.Name) {
			continue
		}
		for _, p := range env.Policies {
			if p.Control.Follows == catalog.DefaultDeny && p.Actions[n.Tier] > plan.Off {
				return p, env.Name, true
			}
		}
	}
	return plan.Policy{}, "", false
}
