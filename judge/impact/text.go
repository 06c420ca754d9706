package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// title returns the text for a status.
func title(s Status) string {
	return map[Status]string{WouldBlock: "would block", Blocked: "blocks today", Errored: "error", Unknown: "unknown", Warns: "warns", Exempt: "exempt", Unneeded: "unneeded exception"}[s]
}

// bumpText returns the stages of the bump, such as audit -> enforce.
func (e Environment) bumpText() string {
	if e.Next == "" {
		return e.Stage + " (nothing above to compare with)"
	}
	return e.Stage + " -> " + e.Next
}

func (x Exemption) String() string {
	if x.Until == nil {
		return x.Name + ", no end"
	}
	return x.Name + ", until " + x.Until.Format(time.DateOnly)
}

// why returns the message, or the exceptions.
func (f Finding) why() string {
	if f.Status != Exempt && f.Status != Unneeded {
		return f.Message
	}
	texts := make([]string, len(f.Exceptions))
	for i, x := range f.Exceptions {
		texts[i] = x.String()
	}
	return strings.Join(texts, "; ")
}

// noVerdict stands for the control of a finding without one.
const noVerdict = "(no verdict)"

// control returns the id of the control, or a text for a finding without one.
func (f Finding) control() string { return cmp.Or(f.Control, noVerdict) }

func (r *Report) text() ([]byte, error) {
	var b plain.Text
	rows := [][]any{columns(r, []any{"ENVIRONMENT", "STAGE", "NEXT", "OBJECTS", "NOT READ", "WOULD BLOCK", "BLOCKED TODAY", "ERRORS", "UNKNOWN", "WARNS", "EXEMPT", "UNNEEDED"})}
	for _, e := range r.Environments {
		rows = append(rows, columns(r, e.row()))
	}
	table(&b, "", rows)
	for _, e := range r.Environments {
		b.WriteByte('\n')
		b.Line("%s: %s", e.Name, e.bumpText())
		if e.Unread > 0 {
			b.Line("  %s", e.unreadText())
		}
		rows := [][]any{{"CONTROL", "WOULD BLOCK", "BLOCKED TODAY", "ERRORS", "UNKNOWN", "WARNS", "EXEMPT", "UNNEEDED", "MOST IN"}}
		for _, c := range e.Controls {
			rows = append(rows, append(append([]any{cmp.Or(c.Control, noVerdict)}, c.numbers()...), c.hit()))
		}
		if len(rows) > 1 {
			table(&b, "  ", rows)
		}
		for _, n := range e.NotEvaluated {
			b.Line("  not evaluated: %s: %s", n.Control, n.Reason)
		}
		for _, owner := range byOwner(r.of(e.Name)) {
			b.Line("  %s", owner.name)
			for _, g := range owner.groups {
				g.text(&b)
			}
			for _, w := range owner.warns {
				b.Line("    warns: %s: %s", w.control, objects(w.count))
			}
		}
	}
	if gaps := r.gaps(); len(gaps)+len(r.Unread) > 0 {
		b.WriteByte('\n')
		for _, line := range gaps {
			b.Line("%s", line)
		}
		for _, d := range r.Unread {
			b.Line("not read: %s", d)
		}
	}
	return []byte(b.String()), nil
}

// row returns the environment in the table of environments.
func (e Environment) row() []any {
	return append([]any{e.Name, e.Stage, cmp.Or(e.Next, "-"), e.Objects, e.Unread}, e.numbers()...)
}

// columns returns a row of the table of environments, without the column of what could not be
// read if everything was.
func columns[T any](r *Report, row []T) []T {
	const notRead = 4
	if len(r.Unread) == 0 {
		return slices.Delete(row, notRead, notRead+1)
	}
	return row
}

// unreadText says that the numbers are not about everything.
func (e Environment) unreadText() string {
	return fmt.Sprintf("not all read: could not be read: %d; what it hides is not in the numbers", e.Unread)
}

// table writes rows with aligned columns.
func table(b *plain.Text, indent string, rows [][]any) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain.Line(fmt.Sprint(cell))
		}
		// The last cell ends without a tab, which would pad it.
		_, _ = fmt.Fprintln(w, indent+strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	_ = w.Flush() // to memory
}

// numbers returns the counts in the order of the statuses.
func (c *Counts) numbers() []any {
	var all []any
	for _, status := range statuses() {
		all = append(all, *c.of(status))
	}
	return all
}

// text writes a workload, where it is, and what is said of it.
func (g group) text(b *plain.Text) {
	switch len(g.places) {
	case 0:
		b.Line("    %s", g.workload)
	case 1:
		b.Line("    %s [%s]", g.workload, g.places[0])
	default:
		b.Line("    %s, in %d places", g.workload, len(g.places))
		for _, place := range g.places {
			b.Line("      [%s]", place)
		}
	}
	for _, f := range g.findings {
		text := title(f.Status) + ": " + f.control()
		if why := f.why(); why != "" {
			text += ": " + why
		}
		b.Line("      %s", text)
	}
}

// details returns why, and where the workload is.
func (f Finding) details() (text string) {
	if why := f.why(); why != "" {
		text = ": " + why
	}
	if where := f.where(); where != "" {
		text += " [" + where + "]"
	}
	return text
}

// where says where the workload is, what made it and what applies it.
func (f Finding) where() string {
	text := f.String()
	if f.Template != "" {
		text += ", template " + f.Template
	}
	if f.By != "" {
		text += ", by " + f.By
		if f.Cluster != "." && f.Cluster != "" {
			text += " of " + f.Cluster
		}
	}
	return text
}

func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

// ownerGroup is the findings of one owner. Warnings are only counted, because an
// environment in the audit stage has many.
type ownerGroup struct {
	name   string
	groups []group
	warns  []warned
}

// warned is the number of objects that a control only warns about.
type warned struct {
	control string
	count   int
}

// byOwner groups the sorted findings of an environment by owner.
func byOwner(findings []Finding) []ownerGroup {
	var owners []ownerGroup
	for len(findings) > 0 {
		end := slices.IndexFunc(findings, func(f Finding) bool { return f.Owner != findings[0].Owner })
		if end < 0 {
			end = len(findings)
		}
		owners = append(owners, ownerGroup{findings[0].Owner, groups(findings[:end]), warnings(findings[:end])})
		findings = findings[end:]
	}
	return owners
}

// warnings counts the warnings of each control.
func warnings(findings []Finding) []warned {
	var all []warned
	for _, f := range findings {
		if f.Status != Warns {
			continue
		}
		i, found := slices.BinarySearchFunc(all, f.Control, func(w warned, id string) int { return cmp.Compare(w.control, id) })
		if !found {
			all = slices.Insert(all, i, warned{control: f.Control})
		}
		all[i].count++
	}
	return all
}
