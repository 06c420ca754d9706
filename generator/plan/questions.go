package plan

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// LastTier returns the tier of everything outside the namespaces of the profile.
func (p *Plan) LastTier() string { return p.Tiers[len(p.Tiers)-1] }

// Environment returns an environment by name, and reports whether it exists.
func (p *Plan) Environment(name string) (Environment, bool) {
	i := slices.IndexFunc(p.Environments, func(e Environment) bool { return e.Name == name })
	if i < 0 {
		return Environment{}, false
	}
	return p.Environments[i], true
}

// EnvironmentNames returns the names of the environments, ordered by ring, then name.
func (p *Plan) EnvironmentNames() []string {
	names := make([]string, len(p.Environments))
	for i, e := range p.Environments {
		names[i] = e.Name
	}
	return names
}

// StageNames returns the names of the stages, from the loosest to the strictest.
func (p *Plan) StageNames() []string {
	names := make([]string, len(p.Stages))
	for i, s := range p.Stages {
		names[i] = s.Name
	}
	return names
}

// TierOf returns the tier of a namespace in an environment. A namespace that the
// profile does not name is in the last tier.
func (p *Plan) TierOf(env Environment, namespace string) string {
	for _, n := range env.Namespaces {
		if n.Name == namespace {
			return n.Tier
		}
	}
	return p.LastTier()
}

// TiersAt returns the tiers in which a policy has an action, in order.
func (p *Plan) TiersAt(policy Policy, action Action) []string {
	return slices.DeleteFunc(slices.Clone(p.Tiers), func(t string) bool { return policy.Actions[t] != action })
}

// StrictestTier returns the first tier in which a policy has its strictest action.
func (p *Plan) StrictestTier(policy Policy) string { return p.TiersAt(policy, policy.Strictest())[0] }

// OwnNamespaces returns the namespaces that the bundle needs in an environment and the
// profile does not list. A Kyverno that was installed by other means already has its
// namespace. Without Kyverno there are no PolicyExceptions.
func (p *Plan) OwnNamespaces(env Environment) []string {
	if env.Kyverno.Absent {
		return nil
	}
	if env.Kyverno.Install && env.Kyverno.Namespace != p.ExceptionNamespace {
		return []string{env.Kyverno.Namespace, p.ExceptionNamespace}
	}
	return []string{p.ExceptionNamespace}
}

// Runs reports whether something in the clusters executes policies of a kind, such as one
// of catalog.Targets.
func (k Kyverno) Runs(policy string) bool {
	kind, known := kinds.Policy(policy)
	return !known || k.Executes(kind)
}

// Executes reports whether something in the clusters acts on objects of a kind: the API
// server, or this Kyverno.
func (k Kyverno) Executes(kind kinds.Kind) bool {
	if !kind.OfKyverno() {
		return true
	}
	return !k.Absent && (!kind.Legacy || k.Version != v1alpha1.KyvernoNext)
}

// NeedsKyverno reports whether Kyverno judges something in the environment.
func (e Environment) NeedsKyverno() bool {
	return slices.ContainsFunc(e.Judges(), func(p Policy) bool {
		kind, known := kinds.Policy(p.Target)
		return known && kind.OfKyverno()
	})
}

// SelectedByName returns the names of the namespaces of some tiers that gatehouse does
// not create. Their labels are not its own, so policies select them by their names.
func (e Environment) SelectedByName(tiers []string) []string {
	var names []string
	for _, n := range e.Namespaces {
		if n.Existing && slices.Contains(tiers, n.Tier) {
			names = append(names, n.Name)
		}
	}
	return names
}

// Policy returns a policy that is on, by name, and reports whether it exists.
func (e Environment) Policy(name string) (Policy, bool) {
	i := slices.IndexFunc(e.Policies, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, false
	}
	return e.Policies[i], true
}

// Creates reports whether the bundle of the environment has a Namespace of a name.
func (e Environment) Creates(namespace string) bool {
	return slices.ContainsFunc(e.Namespaces, func(n Namespace) bool { return n.Name == namespace && !n.Existing })
}

// Judges returns the policies that judge admission requests: all but default-deny.
func (e Environment) Judges() []Policy {
	return slices.DeleteFunc(slices.Clone(e.Policies), func(p Policy) bool { return !p.Control.Judges() })
}

// Closes returns what default-deny does to a namespace of the environment: Enforce if
// its NetworkPolicies are applied, Audit if they only would be, Off if the profile
// leaves the namespace open.
func (e Environment) Closes(n Namespace) Action {
	switch {
	case n.Network == nil:
		return Off
	case n.Open:
		return Audit
	}
	return e.Action(catalog.DefaultDeny, n.Tier)
}

// WaitingToClose returns the namespaces whose network is to be closed and is not yet.
func (e Environment) WaitingToClose() []string {
	var names []string
	for _, n := range e.Namespaces {
		if n.Open {
			names = append(names, n.Name)
		}
	}
	return names
}

