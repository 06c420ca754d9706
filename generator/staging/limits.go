package staging

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// limits decides which quota and limits hold in a namespace: those of the source where the
// stage enforces the tier. Nothing can audit them, so what would allow less, or give other
// defaults to containers, waits for the environment, as network rules do. What allows more
// holds at once.
func (e *Environment) limits(n *plan.Namespace, before manifest.LockedNamespace, after *manifest.LockedNamespace) {
	quota, limits := n.Quota, n.LimitRange
	switch {
	case e.stageAction(e.source.Stage, n.Tier) != plan.Enforce:
		n.Quota, n.LimitRange = nil, nil
	case !e.begins(n.Tier):
		e.limitsLater(n, before, after)
	}
	n.Unlimited = quota != nil && n.Quota == nil || limits != nil && n.LimitRange == nil
	if n.Quota != nil {
		after.ResourceQuota = encode(n.Quota)
	}
	if n.LimitRange != nil {
		after.LimitRange = encode(n.LimitRange)
	}
}

// begins reports whether limits hold at once in a tier: the environment is new, its own file
// begins to enforce the tier, or nothing is staged.
func (e *Environment) begins(tier string) bool {
	before := e.prior.stage("", e.options.Stages)
	raised := before >= 0 && e.source.Stage > before && e.stageAction(before, tier) != plan.Enforce
	return !e.prior.exists || raised || e.options.Immediate
}

func (e *Environment) stageAction(stage int, tier string) plan.Action {
	return e.options.Stages[stage].Actions[tier]
}

func (e *Environment) limitsLater(n *plan.Namespace, before manifest.LockedNamespace, after *manifest.LockedNamespace) {
	quota := loosestQuota(quotaOf(before.ResourceQuota), n.Quota)
	if !reflect.DeepEqual(quota, n.Quota) && !e.acceptsWait(before, waitQuota) {
		e.wait(after, before, waitQuota, plan.Pending{What: "resource quota of " + n.Name, Effect: "does not limit more than before, and then as the source says"})
		n.Quota = quota
	}
	limits := loosestRange(rangeOf(before.LimitRange), n.LimitRange, needsDefaults(n.Quota))
	if !reflect.DeepEqual(limits, n.LimitRange) && !e.acceptsWait(before, waitLimitRange) {
		e.wait(after, before, waitLimitRange, plan.Pending{What: "limit range of " + n.Name, Effect: "limits no more than before and sets the defaults of before, and then as the source says"})
		n.LimitRange = limits
	}
}

// needsDefaults reports whether a quota refuses each Pod with a container that does not set
// what the quota counts.
func needsDefaults(q plan.Quota) bool {
	for name := range q {
		_, of, prefixed := strings.Cut(name, ".")
		if !prefixed {
			of = name
		}
		if of == "cpu" || of == "memory" {
			return true
		}
	}
	return false
}

// quotaOf returns what the lock has; nil for none.
func quotaOf(raw json.RawMessage) (q plan.Quota) {
	if json.Unmarshal(raw, &q) != nil {
		return nil
	}
	return q
}

func rangeOf(raw json.RawMessage) (limits []plan.LimitRange) {
	if json.Unmarshal(raw, &limits) != nil {
		return nil
	}
	return limits
}

// loosestQuota returns what allows what either allows; nil if one of them allows all.
func loosestQuota(a, b plan.Quota) plan.Quota { return allowingBoth(a, b, true) }

// loosestRange returns limits that allow what either allows, with the defaults of before. If
// no quota needs them, defaults that are no longer there are gone.
func loosestRange(before, now []plan.LimitRange, quota bool) []plan.LimitRange {
	var all []plan.LimitRange
	for _, b := range before {
		n := plan.LimitRange{Type: b.Type}
		if i := slices.IndexFunc(now, func(l plan.LimitRange) bool { return l.Type == b.Type }); i >= 0 {
			n = now[i]
		}
		l := plan.LimitRange{
			Type: b.Type, Default: n.Default, DefaultRequest: n.DefaultRequest,
			Max: allowingBoth(b.Max, n.Max, true), Min: allowingBoth(b.Min, n.Min, false), MaxLimitRequestRatio: allowingBoth(b.MaxLimitRequestRatio, n.MaxLimitRequestRatio, true),
		}
		if quota || !within(n.Default, b.Default) || !within(n.DefaultRequest, b.DefaultRequest) {
			l.Default, l.DefaultRequest = b.Default, b.DefaultRequest
		}
		if !reflect.DeepEqual(l, plan.LimitRange{Type: b.Type}) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b plan.LimitRange) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// allowingBoth returns, for each resource that both limit, the larger quantity, or the smaller;
// nil if they share none.
func allowingBoth(a, b map[string]string, larger bool) map[string]string {
	var out map[string]string
	for name, quantity := range a {
		other, both := b[name]
		if !both {
			continue
		}
		if of, q := parsed(other), parsed(quantity); (of.Cmp(q) > 0) == larger {
			quantity = other
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = quantity
	}
	return out
}

// parsed parses a quantity of the plan or the lock. One that was damaged in the lock is zero.
func parsed(text string) (q resource.Quantity) {
	q, _ = resource.ParseQuantity(text)
	return q
}

// within reports whether every entry of a map is in another one.
func within(some, all map[string]string) bool {
	for name, value := range some {
		if other, ok := all[name]; !ok || other != value {
			return false
		}
	}
	return true
}

// looserLimits combines what two branches have in a namespace, after a merge.
func looserLimits(a, b manifest.LockedNamespace) (quota, limits json.RawMessage) {
	if q := loosestQuota(quotaOf(a.ResourceQuota), quotaOf(b.ResourceQuota)); q != nil {
		quota = encode(q)
	}
	if l := loosestRange(rangeOf(a.LimitRange), rangeOf(b.LimitRange), false); l != nil {
		limits = encode(l)
	}
	return quota, limits
}
