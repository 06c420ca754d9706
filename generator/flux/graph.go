package flux

import (
	"path"
	"slices"

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
	// Existing is set for a workload that the repository of the user has. It is not
	// written, and only its name, namespace, source and dependencies are known.
	Existing bool
	// Kustomization is the object that is written.
	Kustomization kustomizev1.Kustomization
	// At is where the profile asks for the workload; unknown for a layer.
	At diag.Position
	// Waits says where the profile has the names that the workload waits for.
	Waits map[string]diag.Position
}

// Name returns the name of the Kustomization.
func (n *Node) Name() string { return n.Kustomization.Name }

// WaitsFor returns the names of the Kustomizations that the node waits for.
func (n *Node) WaitsFor() []string {
	names := []string{}
	for _, d := range n.Kustomization.Spec.DependsOn {
		names = append(names, d.Name)
	}
	return names
}

// Existing returns the workloads of an environment that gatehouse does not write, as
// they must be in each of its clusters.
func (g *Graph) Existing(environment string) []Node {
	var found []Node
	for _, n := range g.Nodes {
		if n.Existing && n.Environment == environment && !slices.ContainsFunc(found, func(o Node) bool { return o.Name() == n.Name() }) {
			found = append(found, n)
		}
	}
	return found
}

// Path returns the path of the file that holds the node.
func (n *Node) Path() string { return path.Join(layout.Of(n.Cluster).String(), n.Name()+".yaml") }
