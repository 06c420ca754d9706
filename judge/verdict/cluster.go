package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// cluster is a cluster of one environment, as far as Kyverno minds it.
type cluster struct {
	plan   *plan.Plan
	env    plan.Environment
	params engine.LoadParams
	loaded map[string]bool // policies that the engine accepted, by name

	trials  map[string]*imageTrial // of the image rules, by the name of the policy
	digests map[string]string      // of the images that the engine has
}

// newCluster collects what the bundle brings to an environment.
func newCluster(b *generator.Bundle, env plan.Environment) (*cluster, error) {
	k := &cluster{plan: b.Plan, env: env, params: engine.LoadParams{ExceptionNamespace: b.Plan.ExceptionNamespace}, loaded: map[string]bool{}}
	read := slices.ContainsFunc(env.Policies, func(p plan.Policy) bool { return len(p.LookUps) > 0 })
	for _, f := range b.Files {
		if f.Folder.Environment != env.Name {
			continue
		}
		for _, o := range f.Objects {
			if err := k.add(o, read); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
		}
	}
	return k, nil
}

// add gives the engine an object if it has a use for it: policies may read others only if read is true.
func (k *cluster) add(o manifest.Object, read bool) error {
	var into *[]json.RawMessage
	switch o.Kind() {
	case "ClusterPolicy":
		into = &k.params.Policies
	case "PolicyException":
		into = &k.params.Exceptions
	case "ConfigMap":
		into = &k.params.ConfigMaps
	case "Namespace":
		labels := map[string]string{}
		for key := range o.Map("metadata", "labels") {
			labels[key] = o.String("metadata", "labels", key)
		}
		k.params.Namespaces = append(k.params.Namespaces, engine.Namespace{Name: o.Name(), Labels: labels})
		return nil
	case "NetworkPolicy":
		into = &k.params.Objects
	}
	if into == nil || into == &k.params.Objects && !read {
		return nil
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", o.ID(), err)
	}
	*into = append(*into, raw)
	return nil
}

func isException(object string) bool { return strings.HasPrefix(object, "PolicyException/") }

// place is a namespace in which something is tried.
type place struct {
	tier, namespace string
	// labels of the namespace; nil for those that it has in the bundle.
	labels map[string]string
}

// places are where a tier is tried: a namespace of the bundle for which no
// exception holds, else one that only has the label; for the last tier also one
// that the profile does not know. Rules that read the cluster are tried where
// there is nothing to be read.
func (k *cluster) places(tier string, empty bool) []place {
	out := []place{k.labelled(tier)}
	if i := slices.IndexFunc(k.env.Namespaces, func(n plan.Namespace) bool { return n.Tier == tier && !k.excepted(n.Name) }); i >= 0 && !empty {
		out[0] = place{tier: tier, namespace: k.env.Namespaces[i].Name}
	}
	if tier == k.plan.LastTier() {
		out = append(out, place{tier: tier, namespace: catalog.TestNamespace("unknown"), labels: map[string]string{}})
	}
	return out
}

// labelled is a namespace that is not in the bundle.
func (k *cluster) labelled(tier string) place {
	return place{tier: tier, namespace: catalog.TestNamespace(tier), labels: map[string]string{v1alpha1.LabelTier: tier}}
}

// excepted tells whether an exception holds in the namespace.
func (k *cluster) excepted(namespace string) bool {
	return slices.ContainsFunc(k.env.Exceptions, func(x plan.Exception) bool { return slices.Contains(x.Namespaces, namespace) })
}

// action of a policy for an object: one for cluster-scoped kinds is staged as a
// whole, and a cluster-scoped object of another one counts for the last tier.
func (k *cluster) action(policy plan.Policy, tier string) plan.Action {
	if tier == "" {
		tier = k.plan.LastTier()
	}
	return policy.ActionIn(tier)
}
