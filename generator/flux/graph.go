package flux

import (
	"path"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// Graph is the Flux Kustomizations of all clusters. Its nodes are sorted by
// cluster, then in an order in which they can be applied.
type Graph struct {
	Nodes []Node
}

// Node is one Flux Kustomization in one cluster.
type Node struct {
	Cluster     string
	Environment string
	// Folder is the layer that the node applies; zero for a workload.
	Folder layout.Folder
	// Kustomization as it is written.
	Kustomization kustomizev1.Kustomization
	// At is where the profile asked for it; unknown for a layer.
	At diag.Position
}

// Name of the Kustomization.
func (n *Node) Name() string { return n.Kustomization.Name }

// Path of the file that holds the node.
func (n *Node) Path() string { return path.Join(layout.Of(n.Cluster).String(), n.Name()+".yaml") }

// layerKinds lists the kinds of layers in the order in which they are applied.
func layerKinds() []layout.Kind {
	return []layout.Kind{layout.Namespaces, layout.Network, layout.Kyverno, layout.KyvernoRBAC, layout.Trust, layout.Exceptions, layout.Policies}
}

// follows lists the kinds of layers that one waits for, beside the namespaces
// that its objects live in.
func follows(kind layout.Kind) []layout.Kind {
	switch kind {
	case layout.KyvernoRBAC, layout.Trust:
		return []layout.Kind{layout.Kyverno}
	case layout.Exceptions:
		return []layout.Kind{layout.KyvernoRBAC}
	case layout.Policies:
		// All namespaces, because tiers are read from their labels.
		return []layout.Kind{layout.Exceptions, layout.Trust, layout.Namespaces}
	}
	// What a policy demands must not come after it: network rules wait for their
	// namespaces only (docs/adr/0011-network-rules-do-not-wait-for-policies.md).
	return nil
}

// pruned tells whether Flux deletes what disappears from a layer of this kind.
// A namespace takes everything in it along, and without Kyverno its webhooks
// would block the cluster: both are removed by hand.
func pruned(kind layout.Kind) bool { return kind != layout.Namespaces && kind != layout.Kyverno }
