package impact_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

// TestGeneratedNames: objects that get their name from the API server are shown with a star,
// and each of those with the same generateName is a finding of its own.
func TestGeneratedNames(t *testing.T) {
	bundle := compile(t)
	steps := []impact.Step{{Environment: "prod", Stage: "audit", Next: "enforce"}}
	const job = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"generateName":"report-","namespace":"shop"},"faults":["disallow-host-path"]}`
	report, problems, err := impact.Run(t.Context(), &fake{}, bundle, withStages(t, bundle, impact.Stages(steps)), steps, files(job+"\n"+job), impact.Options{Now: now})
	if err != nil || problems.HasErrors() {
		t.Fatal(err, problems)
	}
	if len(report.Findings) != 2 || report.Findings[0].Workload() != "Job shop/report-*" || report.Environments[0].WouldBlock != 2 {
		t.Fatalf("findings are %+v", report.Findings)
	}
	var out bytes.Buffer
	if err := report.Write(&out, "sarif", "1"); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Runs []struct {
			Results []struct{ PartialFingerprints map[string]string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	results := log.Runs[0].Results
	if len(results) != 2 || results[0].PartialFingerprints["gatehouse/v1"] == results[1].PartialFingerprints["gatehouse/v1"] {
		t.Errorf("a code scanning service takes two findings for one: %+v", results)
	}
}
