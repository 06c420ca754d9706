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

// cluster is the part of an environment's cluster that matters to Kyverno.
type cluster struct {
	plan   *plan.Plan
	env    plan.Environment
	params engine.LoadParams
	loaded map[string]bool // policies that the engine accepted, by name
	scans  map[string]bool // policies that Kyverno also asks about what exists, by name

	trials  map[string]*imageTrial // of the image rules, by policy name
	digests map[string]string      // of the images that the engine has
}

// newCluster collects the objects of an environment from the bundle.
func newCluster(b *generator.Bundle, env plan.Environment) (*cluster, error) {
	k := &cluster{plan: b.Plan, env: env, params: engine.LoadParams{ExceptionNamespace: b.Plan.ExceptionNamespace}, loaded: map[string]bool{}, scans: map[string]bool{}}
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

// add adds an object to the parameters for the engine, if the engine uses it. Objects
// that policies look up are added only if read is true.
func (k *cluster) add(o manifest.Object, read bool) error {
	var into *[]json.RawMessage
	switch o.Kind() {
	case "ClusterPolicy":
		into = &k.params.Policies
		k.scans[o.Name()] = o.Value("spec", "background") != false
	case "ValidatingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
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

// place is a namespace in which a document is checked.
type place struct {
	tier, namespace string
	// labels of the namespace; if nil, it has its labels from the bundle.
	labels map[string]string
}

// places returns the namespaces in which a policy is checked in a tier: a namespace of the
// bundle without exceptions, or else one that has only the label of the tier; and one that
// policies select by name, with the label of another tier. The last tier is also checked
// in a namespace that the profile does not list. A policy that does not judge in all
// namespaces is checked on both sides of its scope. If the policy reads the cluster, the
// namespaces contain no objects.
func (k *cluster) places(policy plan.Policy, tier string) []place {
	out, empty := []place{k.labelled(tier)}, len(policy.LookUps) > 0
	if name := k.without(policy, tier, false); name != "" && !empty {
		out[0] = place{tier: tier, namespace: name}
	}
	if name := k.without(policy, tier, true); name != "" && !empty {
		out = append(out, place{tier: tier, namespace: name, labels: k.forged(tier)})
	}
	if tier == k.plan.LastTier() {
		out = append(out, place{tier: tier, namespace: catalog.TestNamespace("unknown"), labels: map[string]string{}})
	}
	return append(out, k.scoped(policy, tier, out[0], empty)...)
}

// scoped returns namespaces of a tier for which the scope of a policy makes a difference:
// the first that it excludes; or where it includes some, one that it does not, and the first
// that it includes of those that the profile does not list. first is checked already.
func (k *cluster) scoped(policy plan.Policy, tier string, first place, empty bool) []place {
	var out []place
	if len(policy.Scope.Include) > 0 && policy.Scope.Covers(first.namespace) {
		out = append(out, k.labelled(tier))
	}
	for _, name := range slices.Concat(policy.Scope.Include, policy.Scope.Exclude) {
		i := slices.IndexFunc(k.env.Namespaces, func(n plan.Namespace) bool { return n.Name == name })
		at := place{tier: tier, namespace: name}
		switch {
		case k.plan.TierOf(k.env, name) != tier || k.excepted(name) || slices.Contains(k.env.SystemNamespaces, name):
			continue
		case i < 0:
			at.labels = map[string]string{}
		case empty || len(policy.Scope.Include) > 0: // the profile has put objects in it, or it is checked already
			continue
		case k.env.Namespaces[i].Existing:
			at.labels = k.forged(tier)
		}
		return append(out, at)
	}
	return out
}

// labelled returns a namespace that is not in the bundle, with the label of the tier.
func (k *cluster) labelled(tier string) place {
	return place{tier: tier, namespace: catalog.TestNamespace(tier), labels: map[string]string{v1alpha1.LabelTier: tier}}
}

// without returns a namespace of a tier in which a policy judges and no exception applies,
// one that exists already or one of the bundle; empty if there is none.
func (k *cluster) without(policy plan.Policy, tier string, existing bool) string {
	for _, n := range k.env.Namespaces {
		if n.Tier == tier && n.Existing == existing && policy.Scope.Covers(n.Name) && !k.excepted(n.Name) {
			return n.Name
		}
	}
	return ""
}

// forged returns the label of another tier; no label if there is only one tier.
func (k *cluster) forged(tier string) map[string]string {
	for _, other := range k.plan.Tiers {
		if other != tier {
			return map[string]string{v1alpha1.LabelTier: other}
		}
	}
	return map[string]string{}
}

// excepted reports whether an exception applies in the namespace.
func (k *cluster) excepted(namespace string) bool {
	return slices.ContainsFunc(k.env.Exceptions, func(x plan.Exception) bool { return slices.Contains(x.Namespaces, namespace) })
}

// scansAll reports whether Kyverno asks all objects of a policy about what exists.
func (k *cluster) scansAll(policy plan.Policy) bool {
	return !slices.ContainsFunc(k.names(policy), func(name string) bool { return !k.scans[name] })
}

// action returns the action of a policy in a namespace that is in a tier. Cluster-scoped
// objects have neither; they get the action of the last tier.
func (k *cluster) action(policy plan.Policy, namespace, tier string) plan.Action {
	if tier == "" {
		tier = k.plan.LastTier()
	}
	return policy.ActionFor(namespace, tier)
}
