package flux

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
)

// maxName is the maximal length of a Kustomization's name: Flux writes it into a
// label of every object that it applies, and the value of a label is limited to it.
const maxName = 63

func checkNames(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			if len(n.Name()) > maxName {
				p.report(n, codeNameTooLong, "shorten it", "has a name of %d characters, but at most %d are allowed", len(n.Name()), maxName)
			}
			if problems := validation.IsDNS1123Subdomain(n.Name()); len(problems) > 0 && len(n.Name()) <= maxName {
				p.report(n, codeName, "use lower-case letters, digits and -", "has a name that Kubernetes refuses: %q", n.Name())
			}
		}
	}
}

// reserved reports whether a workload of this name would replace a layer of this or
// a later gatehouse, or the root Kustomization. `flux bootstrap` names the root
// like its namespace, a FluxInstance like its source. The other checks do not see such a
// workload: they would report once more that two Kustomizations have one name.
func (p *proof) reserved(n *Node) bool {
	if n.Folder.Applied() {
		return false
	}
	flux, name := p.flux(n), n.Name()
	return name == flux.Namespace || name == flux.SourceName || name == layout.Root || strings.HasPrefix(name, layout.Root+"-")
}

func checkDuplicates(p *proof) {
	for _, c := range p.clusters {
		files := map[string]*Node{layout.Of(c.name).Index(): nil}
		for _, n := range c.written() {
			first, taken := files[n.Path()]
			switch {
			case taken && first == nil:
				p.report(n, codeDuplicate, "give it another name", "has the name of the folder's index file")
			case taken:
				p.report(later(first, n), codeDuplicate, "give it another name", "has the name of another Kustomization of the cluster")
			default:
				files[n.Path()] = n
			}
		}
	}
}

// later returns the node of the two that the user can rename: a workload, if one is.
func later(a, b *Node) *Node {
	if b.Folder.Applied() && !a.Folder.Applied() {
		return a
	}
	return b
}

func checkDangling(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			for _, d := range n.Kustomization.Spec.DependsOn {
				if c.byRef[depRef(n, d)] == nil {
					p.reportAt(n, cmp.Or(n.Waits[d.Name], n.At), codeDangling, c.meant(n, depRef(n, d)), "waits for %s, which does not exist in this cluster", depRef(n, d))
				}
			}
		}
	}
}

// meant is the hint for a reference to a Kustomization that a cluster does not have.
func (c *cluster) meant(n *Node, missing ref) string {
	var names []string
	for _, other := range c.nodes {
		if other != n && other.Kustomization.Namespace == missing.namespace {
			names = append(names, other.Name())
		}
	}
	if hint := diag.DidYouMean(missing.name, names); hint != "" || n.At.File == "" {
		return hint
	}
	return "name a workload of the profile; if your repository has the Kustomization already, make it one with create: false"
}

// checkCycles reports each cycle once, at the first of its nodes.
func checkCycles(p *proof) {
	for _, c := range p.clusters {
		done := map[*Node]bool{}
		var trail []*Node
		var walk func(n *Node)
		walk = func(n *Node) {
			for i, m := range trail {
				if m == n {
					p.report(n, codeCycle, "", "waits for itself: %s", arrows(append(trail[i:len(trail):len(trail)], n)))
					return
				}
			}
			if done[n] {
				return
			}
			trail = append(trail, n)
			for _, d := range c.deps(n) {
				walk(d)
			}
			trail = trail[:len(trail)-1]
			done[n] = true
		}
		for _, n := range c.nodes {
			walk(n)
		}
	}
}

func arrows(nodes []*Node) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name()
	}
	return strings.Join(names, " -> ")
}

