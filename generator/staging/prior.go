package staging

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// prior answers questions about the last build of an environment.
type prior struct {
	manifest.LockedEnvironment
	// exists is false for an environment that was never built.
	exists bool
	// merged is set if the lock has facts of two branches that cannot hold together.
	merged bool
	byKey  map[[2]string][]manifest.LockedPolicy // by policy and tier
	byName map[string][]manifest.LockedNamespace // namespaces
}

func newPrior(locked *manifest.LockedEnvironment, tiers []string) prior {
	p := prior{exists: locked != nil, byKey: map[[2]string][]manifest.LockedPolicy{}, byName: map[string][]manifest.LockedNamespace{}}
	if locked == nil {
		return p
	}
	p.LockedEnvironment = *locked
	if !p.knowsNamespaces() { // an older gatehouse closed the networks of all tiers
		for _, tier := range tiers {
			p.Policies = append(p.Policies, manifest.LockedPolicy{Name: catalog.DefaultDeny, Tier: tier, Action: plan.Enforce.String()})
		}
	}
	for _, n := range locked.Namespaces {
		p.byName[n.Name] = append(p.byName[n.Name], n)
	}
	p.merged = len(p.Stages) > 1
	for _, fact := range p.Policies {
		key := [2]string{fact.Name, fact.Tier}
		p.merged = p.merged || slices.ContainsFunc(p.byKey[key], func(o manifest.LockedPolicy) bool { return o.Action == fact.Action })
		p.byKey[key] = append(p.byKey[key], fact)
	}
	return p
}

// enforced returns what a policy enforced in a tier. After a merge there may be several
// contents, the one that was enforced first before the others: it is on both branches.
func (p prior) enforced(policy, tier string) []manifest.LockedPolicy {
	var all []manifest.LockedPolicy
	for _, f := range p.byKey[[2]string{policy, tier}] {
		if f.Action == plan.Enforce.String() {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b manifest.LockedPolicy) int { return strings.Compare(a.Since, b.Since) })
	return all
}

// audited returns what a policy audited in a tier. What it enforced counts too.
// Of several entries about one content, the latest counts.
func (p prior) audited(policy, tier string) []manifest.LockedPolicy {
	var all []manifest.LockedPolicy
	for _, f := range p.byKey[[2]string{policy, tier}] {
		i := slices.IndexFunc(all, func(other manifest.LockedPolicy) bool { return other.Content == f.Content })
		switch {
		case i < 0:
			all = append(all, f)
		case f.Since > all[i].Since:
			all[i] = f
		}
	}
	return all
}

// knowsNamespaces reports whether the lock has the namespaces: that of an older
// gatehouse has not.
func (p prior) knowsNamespaces() bool { return p.exists && p.Clusters != nil }

// namespace returns what a namespace was built with. After a merge there may be several
// facts. The loosest of each counts, for a namespace that shall be in a tier.
func (p prior) namespace(name, tier string, policies []plan.Policy) (fact manifest.LockedNamespace, known bool) {
	for _, n := range p.byName[name] {
		if !known {
			fact, known = n, true
			continue
		}
		fact = looser(fact, n, tier, policies)
	}
	return fact, known
}

// looser combines two facts about a namespace that shall be in a tier.
func looser(a, b manifest.LockedNamespace, tier string, policies []plan.Policy) manifest.LockedNamespace {
	if stricter, _ := compareTiers(policies, a.Name, b.Tier, tier); stricter {
		a.Tier = b.Tier
	}
	a.Closed = a.Closed && b.Closed
	if a.Enforced == nil || b.Enforced != nil && *b.Enforced < *a.Enforced {
		a.Enforced = b.Enforced
	}
	if stricterLevel(a.PodSecurity, b.PodSecurity) {
		a.PodSecurity = b.PodSecurity
	}
	waits := maps.Clone(a.Waits)
	for what, since := range b.Waits {
		if waits == nil {
			waits = map[string]string{}
		}
		waits[what] = max(waits[what], since)
	}
	a.Waits = waits
	a.Network = bothNetworks(a.Network, b.Network)
	a.ResourceQuota, a.LimitRange = looserLimits(a, b)
	return a
}

// action returns what a policy did in a tier.
func (p prior) action(policy, tier string) plan.Action {
	if len(p.enforced(policy, tier)) > 0 {
		return plan.Enforce
	}
	if len(p.byKey[[2]string{policy, tier}]) > 0 {
		return plan.Audit
	}
	return plan.Off
}

// stage returns the index of the stage that a control had; -1 if there was none, or if
// the ladder no longer has it. After a merge, the lowest counts.
func (p prior) stage(control string, stages []plan.Stage) int {
	names := p.Stages
	if own, ok := p.Controls[control]; ok {
		names = own
	}
	lowest := -1
	for _, name := range names {
		i := slices.IndexFunc(stages, func(s plan.Stage) bool { return s.Name == name })
		if i < 0 {
			return -1
		}
		if lowest < 0 || i < lowest {
			lowest = i
		}
	}
	return lowest
}
