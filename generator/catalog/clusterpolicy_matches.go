package catalog

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Matches returns the kinds that the rules of a policy match, in order and each
// once. The kinds of the rules that Kyverno derives are not among them; see [Rules].
func Matches(policy map[string]any) []kinds.Ref {
	var found []kinds.Ref
	for _, rule := range rulesOf(policy) {
		for _, f := range filters(rule["match"]) {
			for _, kind := range stringList(f["kinds"]) {
				if ref := kinds.Parse(kind); !slices.Contains(found, ref) {
					found = append(found, ref)
				}
			}
		}
	}
	return found
}

// LookUps returns the paths of the API calls by which the rules of a policy read
// other objects of the cluster, as they are written, in order. They may hold variables.
func LookUps(policy map[string]any) []string {
	var paths []string
	for _, rule := range rulesOf(policy) {
		paths = append(paths, calls(rule)...)
	}
	return paths
}

// calls returns the paths of the API calls in a rule, or in a part of it that
// has a context of its own.
func calls(part map[string]any) []string {
	var paths []string
	for _, entry := range mappings(part["context"]) {
		if call, ok := entry["apiCall"].(map[string]any); ok {
			path, _ := call["urlPath"].(string)
			paths = append(paths, path)
		}
	}
	if validate, ok := part["validate"].(map[string]any); ok {
		paths = append(paths, calls(validate)...)
	}
	for _, each := range mappings(part["foreach"]) {
		paths = append(paths, calls(each)...)
	}
	return paths
}

// rulesOf returns the rules that a policy is written with.
func rulesOf(policy map[string]any) []map[string]any {
	spec, _ := policy["spec"].(map[string]any)
	return mappings(spec["rules"])
}

// mappings returns the mappings in a list.
func mappings(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
