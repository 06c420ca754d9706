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
	return map[Status]string{WouldBlock: "would block", Blocked: "blocks today", Errored: "error", Unknown: "unknown", Warns: "warns", Exempt: "exempt"}[s]
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
	if f.Status != Exempt {
		return f.Message
	}
	texts := make([]string, len(f.Exceptions))
	for i, x := range f.Exceptions {
		texts[i] = x.String()
	}
	return strings.Join(texts, "; ")
}

// control returns the id of the control, or a text for a finding without one.
func (f Finding) control() string { return cmp.Or(f.Control, "(no verdict)") }

func (r *Report) text() ([]byte, error) {
	var b plain.Text
	for _, e := range r.Environments {
		b.Line("%s: %s", e.Name, e.bumpText())
		for _, group := range byOwner(r.of(e.Name)) {
			b.Line("  %s", group.owner)
			for _, f := range group.listed {
				b.Line("    %s: %s: %s%s", title(f.Status), f.control(), f.Workload(), f.details())
			}
			for _, w := range group.warns {
				b.Line("    warns: %s: %s", w.control, objects(w.count))
			}
		}
		for _, n := range e.NotEvaluated {
			b.Line("  not evaluated: %s: %s", n.Control, n.Reason)
		}
		b.WriteByte('\n')
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tSTAGE\tNEXT\tOBJECTS\tWOULD BLOCK\tBLOCKED TODAY\tWARNS\tEXEMPT\tERRORS\tUNKNOWN")
	for _, e := range r.Environments {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", plain.Line(e.Name), plain.Line(e.Stage), plain.Line(cmp.Or(e.Next, "-")), e.Objects, e.WouldBlock, e.Blocked, e.Warns, e.Exempt, e.Errors, e.Unknown)
	}
	err := table.Flush()
	if gaps := r.gaps(); len(gaps)+len(r.Unread) > 0 {
		b.WriteByte('\n')
		for _, line := range gaps {
			b.Line("%s", line)
		}
		for _, d := range r.Unread {
			b.Line("not read: %s", d)
		}
	}
	return []byte(b.String()), err
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

// where says where the workload is, and what applies it.
func (f Finding) where() string {
	switch {
	case f.By == "":
		return f.String()
	case f.Cluster == ".":
		return fmt.Sprintf("%s, by %s", f.Position, f.By)
	}
	return fmt.Sprintf("%s, by %s of %s", f.Position, f.By, f.Cluster)
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
	owner  string
	listed []Finding
	warns  []warned
}

// warned is the number of objects that a control only warns about.
type warned struct {
	control string
	count   int
}

// byOwner groups the sorted findings of an environment by owner.
func byOwner(findings []Finding) []ownerGroup {
	var groups []ownerGroup
	for _, f := range findings {
		if len(groups) == 0 || groups[len(groups)-1].owner != f.Owner {
			groups = append(groups, ownerGroup{owner: f.Owner})
		}
		g := &groups[len(groups)-1]
		if f.Status != Warns {
			g.listed = append(g.listed, f)
			continue
		}
		i, found := slices.BinarySearchFunc(g.warns, f.Control, func(w warned, id string) int { return cmp.Compare(w.control, id) })
		if !found {
			g.warns = slices.Insert(g.warns, i, warned{control: f.Control})
		}
		g.warns[i].count++
	}
	return groups
}
