package diag

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestString(t *testing.T) {
	for name, c := range map[string]struct {
		d    Diagnostic
		want string
	}{
		"all": {Diagnostic{Severity: Error, Code: "mode-unsupported", Position: Position{"prod.yaml", 14, 9}, Path: "spec.mode", Summary: `unsupported value "enfroce"`, Hint: `did you mean "enforce"?`},
			`prod.yaml:14:9: spec.mode: unsupported value "enfroce" (did you mean "enforce"?) [mode-unsupported]`},
		"warning of a file": {Diagnostic{Severity: Warning, Code: "stray", Position: Position{File: "x.yaml"}, Summary: "not listed"}, "x.yaml: warning: not listed [stray]"},
		"line only":         {Diagnostic{Code: "yaml-syntax", Position: Position{File: "x.yaml", Line: 3}, Summary: "broken"}, "x.yaml:3: broken [yaml-syntax]"},
		"nowhere":           {Diagnostic{Code: "bug", Summary: "odd"}, "odd [bug]"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.d.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListErr(t *testing.T) {
	var l List
	if err := l.Err(); err != nil {
		t.Errorf("an empty list is %v", err)
	}
	l.Add(Diagnostic{Severity: Warning, Code: "b", Position: Position{"b.yaml", 1, 1}, Summary: "w"})
	if err := l.Err(); err != nil {
		t.Errorf("a warning is %v", err)
	}
	l.Add(Diagnostic{Code: "a", Position: Position{"a.yaml", 2, 1}, Summary: "later"})
	l.Add(Diagnostic{Code: "a", Position: Position{"a.yaml", 1, 1}, Summary: "first"})
	l.Add(Diagnostic{Code: "a", Position: Position{"a.yaml", 1, 1}, Summary: "first"})
	var all *Errors
	if !errors.As(l.Err(), &all) {
		t.Fatal("no *Errors")
	}
	if got, want := all.Error(), "a.yaml:1:1: first [a]\na.yaml:2:1: later [a]\nb.yaml:1:1: warning: w [b]"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
