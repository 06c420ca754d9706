package cel

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// labelName is the label with its name that the API server sets on every namespace.
const labelName = "kubernetes.io/metadata.name"

// selector selects namespaces of a tier. The suffix makes the name of the object unique.
type selector struct {
	suffix string
	labels map[string]any
}

// selectors return disjoint selectors for the namespaces of the tier: by the label that
// only a deployer may set, and by name those that gatehouse does not create. A namespace
// without the label, or with an unknown tier, belongs to the last tier. The system
// namespaces belong to none, and a policy of cluster-scoped objects spares them, too.
func (o *object) selectors() []selector {
	if o.tier == "" {
		return []selector{{"", map[string]any{"matchExpressions": []any{expression(labelName, "NotIn", o.env.SystemNamespaces)}}}}
	}
	if o.family.open {
		return o.open()
	}
	return selectors(o.plan, o.env, []string{o.tier}, o.scope())
}

// open returns disjoint selectors for the namespaces of the tier that the profile does not
// have. Labels name those that gatehouse creates, and a tenant can set one of the two only:
// who has one without the other is judged.
func (o *object) open() []selector {
	labels := selectors(o.plan, o.env, []string{o.tier}, o.scope())[0].labels
	by := func(key, operator string, values ...string) map[string]any {
		more := map[string]any{"key": key, "operator": operator}
		if len(values) > 0 {
			more["values"] = list(values)
		}
		return map[string]any{"matchExpressions": append(slices.Clone(labels["matchExpressions"].([]any)), more)}
	}
	all := []selector{{"", by(v1alpha1.LabelManagedBy, "NotIn", v1alpha1.ManagedBy)}}
	if o.tier == o.plan.LastTier() {
		without := by(v1alpha1.LabelTier, "DoesNotExist")
		without["matchLabels"] = map[string]any{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
		all = append(all, selector{".managed", without})
	}
	return all
}

// selectors return disjoint selectors for the namespaces of some tiers that are in a scope.
func selectors(p *plan.Plan, env plan.Environment, tiers []string, scope plan.Scope) []selector {
	named := env.SelectedByName(p.Tiers)
	others := slices.DeleteFunc(slices.Clone(p.Tiers), func(t string) bool { return slices.Contains(tiers, t) })
	byLabel := []any{expression(labelName, "NotIn", slices.Concat(env.SystemNamespaces, named, scope.Exclude))}
	if len(scope.Include) > 0 {
		byLabel = append(byLabel, expression(labelName, "In", scope.Include))
	}
	switch {
	case !slices.Contains(tiers, p.LastTier()):
		byLabel = append([]any{expression(v1alpha1.LabelTier, "In", tiers)}, byLabel...)
	case len(others) > 0:
		byLabel = append([]any{expression(v1alpha1.LabelTier, "NotIn", others)}, byLabel...)
	}
	all := []selector{{"", map[string]any{"matchExpressions": byLabel}}}
	if names := scope.Of(env.SelectedByName(tiers)); len(names) > 0 {
		all = append(all, selector{".named", map[string]any{"matchExpressions": []any{expression(labelName, "In", names)}}})
	}
	return all
}

func expression(key, operator string, values []string) any {
	return map[string]any{"key": key, "operator": operator, "values": list(values)}
}

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
