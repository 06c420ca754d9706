package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const two = "# Dependencies\n\n## The program (`go.mod`)\n\n| module | why |\n|---|---|\n| `a.org/x` | it is needed |\n" +
		"## Tools (`hack/tools/go.mod`)\n\n| tool | why |\n|---|---|\n| `b.org/y/cmd` | lint |\n"
	tests := []struct {
		name, text string
		want       map[string]map[string]string
		wantErr    string
	}{
		{name: "two modules", text: two, want: map[string]map[string]string{
			"go.mod":            {"a.org/x": "it is needed"},
			"hack/tools/go.mod": {"b.org/y/cmd": "lint"},
		}},
		{name: "no module", text: "| `a.org/x` | why |\n", wantErr: "docs/dependencies.md:1: a dependency before the heading of a module"},
		{name: "twice", text: "# `go.mod`\n| `a.org/x` | why |\n| `a.org/x` | why |\n", wantErr: "docs/dependencies.md:3: a.org/x is there twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(test.text)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != test.wantErr {
				t.Errorf("error %q, want %q", message, test.wantErr)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
