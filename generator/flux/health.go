package flux

import (
	"strings"

	"github.com/fluxcd/pkg/apis/kustomize"
)

// Kyverno's two ways to say that a policy is in force. kstatus, which Flux
// judges by otherwise, calls a policy healthy that has no status yet, and every
// CEL policy whatever its status (kyverno/kyverno#12256). Where the field is
// absent the expression fails, which counts as unknown, and Flux asks again.
const (
	legacyReady = `has(status.conditions) && status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')`
	celReady    = `has(status.conditionStatus) && has(status.conditionStatus.ready) && status.conditionStatus.ready`
)

// healthKinds are the kinds of Kyverno policies that tell whether they are in
// force. PolicyException has no status, so it must never be among them.
func healthKinds() []groupKind {
	kinds := []groupKind{{groupKyverno, "ClusterPolicy"}, {groupKyverno, "Policy"}}
	for _, k := range []string{"ValidatingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "GeneratingPolicy", "DeletingPolicy"} {
		kinds = append(kinds, groupKind{groupPolicies, k}, groupKind{groupPolicies, "Namespaced" + k})
	}
	return kinds
}

// healthExprs says for each kind when a policy is in force. There is no
// `failed`: a policy is not ready for a moment after each change, and a failure
// would end the wait at once (docs/flux-traps.md#health-of-policies).
func healthExprs(kinds []groupKind) []kustomize.CustomHealthCheck {
	var exprs []kustomize.CustomHealthCheck
	for _, k := range kinds {
		current := celReady
		if k.group == groupKyverno {
			current = legacyReady
		}
		exprs = append(exprs, kustomize.CustomHealthCheck{
			APIVersion:             k.group + "/v1",
			Kind:                   k.kind,
			HealthCheckExpressions: kustomize.HealthCheckExpressions{Current: current},
		})
	}
	return exprs
}

// exprOf is what Flux calls the health expressions of one kind.
type exprOf = kustomize.CustomHealthCheck

// kindOf is the kind that an expression is for; Flux ignores the version.
func kindOf(e exprOf) groupKind {
	group, _, _ := strings.Cut(e.APIVersion, "/")
	return groupKind{group, e.Kind}
}
