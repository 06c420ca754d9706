package flux

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// eachPair calls f with every pair of nodes of each cluster, a node and itself included.
func (p *proof) eachPair(f func(c *cluster, n, other *Node)) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			for _, other := range c.nodes {
				f(c, n, other)
			}
		}
	}
}

// checkCRDs requires that a kind exists before an object of it is applied.
func checkCRDs(p *proof) {
	p.eachPair(func(c *cluster, n, provider *Node) {
		for _, k := range slices.SortedFunc(maps.Keys(p.content(n).kinds), byKind) {
			switch {
			case !p.content(provider).provides[k.group] || c.after(n, provider):
			case n == provider:
				p.report(n, codeCRDAfterCR, "", "holds a %s and brings the CRD itself: neither would ever be applied", k.kind)
			default:
				p.report(n, codeCRDAfterCR, "", "holds a %s and does not wait for %s, which brings the CRD", k.kind, provider.Name())
			}
		}
	})
}

// checkExecuted requires that something in the cluster acts on each object: a policy that
// nothing executes would be applied, and refuse nothing.
func checkExecuted(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			for _, k := range slices.SortedFunc(maps.Keys(p.content(n).kinds), byKind) {
				if kind, known := kinds.Find(k.group, k.kind); known && !p.kyverno(n).Executes(kind) {
					p.report(n, codeUnexecuted, "", "holds a %s of %s, which nothing in the cluster executes", k.kind, k.group)
				}
			}
		}
	}
}

func byKind(a, b groupKind) int {
	return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.kind, b.kind))
}

// checkRBAC requires that Kyverno may read what a policy matches before the policy
// is applied.
func checkRBAC(p *proof) {
	p.eachPair(func(c *cluster, n, rbac *Node) {
		if len(p.content(n).policyKinds()) > 0 && p.content(rbac).aggregated && !c.after(n, rbac) {
			p.report(n, codeRBACAfterPolicy, "", "holds policies and does not wait for %s, which lets Kyverno read what they match", rbac.Name())
		}
	})
}

// checkExceptions requires that exceptions are applied before the policies that they
// waive.
func checkExceptions(p *proof) {
	p.eachPair(func(c *cluster, n, exceptions *Node) {
		if len(p.content(n).policyKinds()) > 0 && p.content(exceptions).exceptions() && !c.after(n, exceptions) {
			p.report(n, codeExceptionAfterPolicy, "", "holds policies and does not wait for %s, which holds the exceptions from them", exceptions.Name())
		}
	})
}

// checkNamespaces requires that a namespace exists before an object in it is
// applied. Within a layer Flux takes care of that.
func checkNamespaces(p *proof) {
	for _, c := range p.clusters {
		homes := map[string]*Node{}
		for _, n := range c.nodes {
			for ns := range p.content(n).creates {
				homes[ns] = n
			}
		}
		for _, n := range c.nodes {
			missing := map[*Node]string{} // the first namespace of each home
			for ns := range p.content(n).needs {
				home := homes[ns]
				if home == nil || home == n || c.after(n, home) {
					continue
				}
				if first, ok := missing[home]; !ok || ns < first {
					missing[home] = ns
				}
			}
			for home, ns := range missing {
				p.report(n, codeNamespaceAfterObject, "", "has objects in the namespace %s and does not wait for %s, which creates it", ns, home.Name())
			}
		}
	}
}

// checkWorkloads requires that workloads are applied after the layers that guard them.
func checkWorkloads(p *proof) {
	p.eachPair(func(c *cluster, n, guard *Node) {
		guards := p.table.layer(guard.Folder.Kind).guards
		if !n.Folder.Applied() && guards && !c.after(n, guard) {
			p.report(n, codeWorkloadEarly, "", "does not wait for %s", guard.Name())
		}
	})
}
