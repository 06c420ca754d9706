package catalog

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Rule is one rule of a policy as Kyverno runs it.
type Rule struct {
	// Name as reports and PolicyExceptions have it.
	Name string
	// Kinds that the rule matches, without group and version, ordered; a
	// subresource stands behind a slash.
	Kinds []string
}

// cronJob has a derived rule of its own, because its Pod template lies deeper.
const cronJob = "CronJob"

// Rules returns the rules that a policy has in a cluster, with those that
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
		name, _ := rule["name"].(string)
		matched := filters(rule["match"])
		own = append(own, Rule{Name: name, Kinds: kindsOf(matched)})
		if excluded := kindsOf(filters(rule["exclude"])); !hasPod(kindsOf(matched)) || len(excluded) > 0 && !hasPod(excluded) {
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
func autogenControllers(policy map[string]any, rules []map[string]any) []string {
	derived := kinds.Controllers()
	needed := false
	for _, rule := range rules {
		for _, f := range append(filters(rule["match"]), filters(rule["exclude"])...) {
			listed := stringList(f["kinds"])
			for _, field := range []string{"name", "names", "selector", "annotations"} {
				if f[field] != nil {
					return nil
				}
			}
			if len(listed) > 1 && hasPod(kindsOf([]map[string]any{f})) {
				return nil
			}
			needed = needed || slices.ContainsFunc(listed, func(k string) bool { return k == "Pod" || slices.Contains(derived, k) })
		}
	}
	if !needed {
		return nil
	}
	metadata, _ := policy["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	narrowed, ok := annotations[autogenAnnotation].(string)
	if !ok {
		return derived
	}
	wanted := strings.Split(narrowed, ",")
	return slices.DeleteFunc(derived, func(k string) bool { return !slices.Contains(wanted, k) })
}

// filters are the resource descriptions of a match or an exclude.
func filters(v any) []map[string]any {
	block, _ := v.(map[string]any)
	var out []map[string]any
	for _, key := range []string{"any", "all"} {
		for _, filter := range mappings(block[key]) {
			if resources, ok := filter["resources"].(map[string]any); ok {
				out = append(out, resources)
			}
		}
	}
	return out
}

func kindsOf(filters []map[string]any) []string {
	var out []string
	for _, f := range filters {
		for _, kind := range stringList(f["kinds"]) {
			out = append(out, kinds.Parse(kind).Name())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// replacePod is what a derived rule matches: filters with Pod get the
// controllers instead, other filters stay.
func replacePod(filters []map[string]any, controllers []string) []string {
	out := slices.Clone(controllers)
	for _, f := range filters {
		if kinds := kindsOf([]map[string]any{f}); !hasPod(kinds) {
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

func stringList(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
