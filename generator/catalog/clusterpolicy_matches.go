package catalog

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Matches returns the distinct kinds that the rules of a ClusterPolicy match, in order.
// It leaves out the kinds of the rules that Kyverno derives; see [Rules].
func Matches(policy map[string]any) []kinds.Ref {
	var found []kinds.Ref
	for _, rule := range rulesOf(policy) {
		for _, f := range filters(rule.Map("match")) {
			for _, kind := range f.Strings("kinds") {
				if ref := kinds.Parse(kind); !slices.Contains(found, ref) {
					found = append(found, ref)
				}
			}
		}
	}
	return found
}

// LookUps returns the paths of the API calls by which the rules of a ClusterPolicy
// read other objects of the cluster, as written and in order. They may hold
// variables.
func LookUps(policy map[string]any) []string {
	var paths []string
	for _, rule := range rulesOf(policy) {
		paths = append(paths, calls(rule)...)
	}
	return paths
}

// calls returns the paths of the API calls in a rule, or in a part of a rule that has
// its own context.
func calls(part manifest.Object) []string {
	var paths []string
	for _, entry := range part.Maps("context") {
		if entry["apiCall"] != nil {
			paths = append(paths, entry.String("apiCall", "urlPath"))
		}
	}
	for _, each := range slices.Concat(part.Maps("validate", "foreach"), part.Maps("foreach")) {
		paths = append(paths, calls(each)...)
	}
	return paths
}

// rulesOf returns the rules that a policy is written with.
func rulesOf(policy map[string]any) []manifest.Object {
	return manifest.Object(policy).Maps("spec", "rules")
}
