//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestRollout installs the example in an empty cluster and tests it there, and checks all
// the time what must always hold.
func TestRollout(t *testing.T) {
	t.Parallel()
	inOrder(t, []part{
		{name: "the layers become ready in order", test: testOrder},
		{name: "the policies are ready", test: testPoliciesReady},
		{name: "each tier gets its stage", test: testTiers},
		{name: "an exception admits its workload only", test: testExceptions},
		{name: "an exception ends at its date", test: testExceptionEnds},
		{name: "a tenant cannot switch policies off", test: testTenant},
		{name: "the repository is applied again under its own policies", test: testSecondReconcile},
		{name: "a stage is bumped and reverted", test: testStage},
		{name: "what is edited by hand returns", test: testHandEdit},
		{name: "a broken commit changes nothing", test: testBrokenCommit},
		{name: "Kyverno is down", test: testKyvernoDown, kyvernoStops: true},
		{name: "Kubernetes and Flux are restarted", test: testRestarts, kyvernoStops: true},
		{name: "Kyverno has not drifted from its chart", test: testDrift},
	})
}

// TestChanges does the same for changes of an installed profile.
func TestChanges(t *testing.T) {
	long(t)
	t.Parallel()
	inOrder(t, []part{
		{name: "the example is installed", test: testOrder},
		{name: "a control is removed and comes back", test: testRemovedControl},
		{name: "a change is accepted ring by ring", test: testChange},
		{name: "the account that applies is changed in two steps", test: testApplier},
		{name: "impact finds what runs", test: testImpact},
	})
}

// part is a step of a test.
type part struct {
	name string
	test func(*testing.T, *fleet)
	// kyvernoStops: what Kyverno judges is refused while it is gone.
	kyvernoStops bool
}

// inOrder runs parts on a cluster of their own. Each depends on the ones before, so the
// first failure ends the test.
func inOrder(t *testing.T, parts []part) {
	t.Helper()
	f := newFleet(t)
	g := f.guard(t)
	for _, part := range parts {
		ok := t.Run(part.name, func(t *testing.T) {
			g.allowClosed(part.kyvernoStops)
			part.test(t, f)
			g.check(t)
		})
		if !ok {
			return
		}
	}
	g.end(t)
}

func testOrder(t *testing.T, f *fleet) {
	j := f.watch(t)
	f.build(t, "Build")
	f.follow(t)
	commit := f.push(t)
	f.installKyverno(t)
	layers := f.layers(t)
	for name := range layers {
		f.waitFor(t, name, commit)
	}
	f.waitFor(t, "flux-system", commit)
	eventually(t, time.Minute, "the journal", func() error {
		if n := len(j.order()); n != len(layers)+1 {
			return fmt.Errorf("%d Kustomizations were seen ready, not %d", n, len(layers)+1)
		}
		return nil
	})
	order := j.order()
	t.Log("ready in this order:", order)
	for name, dependencies := range layers {
		for _, d := range dependencies {
			if slices.Index(order, d) > slices.Index(order, name) {
				t.Errorf("%s was ready before %s, which it depends on", name, d)
			}
		}
	}
}

func testPoliciesReady(t *testing.T, f *fleet) {
	live, err := f.Client().List(t.Context(), "kyverno.io/v1", "ClusterPolicy", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, file := range readObjects(t, f.repository, "environments/"+environment+"/policies") {
		want = append(want, names(file.objects)...)
	}
	slices.Sort(want)
	if got := names(live); !slices.Equal(got, want) {
		t.Errorf("policies in the cluster: %v, in the repository: %v", got, want)
	}
	for _, p := range live {
		if p.Condition("Ready").String("status") != "True" {
			t.Errorf("%s is not ready: %v", p.Name(), p["status"])
		}
	}
}

// testSecondReconcile: what Flux applies passes the policies that it applied before.
func testSecondReconcile(t *testing.T, f *fleet) {
	f.git(t, "commit", "-q", "--allow-empty", "-m", "Change nothing")
	commit := f.push(t)
	for name := range f.layers(t) {
		f.waitFor(t, name, commit)
	}
}
