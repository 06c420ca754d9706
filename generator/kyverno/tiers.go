package kyverno

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// labelName is the label with its name that the API server sets on every namespace.
const labelName = "kubernetes.io/metadata.name"

// exclusions keeps a policy away from the system namespaces, from the tiers where it is off
// and from the namespaces that its scope leaves out, and a policy that asks for a closed
// network away from namespaces that are not closed yet. Excluding by namespace keeps Kyverno's autogen on.
func exclusions(p *plan.Plan, env plan.Environment, policy plan.Policy, off []string) []any {
	exclude := []any{map[string]any{"resources": map[string]any{"namespaces": list(env.SystemNamespaces)}}}
	if open := env.WaitingToClose(); len(open) > 0 && policy.Control.Follows == catalog.DefaultDeny {
		exclude = append(exclude, map[string]any{"resources": map[string]any{"namespaces": list(open)}})
	}
	if names := policy.Scope.Exclude; len(names) > 0 {
		exclude = append(exclude, map[string]any{"resources": map[string]any{"namespaces": list(names)}})
	}
	if len(off) == 0 || policy.Control.ClusterScoped {
		return exclude
	}
	exclude = append(exclude, map[string]any{"resources": map[string]any{"namespaceSelector": selector(p, env, tierExpression(p, off), off)}})
	if names := env.SelectedByName(off); len(names) > 0 {
		exclude = append(exclude, map[string]any{"resources": map[string]any{"namespaces": list(names)}})
	}
	return exclude
}

// within limits a rule to the namespaces that a scope includes. Kyverno compares the name of
// the namespace of the request, and needs no labels, which it may not know yet of a new one.
func within(rule map[string]any, scope plan.Scope) {
	if len(scope.Include) == 0 {
		return
	}
	for _, filter := range rule["match"].(map[string]any)["any"].([]any) {
		filter.(map[string]any)["resources"].(map[string]any)["namespaces"] = list(scope.Include)
	}
}

// closed excludes the namespaces of the profile, which default-deny closes. They are not
// asked for a default deny: Flux applies the NetworkPolicies and the policy at the same
// time, and removes them so, and in between good Pods would be refused. Labels select
// those that gatehouse creates; the tier is the one of the two that only a deployer may
// set. The others have names.
func closed(p *plan.Plan, env plan.Environment) []any {
	created := map[string]any{
		"matchLabels":      map[string]any{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		"matchExpressions": []any{map[string]any{"key": v1alpha1.LabelTier, "operator": "Exists"}},
	}
	out := []any{map[string]any{"resources": map[string]any{"namespaceSelector": created}}}
	if names := env.SelectedByName(p.Tiers); len(names) > 0 {
		out = append(out, map[string]any{"resources": map[string]any{"namespaces": list(names)}})
	}
	return out
}

// auditOverrides audits the namespaces of the audited tiers in a policy that enforces.
// Those that are off never get here, so where the last tier is audited, everything but
// the enforced tiers is.
func auditOverrides(p *plan.Plan, env plan.Environment, enforced, audited []string) []any {
	labels := expression(v1alpha1.LabelTier, "In", audited)
	if slices.Contains(audited, p.LastTier()) {
		labels = expression(v1alpha1.LabelTier, "NotIn", enforced)
	}
	overrides := []any{map[string]any{"action": plan.Audit.String(), "namespaceSelector": selector(p, env, labels, audited)}}
	if names := env.SelectedByName(audited); len(names) > 0 {
		overrides = append(overrides, map[string]any{"action": plan.Audit.String(), "namespaces": list(names)})
	}
	return overrides
}

// tierExpression selects the namespaces of some tiers by their labels. Namespaces
// without the label, or with an unknown tier, belong to the last tier. In Kyverno a
// cluster-scoped object has no namespace labels, so it belongs to the last tier too if a
// policy judges both cluster-scoped and namespaced objects.
func tierExpression(p *plan.Plan, tiers []string) any {
	if !slices.Contains(tiers, p.LastTier()) {
		return expression(v1alpha1.LabelTier, "In", tiers)
	}
	return expression(v1alpha1.LabelTier, "NotIn", others(p, tiers))
}

// selector returns a selector for the labels of some tiers, without the namespaces that
// other tiers select by name: labels that gatehouse did not set decide nothing.
func selector(p *plan.Plan, env plan.Environment, labels any, tiers []string) map[string]any {
	expressions := []any{labels}
	if named := env.SelectedByName(others(p, tiers)); len(named) > 0 {
		expressions = append(expressions, expression(labelName, "NotIn", named))
	}
	return map[string]any{"matchExpressions": expressions}
}

func expression(key, operator string, values []string) any {
	return map[string]any{"key": key, "operator": operator, "values": list(values)}
}

// others returns the other tiers, in order.
func others(p *plan.Plan, tiers []string) []string {
	return slices.DeleteFunc(slices.Clone(p.Tiers), func(t string) bool { return slices.Contains(tiers, t) })
}
