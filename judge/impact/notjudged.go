package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// NotJudged is something with workloads that were not judged.
type NotJudged struct {
	// Kind is HelmRelease, Kustomization, ResourceSet or chart.
	Kind string `json:"kind"`
	// Name is namespace/name of an object; empty for a chart, which is a folder.
	Name string `json:"name,omitempty"`
	diag.Position
	Reason string `json:"reason"`
	// Part is set if it was judged with made-up values: Reason says for what.
	Part bool `json:"part,omitempty"`
}

// Rendered is a HelmRelease that was rendered, in all places where it is applied.
type Rendered struct {
	// Name is namespace/name.
	Name string `json:"name"`
	diag.Position
	// Chart that was taken: its name, its version and where it comes from.
	Chart string `json:"chart"`
}

// list takes over the problems that are results: what was not read or judged, and why. It returns
// the others.
func (r *Report) list(problems fluxtree.Problems) diag.List {
	rest := diag.List{}
	for _, p := range problems {
		d := p.Diagnostic
		switch {
		case d.Severity == diag.Error:
			r.Unread = append(r.Unread, p)
		case d.Code == fluxtree.CodeUnreached:
			r.Unreached = append(r.Unreached, d)
		case d.Code == fluxtree.CodeSource:
			name, reason, _ := strings.Cut(strings.TrimPrefix(d.Summary, "Kustomization "), ": not judged: ")
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: "Kustomization", Name: name, Position: d.Position, Reason: reason})
		case d.Code == fluxtree.CodeRelease:
			name, reason := release(d, fluxtree.SaidNotJudged)
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: "HelmRelease", Name: name, Position: d.Position, Reason: reason})
		case d.Code == fluxtree.CodeMade:
			kind, named, _ := strings.Cut(d.Summary, " ")
			name, reason, _ := strings.Cut(named, fluxtree.SaidNotJudged)
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: kind, Name: name, Position: d.Position, Reason: reason})
		case d.Code == fluxtree.CodePart:
			name, reason := release(d, fluxtree.SaidPart)
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: "HelmRelease", Name: name, Position: d.Position, Reason: reason, Part: true})
		case d.Code == fluxtree.CodeRendered:
			name, chart := release(d, fluxtree.SaidRendered)
			r.Rendered = append(r.Rendered, Rendered{Name: name, Position: d.Position, Chart: strings.TrimPrefix(chart, "chart ")})
		case d.Code == workload.CodeChart:
			r.NotJudged = append(r.NotJudged, NotJudged{Kind: "chart", Position: d.Position, Reason: "it has to be rendered"})
		default:
			rest = append(rest, d)
		}
	}
	slices.SortFunc(r.NotJudged, func(a, b NotJudged) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	slices.SortFunc(r.Rendered, func(a, b Rendered) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Chart, b.Chart))
	})
	return rest
}

// sentence says what was not judged, and why.
func (n NotJudged) sentence() string {
	return fmt.Sprintf("%s: %s %s: %s", n.what(), n.Kind, cmp.Or(n.Name, n.File), n.Reason)
}

func (n NotJudged) what() string {
	if n.Part {
		return "judged in part"
	}
	return "not judged"
}

// release returns the name of a HelmRelease, and what a problem says of it.
func release(d diag.Diagnostic, between string) (name, said string) {
	name, said, _ = strings.Cut(strings.TrimPrefix(d.Summary, "HelmRelease "), between)
	return name, said
}

// maxNamed is the number of things that a summary names.
const maxNamed = 10

// gaps returns sentences about all that was not judged, unless r has findings about it.
func (r *Report) gaps() []string {
	var lines []string
	for _, kind := range []string{"HelmRelease", "Kustomization", "ResourceSet", "chart"} {
		if kind == "Kustomization" {
			lines = append(lines, r.kustomizations()...)
			continue
		}
		if names := r.names(kind, false); len(names) > 0 {
			lines = append(lines, "not judged: "+counted(len(names), map[string]string{"chart": "Helm chart"}[kind], kind)+": "+named(names))
		}
	}
	if slices.ContainsFunc(r.NotJudged, func(n NotJudged) bool { return strings.HasSuffix(n.Reason, fluxtree.SaidMade) }) {
		lines = append(lines, "ExternalArtifacts are made in the cluster, perhaps of folders of this repository: name such a folder to judge it")
	}
	lines = append(lines, r.releases()...)
	var places []string
	for _, d := range r.Unreached {
		places = append(places, d.File)
	}
	if len(places) > 0 {
		perhaps := ""
		if hiding := r.hiding(); len(hiding) > 0 {
			perhaps = ", perhaps only because " + named(hiding) + " could not be read"
		}
		lines = append(lines, "not reached"+perhaps+": "+counted(len(places), "file or folder", "")+" that nothing applies: "+named(places))
	}
	return lines
}

// kustomizations returns sentences about the Kustomizations that were not judged, one for each reason.
func (r *Report) kustomizations() []string {
	var reasons []string
	of := map[string][]NotJudged{}
	for _, n := range r.NotJudged {
		if n.Kind != "Kustomization" {
			continue
		}
		reason := n.Reason
		if strings.HasSuffix(reason, fluxtree.SaidMade) || of[reason] == nil && len(of) >= maxNamed {
			reason = "" // said once for all, or too many to say
		}
		if of[reason] == nil {
			reasons = append(reasons, reason)
		}
		of[reason] = append(of[reason], n)
	}
	var lines []string
	for _, reason := range reasons {
		names := (&Report{NotJudged: of[reason]}).names("Kustomization", false)
		line := "not judged: " + counted(len(names), "", "Kustomization") + ": " + named(names)
		if reason != "" {
			line += ": " + reason
		}
		lines = append(lines, line)
	}
	return lines
}

// hiding returns the places of Kustomizations that could not be built, so that nothing is known
// of what they apply.
func (r *Report) hiding() []string {
	var places []string
	for _, d := range r.Unread {
		switch d.Code {
		case fluxtree.CodeBuild, fluxtree.CodePath:
			places = append(places, d.Position.String())
		}
	}
	return places
}

// releases returns sentences about HelmReleases: why some were not judged, what was made up, and
// which charts were taken.
func (r *Report) releases() []string {
	var lines []string
	far := false
	for _, n := range r.NotJudged {
		switch {
		case n.Kind != "HelmRelease" || n.Part:
		case strings.Contains(n.Reason, fluxtree.GiveOrPull):
			far = true
		case len(lines) < maxNamed:
			lines = append(lines, n.sentence())
		}
	}
	if far {
		lines = append(lines, "charts that are not at hand are given with --charts FOLDER, or pulled with --pull")
	}
	if names := r.names("HelmRelease", true); len(names) > 0 {
		lines = append(lines, "judged in part, with made-up values for what is not known: "+counted(len(names), "", "HelmRelease")+": "+named(names))
	}
	if len(r.Rendered) > 0 {
		var texts []string
		for _, release := range r.Rendered {
			texts = append(texts, fmt.Sprintf("%s (%s)", release.Name, release.Chart))
		}
		lines = append(lines, "rendered: "+counted(len(texts), "", "HelmRelease")+": "+named(texts))
	}
	return lines
}

// names returns the names of a kind that was not judged, or that was judged in part, each once.
func (r *Report) names(kind string, part bool) []string {
	var names []string
	seen := map[diag.Position]string{} // two of a name lie in two places
	for _, n := range r.NotJudged {
		name := cmp.Or(n.Name, n.File)
		if n.Kind == kind && n.Part == part && seen[n.Position] != name {
			seen[n.Position] = name
			names = append(names, name)
		}
	}
	return names
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
