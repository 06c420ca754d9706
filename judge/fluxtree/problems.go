package fluxtree

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Problem is something wrong with what was read, and whose it is.
type Problem struct {
	diag.Diagnostic
	// Roots are the folders of the clusters that it is about, sorted. Empty if that cannot be told: what
	// no root leads to, or is applied to another cluster, may be about any.
	Roots []string `json:"clusters,omitempty"`
}

// Problems is a list of them; the zero value is empty and ready.
type Problems []Problem

// Add appends a problem. Without roots, it may be about any cluster.
func (p *Problems) Add(d diag.Diagnostic, roots ...string) {
	if d.Severity == "" {
		d.Severity = diag.Error
	}
	*p = append(*p, Problem{d, roots})
}

// Sort returns the problems in the order of [diag.List], each once, with all its roots. One that
// was also met where its cluster is not known has none.
func (p Problems) Sort() Problems {
	roots, unknown := map[diag.Diagnostic][]string{}, map[diag.Diagnostic]bool{}
	for _, one := range p {
		roots[one.Diagnostic] = append(roots[one.Diagnostic], one.Roots...)
		unknown[one.Diagnostic] = unknown[one.Diagnostic] || len(one.Roots) == 0
	}
	var all Problems
	for _, d := range p.List().Sort() {
		one := Problem{Diagnostic: d}
		if !unknown[d] {
			slices.Sort(roots[d])
			one.Roots = slices.Compact(roots[d])
		}
		all = append(all, one)
	}
	return all
}

// List returns the problems without their roots.
func (p Problems) List() diag.List {
	var list diag.List
	for _, one := range p {
		list = append(list, one.Diagnostic)
	}
	return list
}

// HasErrors reports whether something was not read.
func (p Problems) HasErrors() bool { return p.List().HasErrors() }
