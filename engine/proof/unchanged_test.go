package proof_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// TestUnchanged: an update that changes nothing is admitted, whatever is wrong with the object. Controllers write
// objects back to remove a finalizer; an object for which that is refused is never deleted.
func TestUnchanged(t *testing.T) {
	clusters, inCEL := onTargets(t)
	for _, c := range inCEL {
		for _, one := range c.bad {
			if one.Operation != "CREATE" || one.SubResource != "" || one.Object == nil || one.Name == "label-of-gatehouse" {
				continue // what has that label belongs to the deployers
			}
			one.Operation, one.OldObject = "UPDATE", one.Object
			for _, target := range catalog.Targets() {
				if got := failures(clusters[target].ask(t, in("apps", requestOf(t, one))), inCEL, false); len(got) > 0 {
					t.Errorf("%s: %s, unchanged, as a %s: refused by %v", c.ID, one.Name, target, got)
				}
			}
		}
	}
}
