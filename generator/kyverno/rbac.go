package kyverno

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// aggregateToReports is the label with which the chart's ClusterRole of the reports
// controller aggregates the rules of other roles.
const aggregateToReports = "rbac.kyverno.io/aggregate-to-reports-controller"

// reportsRules returns the resources, by group, that the reports controller must read:
// those that the policies of an environment match in the background, and nothing
// else. Without them a policy has no reports, and a CEL policy is never ready.
func reportsRules(env plan.Environment) map[string][]string {
	resources := map[string][]string{}
	for _, policy := range env.Judges() {
		if !policy.Control.Background || policy.Strictest() == plan.Off {
			continue
		}
		for _, ref := range policy.Matches {
			for _, k := range unreadable(ref) {
				if !slices.Contains(resources[k.Group], k.Plural) {
					resources[k.Group] = append(resources[k.Group], k.Plural)
				}
			}
		}
	}
	return resources
}

// unreadable returns the kinds of a reference that Kyverno's controllers must be
// allowed to read: those of its group, or all of its name where it has none. All of a
// group that is named and not the core group, if the kind is "*". None for any other
// wildcard, which would be read access to everything, and for a kind that is not in
// the table and has no group; nor for Secrets: a report about them is not worth read
// access to every Secret of the cluster.
func unreadable(ref kinds.Ref) []kinds.Kind {
	if ref.Kind == "*" && ref.Group != "" && !strings.ContainsAny(ref.Group, "*?") {
		return []kinds.Kind{{Group: ref.Group, Kind: "*", Plural: "*"}}
	}
	if strings.ContainsAny(ref.Kind, "*?") || ref.Group != "*" && strings.ContainsAny(ref.Group, "*?") {
		return nil
	}
	found := ref.Kinds()
	if len(found) == 0 && ref.Group != "*" && ref.Group != "" {
		gvk := schema.GroupVersionKind{Group: ref.Group, Kind: ref.Kind}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		found = []kinds.Kind{{Group: ref.Group, Kind: ref.Kind, Plural: plural.Resource}}
	}
	return slices.DeleteFunc(found, func(k kinds.Kind) bool {
		return k.KyvernoReads || k.Group == "" && k.Kind == "Secret"
	})
}

// reportsRole returns a ClusterRole that the chart's aggregated ClusterRole includes.
func reportsRole(resources map[string][]string) manifest.Object {
	labels := managed()
	labels[aggregateToReports] = "true"
	var rules []any
	for _, group := range slices.Sorted(maps.Keys(resources)) {
		rules = append(rules, map[string]any{
			"apiGroups": []any{group}, "resources": list(slices.Sorted(slices.Values(resources[group]))), "verbs": []any{"get", "list", "watch"},
		})
	}
	return manifest.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
		"metadata": map[string]any{"name": "gatehouse-kyverno-reports", "labels": labels},
		"rules":    rules,
	}
}
