package flux

import (
	"sync"

	"github.com/fluxcd/pkg/apis/kustomize"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// The ways in which Kyverno and the API server say that a policy is in force. By default Flux uses
// kstatus, which calls a policy without a status healthy, and every CEL policy
// whatever its status (kyverno/kyverno#12256). If the field is absent, the expression
// fails, which counts as unknown, and Flux asks again.
const (
	legacyReady = `has(status.conditions) && status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')`
	celReady    = `has(status.conditionStatus) && has(status.conditionStatus.ready) && status.conditionStatus.ready`
	// nativeReady waits for kube-controller-manager, which checks the types of expressions.
	nativeReady = `has(status.observedGeneration) && status.observedGeneration == metadata.generation && (!has(status.typeChecking) || !has(status.typeChecking.expressionWarnings))`
)

// healthExpr returns the expression that is true if a policy of a kind is in force.
// It is empty for kinds that do not report this. PolicyException has no status, so
// there must never be an expression for it.
func healthExpr(k kinds.Kind) string {
	switch k.InForce {
	case kinds.ReadyCondition:
		return legacyReady
	case kinds.ReadyStatus:
		return celReady
	case kinds.ObservedGeneration:
		return nativeReady
	}
	return ""
}

// healthKinds returns the kinds of policies that say whether they are in force. It is asked for each pair
// of layers.
var healthKinds = sync.OnceValue(func() []groupKind {
	var found []groupKind
	for _, k := range kinds.Policies() {
		if healthExpr(k) != "" {
			found = append(found, groupKind{k.Group, k.Kind})
		}
	}
	return found
})

// healthExprs returns the health check of each kind of policy. There is no
// `failed`: a policy is not ready for a moment after each change, and a failure
// would end the wait at once (docs/flux-traps.md#health-of-policies).
func healthExprs(of []groupKind) []kustomize.CustomHealthCheck {
	var exprs []kustomize.CustomHealthCheck
	for _, gk := range of {
		k, _ := kinds.Find(gk.group, gk.kind)
		exprs = append(exprs, kustomize.CustomHealthCheck{
			APIVersion:             k.APIVersion(),
			Kind:                   k.Kind,
			HealthCheckExpressions: kustomize.HealthCheckExpressions{Current: healthExpr(k)},
		})
	}
	return exprs
}

// exprOf is what Flux calls the health expressions of one kind.
type exprOf = kustomize.CustomHealthCheck

// kindOf returns the kind that an expression is for. Flux ignores the version.
func kindOf(e exprOf) groupKind { return groupKind{kinds.Group(e.APIVersion), e.Kind} }
