package flux

import (
	"fmt"
	"slices"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Prove checks that Flux can apply the graph in an order that never leaves a
// cluster exposed or locked out, and that nothing of the previous build is deleted
// by accident. It does not rely on [Build].
//
// files are all files of the output that lie in a layer, with the index of each;
// those of the graph itself may be among them. prior is the lock of the previous
// build, nil for the first. existing lists the files in the output folder now,
// relative to it, with slashes.
func Prove(p *plan.Plan, g *Graph, files []manifest.File, prior *manifest.Lock, existing []string) diag.List {
	return layers().prove(p, g, files, prior, existing)
}

func (t table) prove(p *plan.Plan, g *Graph, files []manifest.File, prior *manifest.Lock, existing []string) diag.List {
	pr := &proof{table: t, plan: p, graph: g, files: files, prior: prior, existing: existing, contents: t.contents(files)}
	for i := range g.Nodes {
		if n := &g.Nodes[i]; pr.reserved(n) {
			pr.report(n, codeNameReserved, "give it another name", "has the name of a Kustomization that gatehouse or Flux itself needs")
		} else {
			pr.add(n)
		}
	}
	for _, check := range []func(*proof){
		checkNames, checkDuplicates, checkDangling, checkCycles, checkSources, checkPaths, checkOverlaps, checkParents,
		checkTimes, checkSettings, checkPrune, checkGates, checkHealth, checkSubstitution,
		checkCRDs, checkExecuted, checkRBAC, checkExceptions, checkNamespaces, checkWorkloads,
		checkApplied, checkIndexes, checkStray, checkMoves, checkRenames,
	} {
		check(pr)
	}
	return pr.list.Sort()
}

// proof holds what the checks share.
type proof struct {
	table    table
	plan     *plan.Plan
	graph    *Graph
	files    []manifest.File
	prior    *manifest.Lock
	existing []string
	contents map[layout.Folder]*content
	clusters []*cluster
	list     diag.List
}

// cluster is the part of the graph that lies in one cluster.
type cluster struct {
	name  string
	nodes []*Node
	byRef map[ref]*Node
	// reach caches the nodes that a node waits for, directly or not.
	reach map[*Node]map[*Node]bool
}

// ref names a Kustomization in a cluster.
type ref struct{ namespace, name string }

func (r ref) String() string { return r.namespace + "/" + r.name }

func refOf(n *Node) ref { return ref{n.Kustomization.Namespace, n.Kustomization.Name} }

// depRef resolves the namespace that a dependency leaves out.
func depRef(n *Node, d kustomizev1.DependencyReference) ref {
	if d.Namespace == "" {
		return ref{n.Kustomization.Namespace, d.Name}
	}
	return ref{d.Namespace, d.Name}
}

func (p *proof) add(n *Node) {
	i := slices.IndexFunc(p.clusters, func(c *cluster) bool { return c.name == n.Cluster })
	if i < 0 {
		i = len(p.clusters)
		p.clusters = append(p.clusters, &cluster{name: n.Cluster, byRef: map[ref]*Node{}, reach: map[*Node]map[*Node]bool{}})
	}
	c := p.clusters[i]
	c.nodes = append(c.nodes, n)
	if c.byRef[refOf(n)] == nil {
		c.byRef[refOf(n)] = n
	}
}

// report adds a finding about a node, with its place in the profile if it has one,
// otherwise with the name of its cluster.
func (p *proof) report(n *Node, code, hint, format string, args ...any) {
	p.reportAt(n, n.At, code, hint, format, args...)
}

// reportAt is report with another place in the profile.
func (p *proof) reportAt(n *Node, at diag.Position, code, hint, format string, args ...any) {
	summary := fmt.Sprintf(format, args...)
	if n.At.File == "" {
		summary = fmt.Sprintf("cluster %s: Kustomization %s ", n.Cluster, n.Name()) + summary
	} else {
		summary = fmt.Sprintf("workload %s ", n.Name()) + summary
	}
	p.list.Add(diag.Diagnostic{Code: code, Position: at, Summary: summary, Hint: hint})
}

// deps returns the nodes that n waits for directly, without those that do not exist.
func (c *cluster) deps(n *Node) []*Node {
	var found []*Node
	for _, d := range n.Kustomization.Spec.DependsOn {
		if dep := c.byRef[depRef(n, d)]; dep != nil {
			found = append(found, dep)
		}
	}
	return found
}

// after reports whether n is applied after other because it waits for it, directly
// or not.
func (c *cluster) after(n, other *Node) bool {
	if c.reach[n] == nil {
		found := map[*Node]bool{}
		var walk func(*Node)
		walk = func(m *Node) {
			for _, d := range c.deps(m) {
				if !found[d] {
					found[d] = true
					walk(d)
				}
			}
		}
		walk(n)
		c.reach[n] = found
	}
	return c.reach[n][other]
}

// kyverno returns the Kyverno of the cluster of a node.
func (p *proof) kyverno(n *Node) plan.Kyverno {
	env, _ := p.plan.Environment(n.Environment)
	return env.Kyverno
}

// flux returns how the layers reach the cluster of a node.
func (p *proof) flux(n *Node) plan.Flux {
	env, _ := p.plan.Environment(n.Environment)
	return env.Flux
}

// content returns the content of the layer that a node applies; a workload has none.
func (p *proof) content(n *Node) *content {
	if c := p.contents[n.Folder]; c != nil {
		return c
	}
	return &content{}
}
