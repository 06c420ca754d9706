package impact_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

// written returns a report of findings in one environment.
func written(t *testing.T, format string, findings ...impact.Finding) string {
	t.Helper()
	for i := range findings {
		findings[i].Environment = "prod"
	}
	var b strings.Builder
	report := &impact.Report{Environments: []impact.Environment{{Name: "prod", Stage: "audit", Next: "enforce"}}, Findings: findings}
	if err := report.Write(&b, format, "test"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func finding(name, file string, status impact.Status, control string) impact.Finding {
	return impact.Finding{Owner: "team", Kind: "Pod", Namespace: "shop", Name: name, Position: diag.Position{File: file, Line: 1}, Status: status, Control: control, Message: "no"}
}

// TestPlaces has a workload in three overlays, in one of which it is worse.
func TestPlaces(t *testing.T) {
	got := written(t, "text",
		finding("web", "c.yaml", impact.WouldBlock, "x"),
		finding("web", "a.yaml", impact.WouldBlock, "y"), finding("web", "b.yaml", impact.WouldBlock, "y"), finding("web", "c.yaml", impact.WouldBlock, "y"),
		finding("other", "a.yaml", impact.Blocked, "x"), finding("other", "a.yaml", impact.Warns, "y"))
	const want = `
  team
    Pod shop/web, in 2 places
      [a.yaml:1]
      [b.yaml:1]
      would block: y: no
    Pod shop/web [c.yaml:1]
      would block: x: no
      would block: y: no
    Pod shop/other [a.yaml:1]
      blocks today: x: no
    warns: y: 1 object
`
	if !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
}

// TestMarkdownFits has more than a comment on a pull request can hold: the worst is there, and what is left out is said.
func TestMarkdownFits(t *testing.T) {
	var findings []impact.Finding
	for i := range 3000 {
		f := finding(fmt.Sprintf("web-%d", i), "apps/web.yaml", impact.Blocked, "disallow-host-path")
		f.Message = strings.Repeat("very long | ", 20)
		findings = append(findings, f)
	}
	findings = append(findings, finding("worst", "z.yaml", impact.WouldBlock, "disallow-host-ports"))
	got := written(t, "markdown", findings...)
	if len(got) > 60_000 || len(got) < 40_000 {
		t.Errorf("%d bytes", len(got))
	}
	first := strings.Index(got, "Pod shop/worst")
	if first < 0 || first > strings.Index(got, "Pod shop/web-") || !strings.Contains(got, " more workloads are left out; `-o json` has all.") {
		t.Errorf("%.2000s", got)
	}
}

// TestSummary counts and lists nothing.
func TestSummary(t *testing.T) {
	report := impact.Report{Environments: []impact.Environment{{Name: "prod"}}, Findings: []impact.Finding{finding("web", "a.yaml", impact.Blocked, "x")}}
	var b strings.Builder
	if err := report.Summary().Write(&b, "text", "test"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "shop/web") || len(report.Findings) != 1 {
		t.Error(b.String())
	}
}
