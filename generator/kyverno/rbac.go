package kyverno

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// aggregateToReports is the label by which the chart's ClusterRole of the
// reports controller takes up the rules of others.
const aggregateToReports = "rbac.kyverno.io/aggregate-to-reports-controller"

// readable tells whether Kyverno's controllers may read a kind without our help:
// through the chart's own roles and its binding to the ClusterRole view.
func readable(gk schema.GroupKind) bool {
	kinds := map[string][]string{
		"": {"ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "PersistentVolumeClaim", "Pod", "ReplicationController",
			"ResourceQuota", "Service", "ServiceAccount"},
		"apps":              {"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
		"autoscaling":       {"HorizontalPodAutoscaler"},
		"batch":             {"CronJob", "Job"},
		"discovery.k8s.io":  {"EndpointSlice"},
		"networking.k8s.io": {"Ingress", "NetworkPolicy"},
		"policy":            {"PodDisruptionBudget"},
		"kyverno.io":        {"ClusterPolicy", "GlobalContextEntry", "Policy", "PolicyException"},
		"policies.kyverno.io": {"GeneratingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "NamespacedGeneratingPolicy",
			"NamespacedImageValidatingPolicy", "NamespacedMutatingPolicy", "NamespacedValidatingPolicy", "PolicyException", "ValidatingPolicy"},
	}
	return slices.Contains(kinds[gk.Group], gk.Kind)
}

// bareKind finds the group of a kind that a policy names without one; false for
// a kind that Kubernetes itself does not have, whose group nobody can know.
func bareKind(kind string) (schema.GroupKind, bool) {
	switch kind {
	case "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
		return schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: kind}, true
	case "IngressClass":
		return schema.GroupKind{Group: "networking.k8s.io", Kind: kind}, true
	case "StorageClass":
		return schema.GroupKind{Group: "storage.k8s.io", Kind: kind}, true
	case "Node", "PersistentVolume":
		return schema.GroupKind{Kind: kind}, true
	}
	return schema.GroupKind{}, false // also the kinds that are readable anyway
}

// unreadable stay so: a report about Secrets is not worth read access to every
// Secret of the cluster.
func unreadable(gk schema.GroupKind) bool { return gk == schema.GroupKind{Kind: "Secret"} }

// reportsRules lets the reports controller read what the policies of an
// environment match in the background, and nothing else: the resources by group.
// Without it the policy has no reports, and a CEL policy is never ready.
func reportsRules(env plan.Environment) map[string][]string {
	resources := map[string][]string{}
	for _, policy := range env.Policies {
		if !policy.Background || policy.Strictest() == plan.Off {
			continue
		}
		for _, text := range matchedKinds(policy.Body) {
			gk, ok := parseKind(text)
			if !ok || readable(gk) || unreadable(gk) {
				continue
			}
			plural, _ := meta.UnsafeGuessKindToResource(gk.WithVersion(""))
			if !slices.Contains(resources[gk.Group], plural.Resource) {
				resources[gk.Group] = append(resources[gk.Group], plural.Resource)
			}
		}
	}
	return resources
}

// matchedKinds are the kinds that the rules of a ClusterPolicy match, with group
// and version as they are written. Those of autogen are readable anyway.
func matchedKinds(body map[string]any) []string {
	var kinds []string
	spec, _ := body["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	for _, rule := range rules {
		r, _ := rule.(map[string]any)
		match, _ := r["match"].(map[string]any)
		filters := []any{match}
		for _, key := range []string{"any", "all"} {
			more, _ := match[key].([]any)
			filters = append(filters, more...)
		}
		for _, filter := range filters {
			f, _ := filter.(map[string]any)
			resources, _ := f["resources"].(map[string]any)
			texts, _ := resources["kinds"].([]any)
			for _, text := range texts {
				if s, ok := text.(string); ok {
					kinds = append(kinds, s)
				}
			}
		}
	}
	return kinds
}

// parseKind reads Kyverno's [group/][version/]Kind[/subresource]; only a kind
// begins with a capital letter. The core group is written as its version alone.
// False for a wildcard, which would be read access to everything, and for a kind
// whose group is not known.
func parseKind(text string) (schema.GroupKind, bool) {
	parts := strings.Split(text, "/")
	i := slices.IndexFunc(parts, func(part string) bool { return part != "" && part[0] >= 'A' && part[0] <= 'Z' })
	switch {
	case i < 0 || strings.ContainsAny(parts[i], "*?"):
		return schema.GroupKind{}, false
	case i == 0 || i == 1 && parts[0] != "v1": // */Kind: any version of whatever group has it
		return bareKind(parts[i])
	case i == 1:
		return schema.GroupKind{Kind: parts[i]}, true
	}
	return schema.GroupKind{Group: parts[0], Kind: parts[i]}, !strings.ContainsAny(parts[0], "*?")
}

// reportsRole is a ClusterRole that the chart's aggregated one takes up.
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