// Action returns the action of a policy in a tier, with any of its contents, by its Base;
// Off if the policy does not exist. Its scope does not matter.
func (e Environment) Action(policy, tier string) Action {
	action := Off
	for _, p := range e.Policies {
		if p.Base == policy {
			action = max(action, p.Actions[tier])
		}
	}
	return action
}

// CanBe reports whether the policy can be of a kind (catalog.Targets). In CEL, Kyverno shows
// only the last attestation of a type: conditions on all of them stay with ClusterPolicies.
func (p Policy) CanBe(target string) bool {
	if p.Image != nil && p.Image.Conditional() && target != catalog.ClusterPolicy {
		return false
	}
	return slices.Contains(p.Control.Targets(), target)
}

// HasDefaults reports whether the parameters of the policy are the defaults of the catalogue.
func (p Policy) HasDefaults() bool {
	defaults, _ := p.Control.ResolveParameters(nil, func(string) (any, bool) { return nil, false })
	return len(p.Parameters) == 0 && len(defaults) == 0 || reflect.DeepEqual(p.Parameters, defaults)
}

// Strictest returns the strictest action of any tier.
func (p Policy) Strictest() Action {
	strictest := Off
	for _, a := range p.Actions {
		strictest = max(strictest, a)
	}
	return strictest
}

// ActionIn returns the action of the policy for an object in a namespace of a tier that is in
// the scope of the policy. What a cluster-scoped policy judges has no namespace and gets
// the strictest action.
func (p Policy) ActionIn(tier string) Action {
	if p.Control.ClusterScoped {
		return p.Strictest()
	}
	return p.Actions[tier]
}

// ActionFor returns the action of the policy for an object in a namespace that is in a tier;
// the namespace is empty for what has none.
func (p Policy) ActionFor(namespace, tier string) Action {
	if !p.Scope.Covers(namespace) {
		return Off
	}
	return p.ActionIn(tier)
}

// ChecksWithin reports whether another policy checks the same, wherever this one judges.
func (p Policy) ChecksWithin(other Policy) bool {
	return p.Base == other.Base && p.Unscoped == other.Unscoped && p.Scope.Within(other.Scope)
}

// AuditName returns the name of the second policy of an image rule, for the tiers in
// which it is audited: Kyverno cannot override the action of an image rule.
func (p Policy) AuditName() string { return p.Name + "-audit" }

// Objects returns the policies of Kyverno that the policy is emitted as: one, or for an
// image rule one for each action that a tier has, or none for NetworkPolicies.
func (p Policy) Objects() []PolicyObject {
	if !p.Control.Judges() {
		return nil
	}
	if p.Image == nil {
		return []PolicyObject{{p.Name, p.Strictest()}}
	}
	var objects []PolicyObject
	for _, o := range []PolicyObject{{p.Name, Enforce}, {p.AuditName(), Audit}} {
		for _, action := range p.Actions {
			if action == o.Action {
				objects = append(objects, o)
				break
			}
		}
	}
	return objects
}

// RuleJudges returns whether a rule of the policy judges objects of a kind.
func (p Policy) RuleJudges(rule string) func(kind string) bool {
	return func(kind string) bool {
		return slices.ContainsFunc(p.Rules, func(r catalog.Rule) bool { return r.Name == rule && slices.Contains(r.Kinds, kind) })
	}
}

// ExceptionObject returns the name of the PolicyException for one rule of a narrowed
// exception, and one of the alternatives with which it holds. Names of exceptions have no
// dot.
func ExceptionObject(exception, policy, rule string, alternative int) string {
	name := exception + "." + policy + "." + rule
	if alternative > 0 {
		name += "." + strconv.Itoa(alternative+1)
	}
	return name
}

// ExceptionOf returns the name of the exception that a PolicyException was emitted for.
func ExceptionOf(object string) string {
	name, _, _ := strings.Cut(object, ".")
	return name
}

// Exempting returns the exceptions from an image rule that are for some images only, in the
// namespaces in which it judges.
func (e Environment) Exempting(p Policy) []Exception {
	var all []Exception
	for _, x := range e.Exceptions {
		waived := slices.ContainsFunc(x.Policies, func(w ExceptionPolicy) bool { return w.Name == p.Name })
		if x.Namespaces = p.Scope.Of(x.Namespaces); p.Image != nil && len(x.Images) > 0 && waived && len(x.Namespaces) > 0 {
			all = append(all, x)
		}
	}
	return all
}

// maxPolicyName is the length of the longest name of a policy: Kyverno makes a label of it.
const maxPolicyName = 63

// RemainderName returns the name of the policy that verifies what an exception for some
// images leaves of an image rule. Other policies have no dot in their names.
func (o PolicyObject) RemainderName(exception string) string {
	return FitName(o.Name + "." + exception)
}

// FitName shortens the name of a policy that is too long, and keeps it unique.
func FitName(name string) string {
	if len(name) <= maxPolicyName {
		return name
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:8]
	return strings.TrimRight(name[:maxPolicyName-len(sum)-1], "-.") + "-" + sum
}

// PolicyObject is one object that a policy is emitted as. Action is its strictest
// action.
type PolicyObject struct {
	Name   string
	Action Action
}
