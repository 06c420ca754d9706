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

// bareGroups are the groups of kinds that policies also name without one.
func bareGroup(kind string) string {
	switch kind {
	case "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
		return "rbac.authorization.k8s.io"
	case "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet":
		return "apps"
	case "CronJob", "Job":
		return "batch"
	case "Ingress", "NetworkPolicy":
		return "networking.k8s.io"
	}
	return ""
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
		for _, rule := range policy.Rules {
			for _, text := range rule.Kinds {
				gk := parseKind(text)
				if readable(gk) || unreadable(gk) || !nameable(gk) {
					continue
				}
				plural, _ := meta.UnsafeGuessKindToResource(gk.WithVersion(""))
				if !slices.Contains(resources[gk.Group], plural.Resource) {
					resources[gk.Group] = append(resources[gk.Group], plural.Resource)
				}
			}
		}
	}
	return resources
}

// nameable tells whether RBAC has a name for the kind: not for a wildcard, which
// would be read access to everything.
func nameable(gk schema.GroupKind) bool {
	return gk.Kind != "" && !strings.ContainsAny(gk.Group+gk.Kind, "*?")
}

// parseKind reads Kyverno's [group/][version/]Kind[/subresource]; only a kind
// begins with a capital letter. The core group is written as its version alone.
func parseKind(text string) schema.GroupKind {
	parts := strings.Split(text, "/")
	for i, part := range parts {
		if part == "" || part[0] < 'A' || part[0] > 'Z' {
			continue
		}
		switch i {
		case 0:
			return schema.GroupKind{Group: bareGroup(part), Kind: part}
		case 1:
			if parts[0] != "v1" { // */Kind: any version of whatever group has it
				return schema.GroupKind{Group: bareGroup(part), Kind: part}
			}
			return schema.GroupKind{Kind: part}
		}
		return schema.GroupKind{Group: parts[0], Kind: part}
	}
	return schema.GroupKind{}
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
