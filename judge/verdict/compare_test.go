package verdict

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// TestCompare: equal verdicts are counted, each difference is listed, and what only one
// kind was asked, or was asked of the same policy twice, is neither.
func TestCompare(t *testing.T) {
	of := func(target, name, got string) Result {
		return Result{Environment: "prod", Target: target, Tier: "apps", Check: CheckBad, Policy: "p", Case: name, Got: got, Message: "says " + target}
	}
	report := func(target string, results ...Result) *Report {
		return &Report{Results: results, Environments: []EnvironmentCounts{{Name: "prod", Target: target}}}
	}
	const a, b = "ClusterPolicy", "ValidatingPolicy"
	from := report(a, of(a, "same", "refused"), of(a, "silent", "admitted, not judged"), of(a, "other", "refused"), of(a, "twice", "refused"), of(a, "twice", "admitted"),
		of(a, "only a", "refused"), of(a, "stays", "refused"), of(a, "skipped", notEvaluated), of(a, "broken", "error"))
	to := report(b, of(b, "twice", "refused"), of(b, "same", "refused"), of(b, "silent", "admitted"), of(b, "other", "admitted and reported"), of(b, "twice", "refused"),
		of(b, "only b", "refused"), of(a, "stays", "admitted"), of(b, "skipped", "refused"), of(b, "broken", "error, refused"))
	to.Compare(from)
	difference := func(name, from, to string) Difference {
		return Difference{Tier: "apps", Check: CheckBad, Policy: "p", Case: name, From: from, To: to, Message: "says " + b}
	}
	want := []Comparison{{Environment: "prod", From: a, To: b, Equal: 3, NotCompared: 4, Differences: []Difference{
		difference("other", "refused", "admitted and reported"), difference("twice", "admitted", "refused"), difference("broken", "error", "error, refused"),
	}}}
	if diff := cmp.Diff(want, to.Comparisons); diff != "" {
		t.Errorf("comparison (-want +got):\n%s", diff)
	}
	if !to.Differs() || from.Differs() {
		t.Error("Differs is wrong")
	}
	for _, r := range []Result{{Policy: "ValidatingPolicy/pods.apps"}, {Policy: "p"}} {
		if got, want := targetOf(r, planOf("p", b, a)), b; got != want {
			t.Errorf("the target of %s is %s, not %s", r.Policy, got, want)
		}
	}
	if got := targetOf(Result{}, planOf("p", b, a)); got != a {
		t.Errorf("the target of all policies is %s", got)
	}
}

// planOf returns an environment with a policy of a kind, and another kind for the others.
func planOf(name, target, others string) plan.Environment {
	return plan.Environment{Kyverno: plan.Kyverno{PolicyType: others}, Policies: []plan.Policy{{Name: name, Policy: catalog.Policy{Target: target}}}}
}
