package verdict

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/internal/junit"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// compared writes the comparisons as text.
func (r *Report) compared(b *plain.Text) {
	if len(r.Comparisons) == 0 {
		return
	}
	b.WriteByte('\n')
	for _, c := range r.Comparisons {
		for _, d := range c.Differences {
			b.Line("DIFFERENT %s", d.line(c))
		}
	}
	if r.Differs() {
		b.WriteByte('\n')
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tFROM\tTO\tEQUAL\tDIFFERENT\tNOT COMPARED")
	for _, c := range r.Comparisons {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\n", c.Environment, c.From, c.To, c.Equal, len(c.Differences), c.NotCompared)
	}
	_ = table.Flush() // into memory
}

// line returns a difference as one line of text.
func (d Difference) line(c Comparison) string {
	where := c.Environment
	if d.Tier != "" {
		where += "/" + d.Tier
	}
	what := d.Check + " " + d.Case
	if d.Resource != "" {
		what += " (" + d.Resource + ")"
	}
	line := fmt.Sprintf("%s: %s: %s: %s: %s, %s: %s", where, cmp.Or(d.Policy, "all policies"), what, c.From, d.From, c.To, d.To)
	if d.Message != "" {
		line += ": " + oneLine(d.Message)
	}
	if d.Origin != "" {
		line += " [" + d.Origin + "]"
	}
	return line
}

func (r *Report) comparedMarkdown(b *strings.Builder) {
	if len(r.Comparisons) == 0 {
		return
	}
	b.WriteString("\n### compared\n\n")
	table := markdown.NewTable(b, "environment", "from", "to", "equal:", "different:", "not compared:")
	for _, c := range r.Comparisons {
		table.Row(c.Environment, c.From, c.To, c.Equal, len(c.Differences), c.NotCompared)
	}
	if !r.Differs() {
		return
	}
	b.WriteString("\n### different\n\n")
	table = markdown.NewTable(b, "where", "policy", "case", "resource", "from", "to", "message")
	for _, c := range r.Comparisons {
		for _, d := range c.Differences {
			where := strings.TrimSuffix(c.Environment+"/"+d.Tier, "/")
			table.Row(where, d.Policy, d.Check+" "+d.Case, d.Resource, c.From+": "+d.From, c.To+": "+d.To, d.Message)
		}
	}
}

// comparedSuites returns one suite for each comparison, with a case for each difference and
// one for all that is equal.
func (r *Report) comparedSuites() []junit.Suite {
	var suites []junit.Suite
	for _, c := range r.Comparisons {
		suite := junit.Suite{Name: c.Environment + ": " + c.From + " and " + c.To, Tests: len(c.Differences) + 1, Failures: len(c.Differences),
			Cases: []junit.Case{{ClassName: c.Environment + ".compared", Name: fmt.Sprintf("equal verdicts: %d", c.Equal)}}}
		for _, d := range c.Differences {
			suite.Cases = append(suite.Cases, junit.Case{ClassName: c.Environment + ".compared", Name: strings.TrimSuffix(d.Policy+" · "+d.Case+" · "+d.Resource, " · "),
				Failure: &junit.Message{Message: fmt.Sprintf("%s: %s, %s: %s", c.From, d.From, c.To, d.To), Text: d.line(c)}})
		}
		suites = append(suites, suite)
	}
	return suites
}

// properties says with which kind of policies a suite was run.
func properties(target string) *junit.Properties {
	return &junit.Properties{List: []junit.Property{{Name: "target", Value: target}}}
}
