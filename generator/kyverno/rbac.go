package kyverno

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// aggregateTo begins the labels with which the chart's ClusterRoles of Kyverno's
// controllers aggregate the rules of other roles.
const aggregateTo = "rbac.kyverno.io/aggregate-to-"

// admissionRules returns the resources, by group, that the admission controller must
// read: those that the rules of an environment look up. What a rule may not read is an
// error of the rule, or not there, as the rule says.
func admissionRules(env plan.Environment) map[string][]string {
	resources := map[string][]string{}
	for _, policy := range env.Judges() {
		if policy.Strictest() != plan.Off {
			addLookUps(resources, policy)
		}
	}
	return resources
}

// addLookUps adds what the rules of a policy look up.
func addLookUps(resources map[string][]string, policy plan.Policy) {
	for _, path := range policy.LookUps {
		group, resource := lookedUp(path)
		granted := slices.ContainsFunc(kinds.All(), func(k kinds.Kind) bool { return k.KyvernoReads && k.Group == group && k.Plural == resource })
		secret := group == "" && resource == "secrets" // as in unreadable
		if resource != "" && !granted && !secret && !slices.Contains(resources[group], resource) {
			resources[group] = append(resources[group], resource)
		}
	}
}

// reportsRules returns the resources, by group, that the reports controller must read:
// those that the policies of an environment match or look up in the background, and
// nothing else. Without them a policy has no reports, and a CEL policy is never ready.
func reportsRules(env plan.Environment) map[string][]string {
	resources := map[string][]string{}
	for _, policy := range env.Judges() {
		if !policy.Control.Background || policy.Strictest() == plan.Off {
			continue
		}
		addLookUps(resources, policy)
		add := func(group, resource string) {
			if !slices.Contains(resources[group], resource) {
				resources[group] = append(resources[group], resource)
			}
		}
		for _, ref := range policy.Matches {
			for _, k := range unreadable(ref) {
				add(k.Group, k.Plural)
			}
		}
		if policy.Target == catalog.ValidatingPolicy {
			subresources(policy, add)
		}
	}
	return resources
}

// subresources adds those that a policy in CEL judges: Kyverno asks for each, also where it
// may read the objects. A check of Pods judges what is added to Pods that run.
func subresources(policy plan.Policy, add func(group, resource string)) {
	for _, c := range policy.Checks() {
		if c.OfPods() {
			add("", "pods/ephemeralcontainers")
		}
		for _, ref := range c.Kinds {
			for _, k := range ref.Kinds() {
				if ref.Subresource != "" {
					add(k.Group, k.Plural+"/"+ref.Subresource)
				}
			}
		}
	}
}

// unreadable returns the kinds of a reference that Kyverno's controllers must be
// allowed to read: those of its group, or all of its name where it has none. All of a
// group that is named and not the core group, if the kind is "*". For any other wildcard
// those of the table if both the group and the kind are narrowed, and none if not, which
// would be read access to everything. None for a kind that is not in the table and has no
// group, and none for Secrets: a report about them is not worth read access to every
// Secret of the cluster.
func unreadable(ref kinds.Ref) []kinds.Kind {
	if ref.Kind == "*" && ref.Group != "" && !strings.ContainsAny(ref.Group, "*?") {
		return []kinds.Kind{{Group: ref.Group, Kind: "*", Plural: "*"}}
	}
	glob := strings.ContainsAny(ref.Kind, "*?") || ref.Group != "*" && strings.ContainsAny(ref.Group, "*?")
	if glob && (ref.Kind == "*" || ref.Group == "*") {
		return nil
	}
	found := ref.Kinds()
	if len(found) == 0 && !glob && ref.Group != "*" && ref.Group != "" {
		gvk := schema.GroupVersionKind{Group: ref.Group, Kind: ref.Kind}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		found = []kinds.Kind{{Group: ref.Group, Kind: ref.Kind, Plural: plural.Resource}}
	}
	return slices.DeleteFunc(found, func(k kinds.Kind) bool {
		return k.KyvernoReads || k.Group == "" && k.Kind == "Secret"
	})
}

// variable is a variable of Kyverno without another one in it.
var variable = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// lookedUp returns the group and the resource of a path in the API, such as
// /apis/apps/v1/namespaces/{{ request.namespace }}/deployments. The resource is empty if
// the path names none, or a variable decides it.
func lookedUp(path string) (group, resource string) {
	const unknown = "{}"
	for variable.MatchString(path) {
		path = variable.ReplaceAllString(path, unknown)
	}
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return "", ""
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if strings.Contains(group+parts[0], unknown) {
		return "", ""
	}
	return group, parts[0]
}

// readRole returns a ClusterRole that the chart's aggregated ClusterRole of a controller
// includes. Its name ends in short.
func readRole(controller, short string, resources map[string][]string) manifest.Object {
	labels := managed()
	labels[aggregateTo+controller] = "true"
	var rules []any
	for _, group := range slices.Sorted(maps.Keys(resources)) {
		rules = append(rules, map[string]any{
			"apiGroups": []any{group}, "resources": list(slices.Sorted(slices.Values(resources[group]))), "verbs": []any{"get", "list", "watch"},
		})
	}
	return manifest.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
		"metadata": map[string]any{"name": "gatehouse-kyverno-" + short, "labels": labels},
		"rules":    rules,
	}
}
