package impact

import (
	"cmp"
	"io"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/report"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// Report says what the bumps would block.
type Report struct {
	// Objects is the number of objects that were judged, each in the environments of its
	// cluster, or in all.
	Objects      int           `json:"objects"`
	Environments []Environment `json:"environments"`
	// NotJudged lists what was found and has workloads that were not judged, or with made-up values
	// only.
	NotJudged []NotJudged `json:"notJudged"`
	// Rendered lists the HelmReleases whose charts were rendered: their workloads were judged.
	Rendered []Rendered `json:"rendered"`
	// Unread lists what could not be read, each with the clusters that it is about; with none, it may
	// be about any.
	Unread fluxtree.Problems `json:"unread"`
	// Unreached lists what nothing applies, and was not judged.
	Unreached diag.List `json:"unreached"`
	// Findings by environment, owner, status and workload.
	Findings []Finding `json:"findings"`
	// Controls of the findings, by id.
	Controls []Control `json:"controls"`
}

// Environment is the summary of one bump.
type Environment struct {
	Name  string `json:"name"`
	Stage string `json:"stage"`
	// Next is the next stage. It is empty at the last stage, whose findings are only
	// about the present.
	Next   string `json:"next,omitempty"`
	Counts `json:"counts"`
	// Objects is the number of objects that were judged in the environment.
	Objects int `json:"objects"`
	// Unread is the number of errors that may hide objects of the environment: those met under the
	// root of its cluster, and those that may be about any cluster.
	Unread int `json:"unread"`
	// Controls counts the objects of each control that has findings, the worst first.
	Controls []ControlCounts `json:"controls"`
	// Judged lists the policies that were evaluated.
	Judged []string `json:"judged"`
	// NotEvaluated lists the policies that were not.
	NotEvaluated []NotEvaluated `json:"notEvaluated"`
}

// NotEvaluated is a policy that was not evaluated.
type NotEvaluated struct {
	Control string `json:"control"`
	Reason  string `json:"reason"`
}

// Counts holds numbers of workloads. A workload with findings of several statuses counts
// for each.
type Counts struct {
	WouldBlock int `json:"wouldBlock"`
	Blocked    int `json:"blocked"`
	Errors     int `json:"errors"`
	Unknown    int `json:"unknown"`
	Warns      int `json:"warns"`
	Exempt     int `json:"exempt"`
	Unneeded   int `json:"unneeded"`
}

// of returns the number of a status.
func (c *Counts) of(s Status) *int {
	return map[Status]*int{
		WouldBlock: &c.WouldBlock, Blocked: &c.Blocked, Errored: &c.Errors, Unknown: &c.Unknown,
		Warns: &c.Warns, Exempt: &c.Exempt, Unneeded: &c.Unneeded,
	}[s]
}

// count adds the findings about one workload.
func (c *Counts) count(findings []Finding) {
	for _, status := range statuses() {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == status }) {
			*c.of(status)++
		}
	}
}

// Totals returns the counts of all environments together.
func (r *Report) Totals() Counts {
	var sum Counts
	for _, e := range r.Environments {
		for _, status := range statuses() {
			*sum.of(status) += *e.of(status)
		}
	}
	return sum
}

// Control is the description of a control in the catalogue.
type Control struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Category    string   `json:"category"`
	Severity    string   `json:"severity"`
	References  []string `json:"references,omitempty"`
}

// finish sorts the findings and looks up their controls.
func (r *Report) finish(controls map[string]*catalog.Control) {
	order := map[string]int{}
	for i, e := range r.Environments {
		order[e.Name] = i
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.Environment], order[b.Environment]), cmp.Compare(a.Owner, b.Owner), cmp.Compare(rank(a.Status), rank(b.Status)),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Control, b.Control),
			cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.By, b.By))
	})
	found := map[string]bool{}
	r.Controls = []Control{}
	for _, f := range r.Findings {
		if c := controls[f.Control]; c != nil && !found[f.Control] {
			r.Controls = append(r.Controls, Control{ID: c.ID, Title: c.Title, Description: c.Description, Category: c.Category, Severity: c.Severity, References: c.References})
		}
		found[f.Control] = true
	}
	slices.SortFunc(r.Controls, func(a, b Control) int { return cmp.Compare(a.ID, b.ID) })
	for i := range r.Environments {
		r.Environments[i].Controls = countControls(r.of(r.Environments[i].Name))
	}
}

// Formats returns the formats that a report can be written in.
func Formats() []string { return []string{"text", "json", "sarif", "junit", "markdown"} }

// Summary returns the report without its findings, which are only counted.
func (r *Report) Summary() *Report {
	short := *r
	short.Findings, short.Controls = []Finding{}, []Control{}
	return &short
}

// Write writes the report in one of the Formats. version is the version of gatehouse.
// Text and Markdown only count warnings. The other formats list every finding.
func (r *Report) Write(w io.Writer, format, version string) error {
	return report.Encoders{
		"text":     r.text,
		"json":     report.JSON(r),
		"sarif":    func() ([]byte, error) { return report.JSON(r.sarif(version))() }, // only if asked for
		"junit":    r.junit,
		"markdown": report.Text(r.markdown),
	}.Write(w, format)
}

// Untold returns what could not be read, if a person does not see that in a report of the format:
// text and Markdown list it, and programs read the others.
func (r *Report) Untold(format string) diag.List {
	if format == "text" || format == "markdown" {
		return nil
	}
	return r.Unread.List()
}

// of returns the findings of an environment, by owner.
func (r *Report) of(environment string) []Finding {
	in := func(f Finding) bool { return f.Environment == environment }
	begin := slices.IndexFunc(r.Findings, in)
	if begin < 0 {
		return nil
	}
	end := begin
	for end < len(r.Findings) && in(r.Findings[end]) {
		end++
	}
	return r.Findings[begin:end]
}
