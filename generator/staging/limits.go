package staging

import (
	"encoding/json"
	"maps"
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
	if what := waitFor(waitQuota, n.Quota); !reflect.DeepEqual(quota, n.Quota) && !e.acceptsWait(before, what) {
		e.wait(after, before, what, plan.Pending{What: "resource quota of " + n.Name, Effect: "does not limit more than before, and then as the source says"})
		n.Quota = quota
	}
	limits := loosestRange(rangeOf(before.LimitRange), n.LimitRange)
	if what := waitFor(waitLimitRange, n.LimitRange); !reflect.DeepEqual(limits, n.LimitRange) && !e.acceptsWait(before, what) {
		e.wait(after, before, what, plan.Pending{What: "limit range of " + n.Name, Effect: "limits no more than before and sets the defaults of before, and then as the source says"})
		n.LimitRange = limits
	}
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

// loosestQuota returns what allows what either quota allows; nil if one of them allows all.
// The names are those of now.
func loosestQuota(before, now plan.Quota) plan.Quota {
	least := plan.Quota{}
	for name, quantity := range before {
		if other, both := least[counted(name)]; !both || parsed(quantity).Cmp(*parsed(other)) < 0 {
			least[counted(name)] = quantity
		}
	}
	renamed := plan.Quota{}
	for name := range now {
		if quantity, ok := least[counted(name)]; ok {
			renamed[name] = quantity
		}
	}
	return allowingBoth(renamed, now, true)
}

// counted returns one name for what a quota counts: some resources have two. Those of Pods
// are two things, since pods leaves out those that have ended.
func counted(name string) string {
	of := strings.TrimPrefix(strings.TrimPrefix(name, "requests."), "count/")
	known := []string{"cpu", "memory", "ephemeral-storage", "configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"}
	if slices.Contains(known, of) || strings.HasPrefix(of, "hugepages-") {
		return of
	}
	return name
}

// loosestRange returns limits that allow what either allows, with the defaults of before:
// without a default, a container may be refused as well.
func loosestRange(before, now []plan.LimitRange) []plan.LimitRange {
	var all []plan.LimitRange
	for _, b := range before {
		n := plan.LimitRange{Type: b.Type}
		if i := slices.IndexFunc(now, func(l plan.LimitRange) bool { return l.Type == b.Type }); i >= 0 {
			n = now[i]
		}
		l := plan.LimitRange{
			Type: b.Type, Default: b.Default, DefaultRequest: b.DefaultRequest,
			Max: allowingBoth(b.Max, n.Max, true), Min: allowingBoth(b.Min, n.Min, false), MaxLimitRequestRatio: allowingBoth(b.MaxLimitRequestRatio, n.MaxLimitRequestRatio, true),
		}
		if same(b.Default, n.Default) && same(b.DefaultRequest, n.DefaultRequest) {
			l.Default, l.DefaultRequest = n.Default, n.DefaultRequest
		}
		if !reflect.DeepEqual(l, plan.LimitRange{Type: b.Type}) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b plan.LimitRange) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// allowingBoth returns, for each resource that both limit, the larger quantity, or the smaller;
// nil if they share none. Of two texts of one quantity it is that of now.
func allowingBoth(before, now map[string]string, larger bool) map[string]string {
	var out map[string]string
	for name, quantity := range now {
		other, both := before[name]
		if !both {
			continue
		}
		if order := parsed(other).Cmp(*parsed(quantity)); order > 0 && larger || order < 0 && !larger {
			quantity = other
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = quantity
	}
	return out
}

// same reports whether two maps have the same quantities, however they are written.
func same(a, b map[string]string) bool {
	return maps.EqualFunc(a, b, func(x, y string) bool { return parsed(x).Cmp(*parsed(y)) == 0 })
}

// parsed parses a quantity of the plan or the lock. One that was damaged in the lock is zero.
func parsed(text string) *resource.Quantity {
	q, _ := resource.ParseQuantity(text)
	return &q
}

// looserLimits combines what two branches have in a namespace, after a merge.
func looserLimits(a, b manifest.LockedNamespace) (quota, limits json.RawMessage) {
	if q := loosestQuota(quotaOf(a.ResourceQuota), quotaOf(b.ResourceQuota)); q != nil {
		quota = encode(q)
	}
	if l := loosestRange(rangeOf(a.LimitRange), rangeOf(b.LimitRange)); l != nil {
		limits = encode(l)
	}
	return quota, limits
}
