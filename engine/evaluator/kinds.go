package evaluator

import (
	"fmt"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data"
	"github.com/kyverno/kyverno/ext/wildcard"
	"github.com/kyverno/kyverno/pkg/clients/dclient"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kindInfo is what discovery says about a kind.
type kindInfo struct {
	resource   string
	namespaced bool
}

// kindTable holds the kinds of a plain Kubernetes cluster.
type kindTable map[schema.GroupVersionKind]kindInfo

// builtinKinds reads the discovery document that Kyverno's CLI embeds.
func builtinKinds() (kindTable, error) {
	groups, err := data.APIGroupResources()
	if err != nil {
		return nil, fmt.Errorf("reading the discovery document of the Kyverno module: %w", err)
	}
	table := kindTable{}
	for _, group := range groups {
		for version, resources := range group.VersionedResources {
			for _, r := range resources {
				gvk := schema.GroupVersionKind{Group: group.Group.Name, Version: version, Kind: r.Kind}
				if _, found := table[gvk]; found {
					continue // subresources share the kind of their parent, which comes first
				}
				table[gvk] = kindInfo{resource: r.Name, namespaced: r.Namespaced}
			}
		}
	}
	return table, nil
}

// resource returns the resource name of a kind; for a custom kind the one that its CRD has by convention.
func (t kindTable) resource(gvk schema.GroupVersionKind) schema.GroupVersionResource {
	if info, found := t[gvk]; found {
		return gvk.GroupVersion().WithResource(info.resource)
	}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	return plural
}

// oneKind answers discovery as a cluster would that has a single kind. Kyverno's policy cache then keeps exactly the
// policies that have a rule for that kind.
type oneKind struct {
	gvk         schema.GroupVersionKind
	resource    string
	subresource string
}

// FindResources implements policycache.ResourceFinder. All four arguments may hold wildcards.
func (k oneKind) FindResources(group, version, kind, subresource string) (map[dclient.TopLevelApiDescription]metav1.APIResource, error) {
	found := map[dclient.TopLevelApiDescription]metav1.APIResource{}
	if !wildcard.Match(group, k.gvk.Group) || !wildcard.Match(version, k.gvk.Version) || !wildcard.Match(kind, k.gvk.Kind) {
		return found, nil
	}
	// The plain resource counts also for a request to a subresource: from "Pod" the cache derives pods/ephemeralcontainers.
	for _, sub := range []string{"", k.subresource} {
		if wildcard.Match(subresource, sub) {
			found[dclient.TopLevelApiDescription{
				GroupVersion: k.gvk.GroupVersion(), Kind: k.gvk.Kind, Resource: k.resource, SubResource: sub,
			}] = metav1.APIResource{}
		}
	}
	return found, nil
}
