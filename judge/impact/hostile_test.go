package impact_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/plain/hostile"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

// TestHostileNames: names of objects, files, owners, and messages of the engine reach every
// format harmless.
func TestHostileNames(t *testing.T) {
	checks := map[string]func(string) error{"text": hostile.Text, "json": hostile.Text, "sarif": hostile.Text, "junit": hostile.XML, "markdown": hostile.Markdown}
	for _, name := range hostile.Names() {
		for _, status := range []impact.Status{impact.WouldBlock, impact.Errored, impact.Exempt} {
			f := impact.Finding{
				Environment: "dev", Owner: name, Kind: name, Namespace: name, Name: name, Position: diag.Position{File: name, Line: 1}, Control: "c",
				Rules: []string{name}, Status: status, Message: name, Exceptions: []impact.Exemption{{Name: name}},
			}
			r := &impact.Report{
				Environments: []impact.Environment{{Name: "dev", Stage: name, Next: name, Judged: []string{"c"}, NotEvaluated: []impact.NotEvaluated{{Control: name, Reason: name}}}},
				Findings:     []impact.Finding{f}, Controls: []impact.Control{{ID: "c", Title: name, Description: "d"}},
			}
			for _, format := range impact.Formats() {
				var out bytes.Buffer
				if err := r.Write(&out, format, "1"); err != nil {
					t.Fatalf("%s: %q: %v", format, name, err)
				}
				if err := checks[format](out.String()); err != nil {
					t.Errorf("%s: %q: %v", format, name, err)
				}
				if format == "sarif" {
					noLinks(t, name, out.Bytes())
				}
			}
		}
	}
}

// noLinks checks the messages of a SARIF log.
func noLinks(t *testing.T, name string, log []byte) {
	t.Helper()
	var decoded any
	if err := json.Unmarshal(log, &decoded); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if text, ok := v["text"].(string); ok {
				if err := hostile.Text(text); err != nil || strings.Contains(text, "](") || strings.Contains(text, "@acme") || strings.Contains(text, "@someone") {
					t.Errorf("sarif: %q: %q: %v", name, text, err)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(decoded)
}
