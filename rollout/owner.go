package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The labels by which Flux marks what a Kustomization applied.
const (
	ownerName      = "kustomize.toolkit.fluxcd.io/name"
	ownerNamespace = "kustomize.toolkit.fluxcd.io/namespace"
)

// owner returns the Kustomization that applied an object; nil if none did.
func owner(o manifest.Object) manifest.Object {
	name := o.String("metadata", "labels", ownerName)
	if name == "" {
		return nil
	}
	return identity(kustomizationAPI, "Kustomization", o.String("metadata", "labels", ownerNamespace), name)
}

// ofRoot reports whether the root of the target applied an object.
func (t *Target) ofRoot(o manifest.Object) bool {
	by := owner(o)
	return by != nil && by.Name() == layout.Root && by.Namespace() == t.Namespace
}

// leaveOwned leaves the source and the root to the Kustomization that applies them,
// if there is one: they are in a repository, and a second manager would fight it.
func (b *Bootstrap) leaveOwned(ctx context.Context, c *checks) {
	b.Objects = slices.DeleteFunc(slices.Clone(b.Objects), func(o manifest.Object) bool {
		if o.Kind() != "Kustomization" && o.Kind() != b.Target.SourceKind {
			return false
		}
		live, err := c.client.Get(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
		if err != nil || owner(live) == nil { // other checks report the error
			return false
		}
		c.checkOwned(o, live)
		return true
	})
}

// checkOwned compares an object that another Kustomization applies with ours.
func (c *checks) checkOwned(ours, live manifest.Object) {
	by := display(owner(live))
	var differ []string
	for _, key := range []string{"path", "sourceRef", "serviceAccountName", "url", "ref"} {
		want, is := ours.Value("spec", key), live.Value("spec", key)
		if fmt.Sprint(want) != fmt.Sprint(is) {
			differ = append(differ, changes("spec."+key, is, want, true)...)
		}
	}
	switch {
	case len(differ) > 0:
		c.wrong("gatehouse bootstrap --export prints what to commit there", "%s applies %s, which differs: %s", by, display(ours), strings.Join(differ, ", "))
	case ours.Kind() == "Kustomization" && prunes(live):
		c.warn("set its deletionPolicy to Orphan, as gatehouse bootstrap --export prints", "%s applies %s: if it leaves the repository, Flux deletes policies and exceptions in no order", by, display(ours))
	default:
		c.ok("%s applies %s", by, display(ours))
	}
}

// kustomizations lists those of all namespaces; none if the cluster has no Flux.
func kustomizations(ctx context.Context, client *kube.Client) ([]manifest.Object, error) {
	all, err := client.List(ctx, kustomizationAPI, "Kustomization", "", "")
	if err != nil && !kube.IsAbsent(err) {
		return nil, fmt.Errorf("listing Kustomizations: %w", err)
	}
	return all, nil
}
