package impact

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// markdownRows is the number of findings that Markdown lists per environment, because
// the size of a comment on a pull request is limited.
const markdownRows = 200

func (r *Report) markdown() string {
	var b strings.Builder
	b.WriteString("## gatehouse impact\n\n")
	table := markdown.NewTable(&b, "environment", "stage", "next", "objects:", "would block:", "blocked today:", "warns:", "exempt:", "errors:", "unknown:")
	for _, e := range r.Environments {
		table.Row(e.Name, e.Stage, cmp.Or(e.Next, "-"), e.Objects, e.WouldBlock, e.Blocked, e.Warns, e.Exempt, e.Errors, e.Unknown)
	}
	for _, e := range r.Environments {
		groups := byOwner(r.of(e.Name))
		if len(groups) == 0 && len(e.NotEvaluated) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s: %s\n", markdown.Text(e.Name), markdown.Text(e.bumpText()))
		if len(groups) > 0 {
			groupRows(&b, groups)
		}
		for _, n := range e.NotEvaluated {
			fmt.Fprintf(&b, "\nNot evaluated: %s (%s).\n", markdown.Text(n.Control), markdown.Text(n.Reason))
		}
	}
	if gaps := r.gaps(); len(gaps)+len(r.Unread) > 0 {
		b.WriteString("\n### Not judged\n\n")
		for _, line := range gaps {
			fmt.Fprintf(&b, "- %s\n", markdown.Text(line))
		}
		for i, d := range r.Unread {
			if i == markdownRows {
				fmt.Fprintf(&b, "- %d more were not read; `-o json` has all.\n", len(r.Unread)-i)
				break
			}
			fmt.Fprintf(&b, "- not read: %s\n", markdown.Text(d.String()))
		}
	}
	return b.String()
}

// groupRows writes the first markdownRows findings, and the number of the others.
func groupRows(b *strings.Builder, groups []ownerGroup) {
	b.WriteString("\n")
	table := markdown.NewTable(b, "owner", "what", "control", "object", "why", "where")
	rows := 0
	row := func(cells ...any) {
		if rows++; rows <= markdownRows {
			table.Row(cells...)
		}
	}
	for _, g := range groups {
		for _, f := range g.listed {
			row(g.owner, title(f.Status), f.control(), f.Workload(), f.why(), f.where())
		}
		for _, w := range g.warns {
			row(g.owner, title(Warns), w.control, objects(w.count), "", "")
		}
	}
	if rows > markdownRows {
		fmt.Fprintf(b, "\n%d more rows are left out; `-o json` has all.\n", rows-markdownRows)
	}
}
