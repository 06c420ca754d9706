package cel

import (
	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
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
	named := o.env.SelectedByName(o.plan.Tiers)
	tier := expression(v1alpha1.LabelTier, "In", []string{o.tier})
	if o.tier == o.plan.LastTier() {
		if tier = expression(v1alpha1.LabelTier, "NotIn", o.others()); len(o.plan.Tiers) == 1 {
			tier = nil
		}
	}
	byLabel := []any{expression(labelName, "NotIn", append(append([]string{}, o.env.SystemNamespaces...), named...))}
	if tier != nil {
		byLabel = append([]any{tier}, byLabel...)
	}
	all := []selector{{"", map[string]any{"matchExpressions": byLabel}}}
	if names := o.env.SelectedByName([]string{o.tier}); len(names) > 0 {
		all = append(all, selector{".named", map[string]any{"matchExpressions": []any{expression(labelName, "In", names)}}})
	}
	return all
}

// others returns the other tiers.
func (o *object) others() []string {
	var tiers []string
	for _, t := range o.plan.Tiers {
		if t != o.tier {
			tiers = append(tiers, t)
		}
	}
	return tiers
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
