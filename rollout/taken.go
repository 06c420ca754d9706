package rollout

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The annotations by which Helm marks what it installed.
const (
	helmName      = "meta.helm.sh/release-name"
	helmNamespace = "meta.helm.sh/release-namespace"
)

// checkTaken looks for what exists in the cluster under the names of the repository, or
// decides beside it what its policies do.
func (b *Bootstrap) checkTaken(ctx context.Context, c *checks) {
	b.checkPolicies(ctx, c)
	b.checkNamespaces(ctx, c)
	b.checkExceptions(ctx, c)
}

// manager says who manages an object: a Kustomization, a Helm release, or empty.
func manager(o manifest.Object) string {
	if by := owner(o); by != nil {
		return display(by)
	}
	if name := o.String("metadata", "annotations", helmName); name != "" {
		return called("Helm release", o.String("metadata", "annotations", helmNamespace), name)
	}
	return ""
}

// ofLayer reports whether a layer of the target applied an object.
func (t *Target) ofLayer(o manifest.Object) bool {
	by := owner(o)
	if by == nil || by.Namespace() != t.Namespace {
		return false
	}
	_, layer := layout.ParseKustomization(by.Name())
	return layer
}

// listed lists the objects of a kind; none if the kind is not served. It reports an error.
func (c *checks) listed(ctx context.Context, apiVersion, kind string) []manifest.Object {
	all, err := c.client.List(ctx, apiVersion, kind, "", "")
	if err != nil && !kube.IsAbsent(err) {
		c.wrong("", "listing %s: %v", kind, err)
	}
	return all
}

// checkPolicies refuses to overwrite the policies of others: Flux would, and the policy
// would no longer refuse what it refused until now.
func (b *Bootstrap) checkPolicies(ctx context.Context, c *checks) {
	done := map[string]bool{}
	for _, p := range b.Target.Policies {
		if done[p.Kind()+p.Group()] {
			continue
		}
		done[p.Kind()+p.Group()] = true
		for _, live := range c.listed(ctx, p.APIVersion(), p.Kind()) {
			if b.Target.ofLayer(live) || !slices.ContainsFunc(b.Target.Policies, func(o manifest.Object) bool { return o.ID() == live.ID() }) {
				continue
			}
			c.wrong("audit with gatehouse under another name first: switch the control off, or remove the policy if no one relies on it",
				"%s is not from this repository (%s): Flux would overwrite it, and it would stop refusing what it refuses", display(live), cmp.Or(manager(live), "applied by hand"))
		}
	}
}

// checkNamespaces refuses namespaces with two owners, and warns of labels that put a
// namespace that the profile does not know into a tier.
func (b *Bootstrap) checkNamespaces(ctx context.Context, c *checks) {
	for _, live := range c.listed(ctx, "v1", "Namespace") {
		by, tier := manager(live), live.String("metadata", "labels", v1alpha1.LabelTier)
		created, known := slices.Contains(b.Target.Creates, live.Name()), slices.Contains(b.Target.Namespaces, live.Name())
		switch {
		case created && by != "" && !b.Target.ofLayer(live):
			c.wrong("set create: false for it in spec.namespaces, and build again", "%s manages %s, which the repository has, too: if one of them gives it up, the other may lose it", by, display(live))
		case !created && !known && tier != "":
			c.warn("remove the label, or add the namespace to the profile", "%s has the label %s, and the profile does not know it: policies judge it as tier %q", display(live), v1alpha1.LabelTier, tier)
		}
	}
}

// checkExceptions warns of the exceptions of others: those that do not count where those
// of the repository do, so that policies that are there already refuse what they exempted,
// and those that count, and may exempt from policies of the repository.
func (b *Bootstrap) checkExceptions(ctx context.Context, c *checks) {
	if b.Target.Kyverno.Absent {
		return
	}
	counts := b.Target.Kyverno.ExceptionNamespace
	var inside, outside []string
	for _, k := range kinds.All() {
		if k.Kind != "PolicyException" {
			continue
		}
		for _, x := range c.listed(ctx, k.APIVersion(), k.Kind) {
			switch name := x.Namespace() + "/" + x.Name(); {
			case x.Namespace() != counts:
				outside = append(outside, name)
			case !b.Target.ofLayer(x):
				inside = append(inside, name)
			}
		}
	}
	if len(outside) > 0 {
		c.warn("move them there, or set spec.exceptions.namespace of the profile to where they are", "PolicyExceptions outside %s do not count: %s", counts, strings.Join(outside, ", "))
	}
	if len(inside) > 0 {
		c.warn("write them as Exceptions of the profile, which end", "PolicyExceptions in %s are not from this repository: %s", counts, strings.Join(inside, ", "))
	}
}
