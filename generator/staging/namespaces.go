package staging

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// What a namespace may wait for, as the lock has it.
const (
	waitTier        = "tier"
	waitPolicies    = "policies" // of the new tier
	waitNetwork     = "network"
	waitRules       = "rules"
	waitPodSecurity = "podSecurity"
	waitQuota       = "resourceQuota"
	waitLimitRange  = "limitRange"
)

// waitFor names what a namespace waits for together with what is asked: what the source asks
// for later waits from its own day on.
func waitFor(what string, asked any) string {
	sum := sha256.Sum256(encode(asked))
	return what + ":" + hex.EncodeToString(sum[:4])
}

// Namespaces decides in which tier each namespace is, and whether it is closed by
// default. policies are those that the environment has.
//
// A namespace that would be judged more strictly in its new tier stays in the old one
// until the environment accepts the move. One that the last build did not know was in
// the last tier, or still has the label of an earlier build. So is a network that would let less through: it stays open, or keeps
// the rules that the source no longer has.
func (e *Environment) Namespaces(namespaces []plan.Namespace, policies []plan.Policy) []plan.Namespace {
	all := slices.Clone(namespaces)
	var appeared, moved []string
	for i := range all {
		n := &all[i]
		before, known := e.prior.namespace(n.Name, n.Tier, policies)
		after := manifest.LockedNamespace{Name: n.Name, Existing: n.Existing, Waits: map[string]string{}}
		if e.prior.knowsNamespaces() {
			if !known {
				appeared = append(appeared, n.Name)
				before.Tier = e.labelled(n.Name)
			}
			was := before.Tier
			switch {
			case !known:
			case !slices.Contains(e.options.Tiers, before.Tier):
				before.Tier = e.withinTier(policies, n.Name, n.Tier, enforcedBefore(before))
			case before.Tier == n.Tier && before.Enforced != nil:
				before.Tier = e.withinTier(policies, n.Name, n.Tier, *before.Enforced)
			}
			e.move(n, before, &after, policies)
			if known && was != n.Tier {
				moved = append(moved, n.Name)
			}
		}
		enforced := enforcedIn(policies, n.Name, n.Tier)
		after.Tier, after.Enforced = n.Tier, &enforced
		e.network(n, before, &after, policies)
		e.limits(n, before, &after)
		e.Locked.Namespaces = append(e.Locked.Namespaces, after)
	}
	e.sayNamespaces(namespaces, appeared, moved)
	e.unlistedNamespaces(policies)
	e.keepLabels(namespaces)
	return all
}

func (e *Environment) lastTier() string { return e.options.Tiers[len(e.options.Tiers)-1] }

// move leaves a namespace in the tier that it was in, if the new one is stricter and the
// environment has not accepted the move. So it does if the new tier only begins with this
// build to enforce what the old one enforces: Flux applies Namespaces before policies, and
// nothing would be enforced in between.
func (e *Environment) move(n *plan.Namespace, before manifest.LockedNamespace, after *manifest.LockedNamespace, policies []plan.Policy) {
	if before.Tier == n.Tier || !slices.Contains(e.options.Tiers, before.Tier) || e.options.Immediate {
		return
	}
	if e.movesEarly(n, before, policies) {
		e.wait(after, before, waitPolicies+":"+n.Tier, plan.Pending{What: "namespace " + n.Name,
			Effect: fmt.Sprintf("is judged as tier %s, until tier %s enforces in the cluster what it is to enforce", before.Tier, n.Tier)})
		stay(n, before.Tier)
		return
	}
	what := waitTier + ":" + n.Tier
	stricter, unaudited := compareTiers(policies, n.Name, before.Tier, n.Tier)
	if !stricter || !unaudited && e.acceptsWait(before, what) {
		return
	}
	if since, waits := before.Waits[what]; unaudited && waits && e.acceptsSince(since) {
		e.Problems.Add(diag.Diagnostic{Code: "stage-skip", Position: e.source.At("spec.changes"), Path: "spec.changes",
			Summary: fmt.Sprintf("namespace %s would be enforced as tier %s, and tier %s, in which it is, audits nothing of that", n.Name, n.Tier, before.Tier),
			Hint:    "move it to a tier that audits first"})
	}
	e.wait(after, before, what, plan.Pending{What: "namespace " + n.Name,
		Effect: fmt.Sprintf("is judged as tier %s, and then as tier %s, which is stricter", before.Tier, n.Tier)})
	stay(n, before.Tier)
}

