package verdict

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/junit"
)

func written() *Report {
	failed := Result{Environment: "dev", Tier: "apps", Check: CheckBad, Policy: "no-a", Rule: "r", Case: "bad-1", Resource: "CREATE Pod shop/bad-1",
		Origin: "controls/no-a/tests/bad.yaml", Expected: "refused", Got: "admitted", Status: Failed, Message: "a | b <c>\nd"}
	return &Report{
		Results: []Result{
			failed,
			{Environment: "dev", Check: CheckGood, Policy: "no-a", Case: "good-1", Expected: "admitted", Got: "admitted", Status: Passed},
			{Environment: "dev", Check: CheckLoad, Policy: "ClusterPolicy/no-a", Case: "ClusterPolicy/no-a", Expected: "accepted", Got: "accepted, with a warning", Status: Warned, Message: "hm"},
			{Environment: "dev", Check: CheckException, Policy: "images", Case: "x: exempt", Status: Skipped, Message: "why"},
			{Environment: "dev", Check: CheckException, Policy: "images", Case: "x: other", Status: Skipped, Message: "why"},
			{Environment: "prod", Check: CheckTest, Case: "mine", Status: Passed},
		},
		Environments: []EnvironmentCounts{{Name: "dev", Stage: "enforce", Target: "ValidatingPolicy", Counts: Counts{Passed: 1, Failed: 1, Skipped: 2, Warned: 1}}, {Name: "prod", Stage: "audit", Target: "ClusterPolicy", Counts: Counts{Passed: 1}}},
		Counts:       Counts{Passed: 2, Failed: 1, Skipped: 2, Warned: 1},
		Comparisons: []Comparison{{Environment: "dev", From: "ClusterPolicy", To: "ValidatingPolicy", Equal: 3, NotCompared: 2, Differences: []Difference{
			{Tier: "apps", Check: CheckBad, Policy: "no-a", Case: "b", Resource: "CREATE Pod shop/b", Origin: "f.yaml", From: "refused", To: "admitted", Message: "why"},
		}}},
	}
}

func write(t *testing.T, format string) string {
	t.Helper()
	var b strings.Builder
	if err := written().Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteText(t *testing.T) {
	want := `FAILED dev/apps: no-a [r]: bad bad-1 (CREATE Pod shop/bad-1): expected refused, got admitted: a | b <c> d [controls/no-a/tests/bad.yaml]
WARNED dev: ClusterPolicy/no-a: load ClusterPolicy/no-a: expected accepted, got accepted, with a warning: hm
SKIPPED dev: images: exception x: 2: why

ENVIRONMENT  STAGE    TARGET            PASSED  FAILED  WARNED  SKIPPED
dev          enforce  ValidatingPolicy  1       1       1       2
prod         audit    ClusterPolicy     1       0       0       0

DIFFERENT dev/apps: no-a: bad b (CREATE Pod shop/b): ClusterPolicy: refused, ValidatingPolicy: admitted: why [f.yaml]

ENVIRONMENT  FROM           TO                EQUAL  DIFFERENT  NOT COMPARED
dev          ClusterPolicy  ValidatingPolicy  3      1          2
`
	if diff := cmp.Diff(want, write(t, "text")); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestWriteMarkdown(t *testing.T) {
	want := `## gatehouse test

| environment | stage | target | passed | failed | warned | skipped |
|---|---|---|---:|---:|---:|---:|
| dev | enforce | ValidatingPolicy | 1 | 1 | 1 | 2 |
| prod | audit | ClusterPolicy | 1 | 0 | 0 | 0 |

### failed

| where | policy | rule | case | resource | expected | got | message |
|---|---|---|---|---|---|---|---|
| dev/apps | no-a | r | bad bad-1 | CREATE Pod shop/bad-1 | refused | admitted | a \| b \<c\> d |

### warned

| where | policy | rule | case | resource | expected | got | message |
|---|---|---|---|---|---|---|---|
| dev | ClusterPolicy/no-a |  | load ClusterPolicy/no-a |  | accepted | accepted, with a warning | hm |

### skipped

| what | checks | reason |
|---|---:|---|
| dev: images: exception x | 2 | why |

### compared

| environment | from | to | equal | different | not compared |
|---|---|---|---:|---:|---:|
| dev | ClusterPolicy | ValidatingPolicy | 3 | 1 | 2 |

### different

| where | policy | case | resource | from | to | message |
|---|---|---|---|---|---|---|
| dev/apps | no-a | bad b | CREATE Pod shop/b | ClusterPolicy: refused | ValidatingPolicy: admitted | why |
`
	if diff := cmp.Diff(want, write(t, "markdown")); diff != "" {
		t.Errorf("markdown (-want +got):\n%s", diff)
	}
}

// TestWriteJUnit reads the report as a CI system does.
func TestWriteJUnit(t *testing.T) {
	text := write(t, "junit")
	var suites junit.Suites
	if err := xml.Unmarshal([]byte(text), &suites); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, xml.Header) || suites.Tests != 8 || suites.Failures != 2 || suites.Skipped != 2 || len(suites.Suites) != 3 {
		t.Errorf("suites: %+v", suites)
	}
	want := junit.Suite{Name: "dev", Properties: properties("ValidatingPolicy"), Tests: 5, Failures: 1, Skipped: 2, Cases: []junit.Case{
		{ClassName: "dev.no-a", Name: "bad · bad-1 · apps · CREATE Pod shop/bad-1", Failure: &junit.Message{Message: "expected refused, got admitted", Text: written().Results[0].line()}},
		{ClassName: "dev.no-a", Name: "good · good-1"},
		{ClassName: "dev.ClusterPolicy/no-a", Name: "load · ClusterPolicy/no-a", Output: written().Results[2].line()},
		{ClassName: "dev.images", Name: "exception · x: exempt", Skipped: &junit.Message{Message: "why"}},
		{ClassName: "dev.images", Name: "exception · x: other", Skipped: &junit.Message{Message: "why"}},
	}}
	if diff := cmp.Diff(want, suites.Suites[0]); diff != "" {
		t.Errorf("suite (-want +got):\n%s", diff)
	}
}

func TestWriteJSON(t *testing.T) {
	var got Report
	if err := json.Unmarshal([]byte(write(t, "json")), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written(), &got); diff != "" {
		t.Errorf("JSON does not hold the report (-want +got):\n%s", diff)
	}
}
