package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// markdownBytes is the most that Markdown has, because the size of a comment on a pull request
// is limited: to 65,536 characters by GitHub.
const markdownBytes = 60_000

// markdown writes what matters most first, and says how much it leaves out.
func (r *Report) markdown() string {
	var b strings.Builder
	b.WriteString("## gatehouse impact\n\n")
	numbers := []string{"would block:", "blocked today:", "errors:", "unknown:", "warns:", "exempt:", "unneeded:"}
	table := markdown.NewTable(&b, columns(r, append([]string{"environment", "stage", "next", "objects:", "not read:"}, numbers...))...)
	for _, e := range r.Environments {
		table.Row(columns(r, e.row())...)
	}
	for _, e := range r.Environments {
		if len(e.Controls)+len(e.NotEvaluated)+e.Unread == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s: %s\n\n", markdown.Text(e.Name), markdown.Text(e.bumpText()))
		if e.Unread > 0 {
			fmt.Fprintf(&b, "**%s**\n\n", markdown.Text(e.unreadText()))
		}
		if len(e.Controls) > 0 {
			table := markdown.NewTable(&b, append(append([]string{"control"}, numbers...), "most in")...)
			for _, c := range e.Controls {
				table.Row(append(append([]any{cmp.Or(c.Control, noVerdict)}, c.numbers()...), c.hit())...)
			}
			b.WriteByte('\n')
		}
		for _, n := range e.NotEvaluated {
			fmt.Fprintf(&b, "Not evaluated: %s (%s).\n", markdown.Text(n.Control), markdown.Text(n.Reason))
		}
	}
	end := r.markdownGaps()
	r.markdownFindings(&b, markdownBytes-len(end))
	return b.String() + end
}

// markdownGaps returns what was not judged or read, in at most a quarter of the size.
func (r *Report) markdownGaps() string {
	gaps := r.gaps()
	if len(gaps)+len(r.Unread) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n### Not judged\n\n")
	for _, line := range gaps {
		fmt.Fprintf(&b, "- %s\n", markdown.Text(line))
	}
	for i, d := range r.Unread {
		line := fmt.Sprintf("- not read: %s\n", markdown.Text(d.String()))
		if b.Len()+len(line) > markdownBytes/4 {
			fmt.Fprintf(&b, "- %d more were not read; `-o json` has all.\n", len(r.Unread)-i)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// markdownFindings writes workloads with findings, the worst first, as far as size allows.
func (r *Report) markdownFindings(b *strings.Builder, size int) {
	type row struct {
		environment, owner string
		group
	}
	var rows []row
	for _, e := range r.Environments {
		for _, owner := range byOwner(r.of(e.Name)) {
			for _, g := range owner.groups {
				rows = append(rows, row{e.Name, owner.name, g})
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(rank(a.findings[0].Status), rank(b.findings[0].Status)) })
	const left = "\n%d more workloads are left out; `-o json` has all.\n"
	b.WriteString("\n### Workloads, the worst first\n\n")
	markdown.NewTable(b, "environment", "owner", "workload", "what", "where")
	for i, row := range rows {
		line := markdown.Row(row.environment, row.owner, row.workload, row.said(), row.where())
		if b.Len()+len(line)+len(left)+8 > size {
			fmt.Fprintf(b, left, len(rows)-i)
			return
		}
		b.WriteString(line)
	}
}

// most is the number of findings and of places that a row of Markdown names.
const most = 5

// said returns what is said of a workload.
func (g group) said() string {
	var texts []string
	for i, f := range g.findings {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(g.findings)-i))
			break
		}
		text := title(f.Status) + ": " + f.control()
		if why := f.why(); why != "" {
			text += ": " + why
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// where returns the places of a workload.
func (g group) where() string {
	if more := len(g.places) - most; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(g.places[:most], "; "), more)
	}
	return strings.Join(g.places, "; ")
}
