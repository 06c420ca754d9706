// Package diag holds what gatehouse has to tell the author of a profile: where
// something is wrong, what, and what to do about it.
//
// Diagnostics are for the author of the input; errors are for the operator of
// the program; the two are never mixed. A [List] is not an error: [List.Err]
// turns one into an error at the end of a stage.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Severity of a diagnostic.
type Severity string

// An Error stops the build; a Warning does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Position is a place in an input file. Line and Col count from 1; 0 means unknown.
type Position struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"column,omitempty"`
}

// String is file:line:col, without what is unknown.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Diagnostic is one finding.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Code is stable, in kebab-case; docs/lints.md explains each.
	Code string `json:"code"`
	Position
	// Path of the field, such as spec.namespaces[2].tier; empty if the finding is about the file.
	Path string `json:"path,omitempty"`
	// Summary in one line: lower case, no full stop.
	Summary string `json:"summary"`
	// Hint says what to do; may be empty.
	Hint string `json:"hint,omitempty"`
}

// String is `file:line:col: path: summary (hint) [code]`, on one line on which nothing is
// hidden; warnings say so after the position.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.Position.String() + ": ")
	}
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	if d.Path != "" {
		b.WriteString(d.Path + ": ")
	}
	b.WriteString(d.Summary)
	if d.Hint != "" {
		b.WriteString(" (" + d.Hint + ")")
	}
	b.WriteString(" [" + d.Code + "]")
	return plain.Line(b.String())
}

// List is a set of findings; the zero value is empty and ready.
type List []Diagnostic

// Add appends one finding.
func (l *List) Add(d Diagnostic) {
	if d.Severity == "" {
		d.Severity = Error
	}
	*l = append(*l, d)
}

// Sort orders by file, line, column, code, path and summary, and drops what is there twice.
func (l List) Sort() List {
	slices.SortFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Summary, b.Summary))
	})
	return slices.Compact(l)
}

// HasErrors reports whether one of the findings stops the build.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Err is nil if there is no error among the findings, else an *Errors with all of them.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return &Errors{List: l.Sort()}
}

// Errors is a List that stopped something. The command line prints its findings
// one by one and exits with 1.
type Errors struct{ List List }

func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, d := range e.List {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}
