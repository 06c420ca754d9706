package catalog

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Rule is one rule of a policy as the engine runs it.
type Rule struct {
	// Name as reports and PolicyExceptions have it.
	Name string
	// Kinds that the rule matches, without group and version, ordered; a
	// subresource stands behind a slash.
	Kinds []string
}

// cronJob has a derived rule of its own, because its Pod template lies deeper.
const cronJob = "CronJob"

// Rules returns the rules that a ClusterPolicy has in a cluster, with those that
// Kyverno 1.19 derives from its Pod rules (autogen): the policy's own first, in
// order, then for each its autogen- and its autogen-cronjob- rule.
//
// Kyverno decides per policy: no rule is derived when any match or exclude
// names objects by name, selector or annotation, or has Pod beside another
// kind, or when no filter has Pod or a controller by its bare name (v1/Pod does
// not count). A rule gets derived ones when it matches Pod and its exclude, if
// it has kinds, has Pod too.
func Rules(policy map[string]any) []Rule {
	rules := rulesOf(policy)
	controllers := autogenControllers(policy, rules)
	var own, derived []Rule
	for _, rule := range rules {
		name := rule.String("name")
		matched := filters(rule.Map("match"))
		own = append(own, Rule{Name: name, Kinds: kindsOf(matched)})
		if excluded := kindsOf(filters(rule.Map("exclude"))); !hasPod(kindsOf(matched)) || len(excluded) > 0 && !hasPod(excluded) {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(controllers), func(k string) bool { return k == cronJob })
		if len(others) > 0 {
			derived = append(derived, Rule{Name: autogenName("autogen-", name), Kinds: replacePod(matched, others)})
		}
		if slices.Contains(controllers, cronJob) {
			derived = append(derived, Rule{Name: autogenName("autogen-cronjob-", name), Kinds: []string{cronJob}})
		}
	}
	return append(own, derived...)
}

// autogenControllers are the kinds that rules are derived for, ordered; none if
// the policy does not qualify.
func autogenControllers(policy map[string]any, rules []manifest.Object) []string {
	derived := kinds.Controllers()
	needed := false
	for _, rule := range rules {
		for _, f := range append(filters(rule.Map("match")), filters(rule.Map("exclude"))...) {
			listed := f.Strings("kinds")
			for _, field := range []string{"name", "names", "selector", "annotations"} {
				if f[field] != nil {
					return nil
				}
			}
			if len(listed) > 1 && hasPod(kindsOf([]manifest.Object{f})) {
				return nil
			}
			needed = needed || slices.ContainsFunc(listed, func(k string) bool { return k == "Pod" || slices.Contains(derived, k) })
		}
	}
	if !needed {
		return nil
	}
	narrowed, ok := manifest.Object(policy).Value("metadata", "annotations", autogenAnnotation).(string)
	if !ok {
		return derived
	}
	wanted := strings.Split(narrowed, ",")
	return slices.DeleteFunc(derived, func(k string) bool { return !slices.Contains(wanted, k) })
}

// filters are the resource descriptions of a match or an exclude.
func filters(block manifest.Object) []manifest.Object {
	var out []manifest.Object
	for _, key := range []string{"any", "all"} {
		for _, filter := range block.Maps(key) {
			if resources := filter.Map("resources"); resources != nil {
				out = append(out, resources)
			}
		}
	}
	return out
}

func kindsOf(filters []manifest.Object) []string {
	var out []string
	for _, f := range filters {
		for _, kind := range f.Strings("kinds") {
			out = append(out, kinds.Parse(kind).Name())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// replacePod is what a derived rule matches: filters with Pod get the
// controllers instead, other filters stay.
func replacePod(filters []manifest.Object, controllers []string) []string {
	out := slices.Clone(controllers)
	for _, f := range filters {
		if kinds := kindsOf([]manifest.Object{f}); !hasPod(kinds) {
			out = append(out, kinds...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// hasPod is true for Pod and for its subresources, as it is for Kyverno.
func hasPod(kinds []string) bool {
	return slices.ContainsFunc(kinds, func(k string) bool { return k == "Pod" || strings.HasPrefix(k, "Pod/") })
}

func autogenName(prefix, name string) string {
	name = prefix + name
	return name[:min(len(name), 63)]
}
