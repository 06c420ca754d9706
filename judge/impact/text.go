package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// title returns the text for a status.
func title(s Status) string {
	return map[Status]string{WouldBlock: "would block", Blocked: "blocks today", Errored: "error", Warns: "warns", Exempt: "exempt"}[s]
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
	var b strings.Builder
	for _, e := range r.Environments {
		fmt.Fprintf(&b, "%s: %s\n", e.Name, e.bumpText())
		for _, group := range byOwner(r.of(e.Name)) {
			fmt.Fprintf(&b, "  %s\n", group.owner)
			for _, f := range group.listed {
				fmt.Fprintf(&b, "    %s: %s: %s", title(f.Status), f.control(), f.Workload())
				if why := f.why(); why != "" {
					b.WriteString(": " + why)
				}
				if f.File != "" {
					fmt.Fprintf(&b, " [%s]", f.Position)
				}
				b.WriteByte('\n')
			}
			for _, w := range group.warns {
				fmt.Fprintf(&b, "    warns: %s: %s\n", w.control, objects(w.count))
			}
		}
		for _, n := range e.NotEvaluated {
			fmt.Fprintf(&b, "  not evaluated: %s: %s\n", n.Control, n.Reason)
		}
		b.WriteByte('\n')
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tSTAGE\tNEXT\tOBJECTS\tWOULD BLOCK\tBLOCKED TODAY\tWARNS\tEXEMPT\tERRORS")
	for _, e := range r.Environments {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", e.Name, e.Stage, cmp.Or(e.Next, "-"), r.Objects, e.WouldBlock, e.Blocked, e.Warns, e.Exempt, e.Errors)
	}
	err := table.Flush()
	return []byte(b.String()), err
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
