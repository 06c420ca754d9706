package flux

import (
	"github.com/fluxcd/pkg/apis/kustomize"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Kyverno's two ways to say that a policy is in force. kstatus, which Flux
// judges by otherwise, calls a policy healthy that has no status yet, and every
// CEL policy whatever its status (kyverno/kyverno#12256). Where the field is
// absent the expression fails, which counts as unknown, and Flux asks again.
const (
	legacyReady = `has(status.conditions) && status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')`
	celReady    = `has(status.conditionStatus) && has(status.conditionStatus.ready) && status.conditionStatus.ready`
)

// healthExpr returns the expression by which a policy of a kind is in force;
// empty for kinds that do not say it. PolicyException has no status, so there
// must never be one for it.
func healthExpr(k kinds.Kind) string {
	switch k.InForce {
	case kinds.ReadyCondition:
		return legacyReady
	case kinds.ReadyStatus:
		return celReady
	}
	return ""
}

// healthKinds returns the kinds of policies that say whether they are in force.
func healthKinds() []groupKind {
	var found []groupKind
	for _, k := range kinds.Policies() {
		if healthExpr(k) != "" {
			found = append(found, groupKind{k.Group, k.Kind})
		}
	}
	return found
}

// healthExprs says for each kind when a policy is in force. There is no
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

// kindOf is the kind that an expression is for; Flux ignores the version.
func kindOf(e exprOf) groupKind { return groupKind{kinds.Group(e.APIVersion), e.Kind} }
