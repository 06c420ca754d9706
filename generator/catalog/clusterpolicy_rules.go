package catalog

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Rule is one rule of a policy as the engine runs it.
type Rule struct {
	// Name as in reports and PolicyExceptions.
	Name string
	// Kinds that the rule matches, sorted, without group and version. A subresource
	// follows a slash.
	Kinds []string
}

// cronJob has its own derived rule, because its Pod template is nested deeper.
const cronJob = "CronJob"

// Rules returns the rules that a ClusterPolicy has in a cluster: first the rules of
// the policy, in order, then the autogen- and the autogen-cronjob- rule that Kyverno
// 1.19 derives from each Pod rule.
//
// Kyverno decides per policy. It derives no rule if any match or exclude selects
// objects by name, selector or annotation, or has Pod and another kind, or if no
// filter has Pod or a controller by its bare name (v1/Pod does not count). It derives
// rules from a rule that matches Pod, if the exclude of the rule has no kinds or has
// Pod too.
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

// autogenControllers returns the kinds that rules are derived for, sorted. It returns
// none if Kyverno derives no rules for the policy.
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

// filters returns the resource descriptions of a match or an exclude.
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

// replacePod returns the kinds that a derived rule matches: the controllers replace
// filters with Pod, and other filters stay.
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

// hasPod reports whether the kinds have Pod or one of its subresources, as Kyverno does.
func hasPod(kinds []string) bool {
	return slices.ContainsFunc(kinds, func(k string) bool { return k == "Pod" || strings.HasPrefix(k, "Pod/") })
}

func autogenName(prefix, name string) string {
	name = prefix + name
	return name[:min(len(name), 63)]
}
