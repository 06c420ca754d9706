package impact

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// TestReasons: each reason why Kustomizations are not judged is said once, with their names.
func TestReasons(t *testing.T) {
	of := func(name, reason string) NotJudged {
		return NotJudged{Kind: "Kustomization", Name: name, Position: diag.Position{File: name + ".yaml"}, Reason: reason}
	}
	const tag, module, made = "it applies another tag", "the submodule x is not checked out", "it applies ExternalArtifact x" + fluxtree.SaidMade
	report := Report{NotJudged: []NotJudged{of("a", tag), of("b", module), of("c", tag), of("c", tag), of("d", made)}}
	want := []string{
		"not judged: 2 Kustomizations: a, c: " + tag,
		"not judged: 1 Kustomization: b: " + module,
		"not judged: 1 Kustomization: d",
	}
	if diff := cmp.Diff(want, report.kustomizations()); diff != "" {
		t.Error(diff)
	}
	var many Report
	for i := range 20 {
		many.NotJudged = append(many.NotJudged, of(fmt.Sprint("k", i), fmt.Sprint("reason ", i)))
	}
	got := many.kustomizations()
	if last := "not judged: 10 Kustomizations: k10, k11, k12, k13, k14, k15, k16, k17, k18, k19"; len(got) != 11 || got[10] != last {
		t.Errorf("%q", got)
	}
}
