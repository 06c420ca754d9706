package staging

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// keptTierLabel is what remains of a namespace that the source no longer has: Flux does
// not remove it, so policies go on judging it by the label of its tier.
const keptTierLabel = "tierLabel"

// keepLabels notes the tiers of the namespaces that the source no longer has and that
// gatehouse had created.
func (e *Environment) keepLabels(namespaces []plan.Namespace) {
	gone := func(name string) bool {
		return name != unlisted && !slices.ContainsFunc(namespaces, func(n plan.Namespace) bool { return n.Name == name })
	}
	for _, k := range e.prior.Kept {
		same := func(o manifest.LockedKept) bool { return o.Kind == keptTierLabel && o.Name == k.Name }
		if k.Kind == keptTierLabel && gone(k.Name) && !slices.ContainsFunc(e.Locked.Kept, same) {
			e.Locked.Kept = append(e.Locked.Kept, k)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.prior.byName)) {
		for _, n := range e.prior.byName[name] {
			if gone(name) && !n.Existing {
				e.keepLabel(n)
			}
		}
	}
}

func (e *Environment) keepLabel(n manifest.LockedNamespace) {
	raw, err := json.Marshal(n.Tier)
	if err != nil {
		panic(err) // a text always encodes
	}
	same := func(k manifest.LockedKept) bool { return k.Kind == keptTierLabel && k.Name == n.Name }
	if !slices.ContainsFunc(e.Locked.Kept, same) { // a merge may bring it twice
		e.Locked.Kept = append(e.Locked.Kept, manifest.LockedKept{Kind: keptTierLabel, Name: n.Name, Since: e.day(), Definition: raw})
	}
}

// labelled returns the tier of a namespace that the last build did not have: that of the
// label which an earlier build gave it, or the last one.
func (e *Environment) labelled(name string) string {
	for _, k := range slices.Backward(e.prior.Kept) {
		var tier string
		if k.Kind == keptTierLabel && k.Name == name && json.Unmarshal(k.Definition, &tier) == nil && slices.Contains(e.options.Tiers, tier) {
			return tier
		}
	}
	return e.lastTier()
}
