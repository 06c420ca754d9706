package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// NotJudged is something with workloads that were not judged.
type NotJudged struct {
	// Kind is HelmRelease, Kustomization or chart.
	Kind string `json:"kind"`
	// Name is namespace/name of an object; empty for a chart, which is a folder.
	Name string `json:"name,omitempty"`
	diag.Position
	Reason string `json:"reason"`
}

// unrendered notes a HelmRelease in a file: its workloads come of a chart. Those of one in a
// cluster run there, and are judged.
func (r *Report) unrendered(w workload.Workload) {
	if w.Kind != "HelmRelease" || kinds.Group(w.APIVersion) != "helm.toolkit.fluxcd.io" || w.At.File == "" {
		return
	}
	n := NotJudged{Kind: w.Kind, Name: w.Namespace + "/" + w.Name, Position: w.At, Reason: "its chart is not rendered"}
	if !slices.Contains(r.NotJudged, n) {
		r.NotJudged = append(r.NotJudged, n)
	}
}

// list takes over the problems that are results: what was not judged, and why. It returns the
// others, and the errors, which the user has to see where problems are printed.
func (r *Report) list(problems diag.List) diag.List {
	rest := diag.List{}
	for _, d := range problems {
		switch {
		case d.Severity == diag.Error:
			r.Unread = append(r.Unread, d)
			rest = append(rest, d)
		case d.Code == fluxtree.CodeUnreached:
			r.Unreached = append(r.Unreached, d)
		case d.Code == fluxtree.CodeSource:
			name, reason, _ := strings.Cut(strings.TrimPrefix(d.Summary, "Kustomization "), ": not judged: ")
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: "Kustomization", Name: name, Position: d.Position, Reason: reason})
		case d.Code == workload.CodeChart:
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: "chart", Position: d.Position, Reason: "it has to be rendered"})
		default:
			rest = append(rest, d)
		}
	}
	slices.SortFunc(r.NotJudged, func(a, b NotJudged) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return rest
}

// maxNamed is the number of things that a summary names.
const maxNamed = 10

// gaps returns sentences about all that was not judged, unless r has findings about it.
func (r *Report) gaps() []string {
	var lines []string
	for _, kind := range []string{"HelmRelease", "Kustomization", "chart"} {
		var names []string
		for _, n := range r.NotJudged {
			if n.Kind == kind {
				names = append(names, cmp.Or(n.Name, n.File))
			}
		}
		if len(names) > 0 {
			lines = append(lines, "not judged: "+counted(len(names), map[string]string{"chart": "Helm chart"}[kind], kind)+": "+named(names))
		}
	}
	var places []string
	for _, d := range r.Unreached {
		places = append(places, d.File)
	}
	if len(places) > 0 {
		lines = append(lines, "not reached: "+counted(len(places), "file or folder", "")+" that nothing applies: "+named(places))
	}
	return lines
}

// counted returns a number with the name of what is counted.
func counted(n int, what, otherwise string) string {
	what = cmp.Or(what, otherwise)
	switch {
	case n == 1:
		return "1 " + what
	case what == "file or folder":
		return fmt.Sprintf("%d files or folders", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// named lists names, each once.
func named(names []string) string {
	names = slices.Compact(names)
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
