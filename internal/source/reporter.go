package source

import (
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Reporter collects the problems of one document. The zero value has no
// positions.
type Reporter struct {
	Positions Positions
	Problems  diag.List
	errors    int
}

// Report adds an error at a field of the document. hint may be empty. After a thousand
// errors, it does nothing.
func (r *Reporter) Report(field, code, hint, format string, args ...any) {
	if r.errors++; r.errors > maxProblems {
		return
	}
	r.add(diag.Error, field, code, hint, fmt.Sprintf(format, args...))
}

// Warn adds a warning at a field of the document. hint may be empty.
func (r *Reporter) Warn(field, code, hint, format string, args ...any) {
	r.add(diag.Warning, field, code, hint, fmt.Sprintf(format, args...))
}

func (r *Reporter) add(severity diag.Severity, field, code, hint, summary string) {
	r.Problems.Add(diag.Diagnostic{Severity: severity, Code: code, Position: r.Positions.At(field), Path: r.Positions.Path(field), Summary: summary, Hint: hint})
}