// movesEarly reports whether a namespace would have its new label before its new tier
// enforces a policy that its old tier enforces. Once it waits, it goes on waiting until the
// environment accepts the move: the same source builds the same.
func (e *Environment) movesEarly(n *plan.Namespace, before manifest.LockedNamespace, policies []plan.Policy) bool {
	if what := waitPolicies + ":" + n.Tier; before.Waits[what] != "" && !e.acceptsWait(before, what) {
		return true
	}
	return !n.Existing && slices.ContainsFunc(policies, func(p plan.Policy) bool {
		return !p.Control.ClusterScoped && p.ActionFor(n.Name, n.Tier) == plan.Enforce &&
			e.enforcedFor(p.Base, n.Name, before.Tier) && !e.enforcedFor(p.Base, n.Name, n.Tier)
	})
}

// stay leaves a namespace in a tier.
func stay(n *plan.Namespace, tier string) {
	n.Tier = tier
	if !n.Existing {
		n.Labels = maps.Clone(n.Labels)
		n.Labels[v1alpha1.LabelTier] = tier
	}
}

// withinTier returns the tier, or if it enforces more policies on a namespace than a number,
// other than by a line of the environment, the last one that does not.
func (e *Environment) withinTier(policies []plan.Policy, namespace, tier string, enforced int) string {
	if e.standing(policies, namespace, tier) <= enforced {
		return tier
	}
	for _, other := range slices.Backward(e.options.Tiers) {
		if e.standing(policies, namespace, other) <= enforced {
			return other
		}
	}
	return tier
}

// standing counts the policies that are enforced for the objects of a namespace in a tier,
// without those that a line of the environment begins to enforce there with this build.
func (e *Environment) standing(policies []plan.Policy, namespace, tier string) int {
	return enforcedIn(slices.DeleteFunc(slices.Clone(policies), func(p plan.Policy) bool {
		return e.Climbed(p.Base, tier) && !e.enforcedFor(p.Base, namespace, tier)
	}), namespace, tier)
}

// enforcedFor reports whether the last build enforced a policy on a namespace in a tier, with
// one of its contents.
func (e *Environment) enforcedFor(policy, namespace, tier string) bool {
	return slices.ContainsFunc(e.prior.enforced(policy, tier), func(f manifest.LockedPolicy) bool {
		return e.scopeOf(f.Content).Covers(namespace)
	})
}

// scopeOf returns the scope of a content of the last build. One that is not kept has none.
func (e *Environment) scopeOf(hash string) plan.Scope {
	scope, known := e.scopes[hash]
	if !known {
		if content, err := e.content(hash); err == nil {
			scope = content.Scope
		}
		e.scopes[hash] = scope
	}
	return scope
}

// enforcedBefore is how many policies were enforced in a namespace; none if that is not known.
func enforcedBefore(n manifest.LockedNamespace) int {
	if n.Enforced == nil {
		return 0
	}
	return *n.Enforced
}

// unlisted stands in the lock for every namespace that the profile does not name. No
// namespace has this name.
const unlisted = "*"

// unlistedNamespaces refuses what would judge the namespaces that the profile does not
// list more strictly, other than a line of the environment: they have no tier that could
// stay as it was.
func (e *Environment) unlistedNamespaces(policies []plan.Policy) {
	enforced := enforcedIn(policies, unlisted, e.lastTier())
	e.Locked.Namespaces = append(e.Locked.Namespaces, manifest.LockedNamespace{Name: unlisted, Tier: e.lastTier(), Enforced: &enforced})
	most, known := 0, false
	for _, before := range e.prior.byName[unlisted] {
		most, known = max(most, enforcedBefore(before)), true
	}
	if !known || e.standing(policies, unlisted, e.lastTier()) <= most || e.options.Immediate {
		return
	}
	e.Problems.Add(diag.Diagnostic{Code: "tiers-changed", Position: e.source.At("spec.stage"), Path: "spec.stage",
		Summary: fmt.Sprintf("%s would enforce more in the namespaces that the profile does not list: they are of the last tier of spec.tiers, now %s", e.source.Name, e.lastTier()),
		Hint:    "keep the last tier, and move namespaces by naming them"})
}

// enforcedIn counts the policies that are enforced for the objects of a namespace in a tier.
func enforcedIn(policies []plan.Policy, namespace, tier string) int {
	bases := map[string]bool{} // a policy that is of two kinds for a time is one
	for _, p := range policies {
		if !p.Control.ClusterScoped && p.ActionFor(namespace, tier) == plan.Enforce {
			bases[p.Base] = true
		}
	}
	return len(bases)
}

// compareTiers reports whether a policy enforces on a namespace in one tier what it does not
// enforce in another, and whether it does not even audit it there.
func compareTiers(policies []plan.Policy, namespace, from, to string) (stricter, unaudited bool) {
	for _, p := range policies {
		if !p.Control.ClusterScoped && p.ActionFor(namespace, to) == plan.Enforce && p.Actions[from] != plan.Enforce {
			stricter = true
			unaudited = unaudited || p.Actions[from] == plan.Off && p.Control.Judges()
		}
	}
	return stricter, unaudited
}

