//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
)

// TestRollout brings the example into an empty cluster and then puts it to the
// test. The parts build on each other, so the first that fails ends it.
func TestRollout(t *testing.T) {
	f := newFleet(t)
	parts := []struct {
		name string
		test func(*testing.T, *fleet)
	}{
		{"the layers become ready in order", testOrder},
		{"the policies are ready", testPoliciesReady},
		{"each tier gets its stage", testTiers},
		{"an exception admits its workload only", testExceptions},
		{"an exception ends at its date", testExceptionEnds},
		{"a tenant cannot switch policies off", testTenant},
		{"the repository is applied again under its own policies", testSecondReconcile},
		{"a stage is bumped and reverted", testStage},
		{"a control is removed and comes back", testRemovedControl},
		{"what is edited by hand returns", testHandEdit},
		{"impact finds what runs", testImpact},
		{"a broken commit changes nothing", testBrokenCommit},
		{"Kyverno is down", testKyvernoDown},
		{"Kubernetes and Flux are restarted", testRestarts},
	}
	for _, part := range parts {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, f) }) {
			return
		}
	}
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
	live, err := f.Client().List(t.Context(), "kyverno.io/v1", "ClusterPolicy", "")
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
		if !controlplane.HasCondition(p, "Ready", "True") {
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
