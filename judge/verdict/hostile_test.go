package verdict

import (
	"bytes"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/plain/hostile"
)

// TestHostileNames: names of objects and files, and messages of the engine reach every format
// harmless.
func TestHostileNames(t *testing.T) {
	checks := map[string]func(string) error{"text": hostile.Text, "json": hostile.Text, "junit": hostile.XML, "markdown": hostile.Markdown}
	for _, name := range hostile.Names() {
		r := &Report{Environments: []EnvironmentCounts{{Name: "dev", Stage: "audit"}}}
		for _, status := range []Status{Failed, Warned, Skipped} {
			r.Results = append(r.Results, Result{
				Environment: "dev", Tier: name, Policy: name, Rule: name, Check: name, Case: name, Resource: name, Expected: name, Got: name,
				Status: status, Message: name, Origin: name,
			})
		}
		for _, format := range Formats() {
			var out bytes.Buffer
			if err := r.Write(&out, format); err != nil {
				t.Fatalf("%s: %q: %v", format, name, err)
			}
			if err := checks[format](out.String()); err != nil {
				t.Errorf("%s: %q: %v", format, name, err)
			}
		}
	}
}
