package verdict

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/internal/junit"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/internal/report"
)

// Formats returns the formats that a report can be written in.
func Formats() []string { return []string{"text", "json", "junit", "markdown"} }

// Write writes the report in one of the Formats. Text and Markdown list failures,
// warnings, and skipped checks by reason. JSON and JUnit list everything.
func (r *Report) Write(w io.Writer, format string) error {
	return report.Encoders{
		"text":     r.text,
		"json":     report.JSON(r),
		"junit":    r.junit,
		"markdown": report.Text(r.markdown),
	}.Write(w, format)
}

// of returns the results with a status.
func (r *Report) of(s Status) []Result {
	var out []Result
	for _, result := range r.Results {
		if result.Status == s {
			out = append(out, result)
		}
	}
	return out
}

func (r *Report) text() ([]byte, error) {
	var b plain.Text
	for _, status := range []Status{Failed, Warned} {
		for _, result := range r.of(status) {
			b.Line("%s %s", strings.ToUpper(string(status)), result.line())
		}
	}
	for _, s := range r.skipped() {
		b.Line("SKIPPED %s: %d: %s", s.who, s.count, s.reason)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tSTAGE\tTARGET\tPASSED\tFAILED\tWARNED\tSKIPPED")
	for _, e := range r.Environments {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\n", e.Name, e.Stage, e.Target, e.Passed, e.Failed, e.Warned, e.Skipped)
	}
	err := table.Flush()
	r.compared(&b)
	return []byte(b.String()), err
}

// line returns the result as one line of text.
func (r Result) line() string {
	where := r.Environment
	if r.Tier != "" {
		where += "/" + r.Tier
	}
	policy := cmp.Or(r.Policy, "all policies")
	if r.Rule != "" {
		policy += " [" + r.Rule + "]"
	}
	what := r.Check + " " + r.Case
	if r.Resource != "" {
		what += " (" + r.Resource + ")"
	}
	line := fmt.Sprintf("%s: %s: %s: expected %s, got %s", where, policy, what, r.Expected, r.Got)
	if r.Message != "" {
		line += ": " + oneLine(r.Message)
	}
	if r.Origin != "" {
		line += " [" + r.Origin + "]"
	}
	return line
}

// oneLine joins the lines of a message from Kyverno.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// skippedGroup is the checks of a policy that were skipped for the same reason.
type skippedGroup struct {
	who, reason string
	count       int
}

func (r *Report) skipped() []skippedGroup {
	counts := map[skippedGroup]int{}
	for _, result := range r.of(Skipped) {
		who := result.Environment + ": " + cmp.Or(result.Policy, "all policies")
		if result.Check == CheckException {
			name, _, _ := strings.Cut(result.Case, ":")
			who += ": exception " + name
		}
		counts[skippedGroup{who: who, reason: oneLine(result.Message)}]++
	}
	var out []skippedGroup
	for group, count := range counts {
		group.count = count
		out = append(out, group)
	}
	slices.SortFunc(out, func(a, b skippedGroup) int { return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.reason, b.reason)) })
	return out
}

func (r *Report) markdown() string {
	var b strings.Builder
	b.WriteString("## gatehouse test\n\n")
	table := markdown.NewTable(&b, "environment", "stage", "target", "passed:", "failed:", "warned:", "skipped:")
	for _, e := range r.Environments {
		table.Row(e.Name, e.Stage, e.Target, e.Passed, e.Failed, e.Warned, e.Skipped)
	}
	for _, status := range []Status{Failed, Warned} {
		results := r.of(status)
		if len(results) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", status)
		table := markdown.NewTable(&b, "where", "policy", "rule", "case", "resource", "expected", "got", "message")
		for _, x := range results {
			where := strings.TrimSuffix(x.Environment+"/"+x.Tier, "/")
			table.Row(where, x.Policy, x.Rule, x.Check+" "+x.Case, x.Resource, x.Expected, x.Got, x.Message)
		}
	}
	if skipped := r.skipped(); len(skipped) > 0 {
		b.WriteString("\n### skipped\n\n")
		table := markdown.NewTable(&b, "what", "checks:", "reason")
		for _, s := range skipped {
			table.Row(s.who, s.count, s.reason)
		}
	}
	r.comparedMarkdown(&b)
	return b.String()
}

func (r *Report) junit() ([]byte, error) {
	out := junit.Suites{Name: "gatehouse test", Tests: len(r.Results), Failures: r.Counts.Failed, Skipped: r.Counts.Skipped}
	for _, e := range r.Environments {
		suite := junit.Suite{Name: e.Name, Properties: properties(e.Target), Tests: e.Passed + e.Failed + e.Skipped + e.Warned, Failures: e.Failed, Skipped: e.Skipped}
		for _, result := range r.Results {
			if result.Environment == e.Name {
				suite.Cases = append(suite.Cases, result.junit())
			}
		}
		out.Suites = append(out.Suites, suite)
	}
	out.Add(r.comparedSuites()...)
	return out.Encode()
}

func (r Result) junit() junit.Case {
	name := strings.Join(slices.DeleteFunc([]string{r.Check, r.Case, r.Tier, r.Resource}, func(s string) bool { return s == "" }), " · ")
	out := junit.Case{ClassName: r.Environment + "." + cmp.Or(r.Policy, "tests"), Name: name}
	switch r.Status {
	case Failed:
		out.Failure = &junit.Message{Message: fmt.Sprintf("expected %s, got %s", r.Expected, r.Got), Text: r.line()}
	case Skipped:
		out.Skipped = &junit.Message{Message: oneLine(r.Message)}
	case Warned:
		out.Output = r.line()
	}
	return out
}
