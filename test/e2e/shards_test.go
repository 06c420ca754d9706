//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestShards installs the example with 300 more namespaces, which is more than one layer
// holds, in an empty cluster, and reports how long it took.
func TestShards(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t)
	var teams []string
	list := "  namespaces:\n"
	for i := range 300 {
		name := fmt.Sprintf("team-%03d", i)
		teams = append(teams, name)
		list += fmt.Sprintf("    - {name: %s, tier: platform, labels: {owner: %s}}\n", name, name)
	}
	replaceIn(t, filepath.Join(f.source, "profile.yaml"), "  namespaces:\n", list)
	begin := time.Now()
	testOrder(t, f)
	t.Logf("%d namespaces are ready %v after the build began, with the start of Kyverno", len(teams), time.Since(begin).Round(time.Second))

	if _, sharded := f.layers(t)["gatehouse-namespaces-02"]; !sharded {
		t.Error("the namespaces are in one layer")
	}
	var protected []string
	for _, n := range f.list(t, "networking.k8s.io/v1", "NetworkPolicy") {
		protected = append(protected, n.Namespace())
	}
	live := f.list(t, "v1", "Namespace")
	for _, team := range teams {
		i := slices.IndexFunc(live, func(o manifest.Object) bool { return o.Name() == team })
		if i < 0 {
			t.Errorf("there is no namespace %s", team)
			continue
		}
		if tier := live[i].Metadata()["labels"].(map[string]any)["gatehouse.dev/tier"]; tier != "platform" {
			t.Errorf("%s is of tier %v", team, tier)
		}
		if !slices.Contains(protected, team) {
			t.Errorf("%s has no NetworkPolicy", team)
		}
	}
	testPoliciesReady(t, f)
}
