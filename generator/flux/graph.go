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
	// Kustomization is the object that is written.
	Kustomization kustomizev1.Kustomization
	// At is where the profile asks for the workload; unknown for a layer.
	At diag.Position
}

// Name returns the name of the Kustomization.
func (n *Node) Name() string { return n.Kustomization.Name }

// Path returns the path of the file that holds the node.
func (n *Node) Path() string { return path.Join(layout.Of(n.Cluster).String(), n.Name()+".yaml") }
