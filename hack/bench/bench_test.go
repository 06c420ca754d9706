//go:build unix

package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestReportTellsWhatIsOver(t *testing.T) {
	var r report
	r.add("Start", "Two.",
		ratio("slow", 4*time.Second, time.Second, 3),
		ratio("fast", 2*time.Second, time.Second, 3),
		atMost("large", 70e6, 60e6, 1e6, "MB"),
		figure{what: "no limit", value: "1 s"})
	text := r.markdown()
	for _, want := range []string{
		"| slow | 4.0× | 3× | **over** |",
		"| fast | 2.0× | 3× | ok |",
		"| large | 70 MB | 60 MB | **over** |",
		"| no limit | 1 s |  |  |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	const want = "over the limit:\n  slow: 4.0× (limit 3×)\n  large: 70 MB (limit 60 MB)"
	if err := r.err(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := errors.Join((&report{}).err()); err != nil {
		t.Errorf("an empty report is over: %v", err)
	}
}

func TestKindsCountsObjectsInPieces(t *testing.T) {
	var k kindCounter
	for _, piece := range []string{"ki", "nd: Pod\nspec:\n  kind: nested\n", "---\nkind", ": Namespace\n", "kindly: no\n"} {
		if _, err := io.WriteString(&k, piece); err != nil {
			t.Fatal(err)
		}
	}
	if k.count != 2 {
		t.Errorf("%d objects, want 2", k.count)
	}
}

// TestCostIsCorrected measures a bundle twice, once while the machine had half its speed.
func TestCostIsCorrected(t *testing.T) {
	b := &bundle{overhead: []time.Duration{4, 8}, unjudged: []time.Duration{10, 20}}
	if got := b.cost(10); got != 4 {
		t.Errorf("cost %d, want 4", got)
	}
}

func TestMedian(t *testing.T) {
	if got := median([]time.Duration{9, 1, 5}); got != 5 {
		t.Errorf("median %d, want 5", got)
	}
}
