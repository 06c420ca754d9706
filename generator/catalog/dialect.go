package catalog

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// ClusterPolicy is the target of templates of Kyverno's ClusterPolicy.
const ClusterPolicy = "ClusterPolicy"

// Policy is the rendered template of a control, and what its rules say.
type Policy struct {
	// Target is the kind of policy, one of Targets.
	Target string
	// Body is the object as plain JSON values. It has no name, no strictness and
	// no exclusions; those are for the emitter.
	Body map[string]any
	// Rules that the policy has in a cluster, derived ones included.
	Rules []Rule
	// Matches are the kinds that the policy is written for; see [Matches].
	Matches []kinds.Ref
	// LookUps are the paths of the API calls of its rules; see [Check] for those of policies
	// in CEL, and [LookUps] for others.
	LookUps []string
}

// dialect is a template language for one kind of policy.
type dialect struct {
	// target is the kind of policy, as spec.kyverno.policyType of a profile has it.
	target string
	// file in the folder of a control.
	file string
	// render reads the template and checks what it gave. The template may use more
	// functions than those of internal/tmpl.
	render func(c *Control, file string, text []byte, params, more map[string]any) (Policy, error)
}

// dialects returns the dialects that gatehouse can emit. A new one needs a row here,
// and a package that emits it.
func dialects() []dialect {
	all := []dialect{{ClusterPolicy, "clusterpolicy.yaml", renderClusterPolicy}}
	for _, target := range CELTargets() {
		all = append(all, dialect{target, "cel.yaml", renderCEL(target)})
	}
	return all
}

// Targets returns the kinds of policies that templates can be written for.
func Targets() []string {
	var targets []string
	for _, d := range dialects() {
		targets = append(targets, d.target)
	}
	return targets
}

// NetworkPolicy is the target of a control that emits NetworkPolicies. It has no templates.
const NetworkPolicy = "NetworkPolicy"

// Targets returns the kinds of policies that the control becomes: those that it has a
// template for, or NetworkPolicy. There is at least one.
func (c *Control) Targets() []string {
	if !c.Judges() {
		return []string{NetworkPolicy}
	}
	return slices.DeleteFunc(Targets(), func(target string) bool { return c.templates[target] == nil })
}

// TargetFor returns the kind of policy that the control becomes where policies are of a
// kind, and Kyverno runs: it does what the API server cannot do.
func (c *Control) TargetFor(policyType string) string {
	if policyType == ValidatingAdmissionPolicy && c.templates[policyType] == nil && c.templates[ValidatingPolicy] != nil {
		return ValidatingPolicy
	}
	return policyType
}

// Render returns the policy of the control for a target and resolved parameters.
//
// A control that does not judge has no policy to render.
//
// An error names the file and what breaks the rules of the format: there is no
// template for the target, internal/tmpl refuses the template, the template sets
// fields that it must not set, or the engine would accept a rule that does not do
// what it seems to.
func (c *Control) Render(target string, params map[string]any) (Policy, error) {
	return c.render(target, params, &podLists{})
}

// Read returns a policy that Render returned before, from its body.
func Read(target string, body map[string]any) Policy {
	if target != ClusterPolicy {
		return readCEL(target, body)
	}
	return Policy{Target: target, Body: body, Rules: Rules(body), Matches: Matches(body), LookUps: LookUps(body)}
}
