package flux

import (
	"path"
	"slices"
	"strconv"
	"strings"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
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
	// Layer is the folder of the output that the node applies; empty for a workload.
	Layer string
	// Kustomization as it is written.
	Kustomization kustomizev1.Kustomization
	// At is where the profile asked for it; unknown for a layer.
	At diag.Position
}

// Name of the Kustomization.
func (n *Node) Name() string { return n.Kustomization.Name }

// Path of the file that holds the node.
func (n *Node) Path() string { return path.Join(indexDir(n.Cluster), n.Name()+".yaml") }

// indexDir is the folder with the Kustomizations of one cluster: the path that
// the root Kustomization of that cluster applies.
func indexDir(cluster string) string { return path.Join("clusters", cluster, "gatehouse") }

// layersDir holds the layers of all environments.
const layersDir = "environments"

// The kinds of layers, which are the names of their folders.
const (
	kindNamespaces = "namespaces"
	kindKyverno    = "kyverno"
	kindRBAC       = "kyverno-rbac"
	kindTrust      = "trust"
	kindExceptions = "exceptions"
	kindPolicies   = "policies"
	kindNetwork    = "network"
)

// layerKinds lists the kinds of layers in the order in which they are applied.
func layerKinds() []string {
	return []string{kindNamespaces, kindNetwork, kindKyverno, kindRBAC, kindTrust, kindExceptions, kindPolicies}
}

// follows lists the kinds of layers that one waits for, beside the namespaces
// that its objects live in.
func follows(kind string) []string {
	switch kind {
	case kindRBAC, kindTrust:
		return []string{kindKyverno}
	case kindExceptions:
		return []string{kindRBAC}
	case kindPolicies:
		// All namespaces, because tiers are read from their labels.
		return []string{kindExceptions, kindTrust, kindNamespaces}
	}
	// What a policy demands must not come after it: network rules wait for their
	// namespaces only (docs/adr/0011-network-rules-do-not-wait-for-policies.md).
	return nil
}

// pruned tells whether Flux deletes what disappears from a layer of this kind.
// A namespace takes everything in it along, and without Kyverno its webhooks
// would block the cluster: both are removed by hand.
func pruned(kind string) bool { return kind != kindNamespaces && kind != kindKyverno }

// layer is a parsed layer folder.
type layer struct {
	folder string // environments/prod/network-02
	env    string // prod
	kind   string // network
	shard  int    // 2; 1 for the first, which has no number
}

// parseLayer reads environments/<env>/<kind>[-<shard>]; false for any other folder.
func parseLayer(folder string) (layer, bool) {
	parts := strings.Split(folder, "/")
	if len(parts) != 3 || parts[0] != layersDir {
		return layer{}, false
	}
	kind, shard, ok := parseBase(parts[2])
	return layer{folder, parts[1], kind, shard}, ok
}

// parseBase reads <kind>[-<shard>].
func parseBase(base string) (kind string, shard int, ok bool) {
	if slices.Contains(layerKinds(), base) {
		return base, 1, true
	}
	i := strings.LastIndexByte(base, '-')
	if i < 0 || !slices.Contains(layerKinds(), base[:i]) {
		return "", 0, false
	}
	shard, err := strconv.Atoi(base[i+1:])
	return base[:i], shard, err == nil && shard > 1
}

// nodeName is the name of the Kustomization of a layer.
func nodeName(folder string) string { return namePrefix + path.Base(folder) }

const namePrefix = "gatehouse-"