// network decides whether a namespace is closed by default.
func (e *Environment) network(n *plan.Namespace, before manifest.LockedNamespace, after *manifest.LockedNamespace, policies []plan.Policy) {
	if n.Network == nil || tierAction(policies, catalog.DefaultDeny, n.Tier) != plan.Enforce {
		return
	}
	raised := e.prior.action(catalog.DefaultDeny, n.Tier) != plan.Enforce // by the environment's own file; see mayEnforce
	if !before.Closed && e.prior.knowsNamespaces() && !raised && !e.options.Immediate && !e.acceptsWait(before, waitNetwork) {
		e.wait(after, before, waitNetwork, plan.Pending{What: "network of " + n.Name, Effect: "is open, and then closed by default"})
		n.Open = true
		return
	}
	after.Closed = true
	e.rules(n, before, after)
}

func tierAction(policies []plan.Policy, base, tier string) plan.Action {
	action := plan.Off
	for _, p := range policies {
		if p.Base == base {
			action = max(action, p.Actions[tier])
		}
	}
	return action
}

// wait notes that a namespace waits for something, and since when.
func (e *Environment) wait(after *manifest.LockedNamespace, before manifest.LockedNamespace, what string, p plan.Pending) {
	if p.Since = before.Waits[what]; p.Since == "" {
		p.Since = e.day()
	}
	after.Waits[what] = p.Since
	e.Pending = append(e.Pending, p)
}

// acceptsWait reports whether the environment accepts with a new spec.changes what a
// namespace waits for.
func (e *Environment) acceptsWait(before manifest.LockedNamespace, what string) bool {
	since, waits := before.Waits[what]
	if !waits || !e.acceptsSince(since) {
		return false
	}
	kind, _, _ := strings.Cut(what, ":")
	audited := !slices.Contains([]string{waitNetwork, waitRules, waitQuota, waitLimitRange}, kind) // which nothing can report
	ready := !audited || e.soaked(since)
	e.ask("spec.changes", "namespace "+before.Name, since, ready, audited)
	return ready
}

// acceptsSince reports whether a new spec.changes covers a day.
func (e *Environment) acceptsSince(since string) bool {
	return e.source.Changes > e.prior.Changes && since <= e.source.Changes
}

// PodSecurity limits the levels that Pod Security Admission enforces to those of the
// last build, unless a line of the environment asks for more.
func (e *Environment) PodSecurity(namespaces []plan.Namespace, policies []plan.Policy) {
	for i := range namespaces {
		n, after := &namespaces[i], &e.Locked.Namespaces[i]
		before, _ := e.prior.namespace(n.Name, n.Tier, policies)
		level := n.PodSecurity.Enforce
		raised := e.stageRaised() && !stricterLevel(level, before.PodSecurityAudit)
		if e.prior.knowsNamespaces() && stricterLevel(level, before.PodSecurity) && !raised && !e.options.Immediate && !e.acceptsWait(before, waitPodSecurity+":"+level) {
			e.wait(after, before, waitPodSecurity+":"+level, plan.Pending{What: "Pod Security of " + n.Name,
				Effect: fmt.Sprintf("warns of what level %s refuses, and then refuses it", level)})
			n.PodSecurity.Enforce = before.PodSecurity
		}
		after.PodSecurity, after.PodSecurityAudit = n.PodSecurity.Enforce, n.PodSecurity.Audit
	}
}

// stageRaised reports whether the environment raises its stage with this build.
func (e *Environment) stageRaised() bool {
	before := e.prior.stage("", e.options.Stages)
	return before >= 0 && e.source.Stage > before
}

// stricterLevel reports whether a level of the Pod Security Standards is stricter than
// another one; empty is none.
func stricterLevel(a, b string) bool {
	order := []string{"baseline", "restricted"}
	return slices.Index(order, a) > slices.Index(order, b)
}

// sayNamespaces says which namespaces come, go, and move.
func (e *Environment) sayNamespaces(namespaces []plan.Namespace, appeared, moved []string) {
	if !e.prior.knowsNamespaces() {
		return
	}
	there := map[string]bool{}
	for _, n := range namespaces {
		there[n.Name] = true
	}
	var gone []string
	for _, name := range slices.Sorted(maps.Keys(e.prior.byName)) {
		if !there[name] && name != unlisted {
			gone = append(gone, name)
		}
	}
	report := func(names []string, code, effect string) {
		if len(names) > 0 {
			e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: code, Position: e.source.At("metadata.name"), Path: "metadata.name",
				Summary: fmt.Sprintf("%s: %s: %s", e.source.Name, Some(names), effect)})
		}
	}
	report(appeared, "namespace-added", "new in the profile; until now judged as the last tier, if it exists")
	report(moved, "namespace-moved", "now judged as another tier")
	report(gone, "namespace-removed", "no longer in the profile; Flux leaves the Namespace and its labels in the cluster, and deletes its network policies, quota and limits")
}