func checkSources(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			for _, d := range c.deps(n) {
				a, b := n.Kustomization.Spec.SourceRef, d.Kustomization.Spec.SourceRef
				if a.Namespace == "" {
					a.Namespace = n.Kustomization.Namespace
				}
				if b.Namespace == "" {
					b.Namespace = d.Kustomization.Namespace
				}
				if a != b {
					p.report(n, codeTwoSources, "", "comes from %s %s/%s, but waits for %s from %s %s/%s",
						a.Kind, a.Namespace, a.Name, d.Name(), b.Kind, b.Namespace, b.Name)
				}
			}
		}
	}
}

// checkPaths refuses paths outside the source.
func checkPaths(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			raw := n.Kustomization.Spec.Path
			if path.IsAbs(raw) || raw != "" && !isLocal(raw) {
				p.report(n, codePath, "make it relative to the root of the source", "has the path %s, which is not inside the source", raw)
			}
		}
	}
}

// written returns the nodes that gatehouse writes, whose paths it knows.
func (c *cluster) written() []*Node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *Node) bool { return n.Existing })
}

func isLocal(raw string) bool {
	clean := path.Clean(raw)
	return clean != ".." && !strings.HasPrefix(clean, "../")
}

// overlap reports whether two Kustomizations with these paths would apply the same
// objects.
func overlap(a, b string) bool { return reach.Within(a, b) || reach.Within(b, a) }

// checkOverlaps refuses two Kustomizations that apply the same objects: each
// would take them over from the other, and delete those that it no longer lists.
func checkOverlaps(p *proof) {
	for _, c := range p.clusters {
		nodes := c.written()
		for i, a := range nodes {
			for _, b := range nodes[i+1:] {
				if n := later(a, b); n.Folder.Applied() || p.owned(n) == "" {
					p.checkOverlap(n, a, b)
				}
			}
			if dir := p.owned(a); !a.Folder.Applied() && dir != "" {
				p.report(a, codePathOverlap, "give it its own folder", "applies %s, which overlaps %s of gatehouse", a.Kustomization.Spec.Path, dir)
			}
		}
	}
}

func (p *proof) checkOverlap(n, a, b *Node) {
	other := a
	if n == a {
		other = b
	}
	if mine, theirs := n.Kustomization.Spec.Path, other.Kustomization.Spec.Path; overlap(mine, theirs) {
		p.report(n, codePathOverlap, "give it its own folder", "applies %s, which overlaps %s of %s", mine, theirs, other.Name())
	}
}

// owned returns the generated folder that a node's path overlaps, of any environment
// or cluster except the folder of the node's own cluster; empty if there is none.
func (p *proof) owned(n *Node) string {
	root := p.flux(n).Path
	dirs := []string{path.Join(root, layout.Environments)}
	for _, c := range p.clusters {
		if c.name != n.Cluster {
			dirs = append(dirs, path.Join(root, layout.Of(c.name).String()))
		}
	}
	for _, dir := range dirs {
		if overlap(n.Kustomization.Spec.Path, dir) {
			return dir
		}
	}
	return ""
}

// checkParents refuses a Kustomization that applies the Kustomizations of its own
// cluster, as only the root should. If it waits for one of them and that one for
// it, neither is ever applied.
func checkParents(p *proof) {
	for _, c := range p.clusters {
		for _, parent := range c.written() {
			dir := path.Join(p.flux(parent).Path, layout.Of(c.name).String())
			if !overlap(parent.Kustomization.Spec.Path, dir) {
				continue
			}
			hint := "give it a folder outside " + dir
			if child := deadlock(c, parent); child != nil {
				p.report(parent, codeParentWaits, hint, "applies the Kustomization %s, and each waits for the other", child.Name())
			} else {
				p.report(parent, codePathOverlap, hint, "applies %s, which the root Kustomization applies", dir)
			}
		}
	}
}

// deadlock returns a Kustomization that parent applies and waits for, or that waits
// for parent while parent waits for its health; nil if there is none.
func deadlock(c *cluster, parent *Node) *Node {
	for _, child := range c.nodes {
		if c.after(parent, child) || parent.Kustomization.Spec.Wait && c.after(child, parent) {
			return child
		}
	}
	return nil
}
