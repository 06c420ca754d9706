package proof_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// notByUpdate are the controls whose bad objects cannot come from a good one by
// an update, with the reason.
func notByUpdate() map[string]string {
	return map[string]string{
		"disallow-default-namespace":     "the fault is the namespace, which no update changes",
		"require-network-policy":         "the fault is what the namespace lacks, which no update of a Pod changes",
		"require-requests-limits-resize": "its cases are updates",
		"restrict-flux-artifacts":        "its cases are updates",
		"restrict-policy-exceptions":     "the violation is the user; its cases contain updates",
	}
}

// TestUpdates turns a good object into each bad one. Kyverno lets an update
// pass when the old object was bad already (allowExistingViolations); a rule
// that judges the old object by the new one's values would let everything pass.
func TestUpdates(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	strict := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	staged := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, mixed))
	for _, c := range controls {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			if reason, none := notByUpdate()[c.ID]; none {
				t.Skip(reason)
			}
			asked := 0
			for _, bad := range c.bad {
				if bad.Operation != "CREATE" || bad.SubResource != "" {
					continue
				}
				old, found := goodBefore(t, strict, c, bad)
				if !found {
					continue
				}
				asked++
				request := only(c.ID, requestOf(t, bad))
				request.Operation, request.OldResource = protocol.Update, encode(t, old)
				if got := strict.ask(t, in("apps", request)); !got.Blocked {
					t.Errorf("%s: the update is admitted where enforced: %s", bad.Name, verdict(got))
				}
				if bad.ClusterScoped {
					continue
				}
				if got := staged.ask(t, in("platform", request)); !got.Blocked {
					t.Errorf("%s: the update is admitted where only its tier is enforced: %s", bad.Name, verdict(got))
				}
			}
			if asked == 0 {
				t.Error("no bad document has a good one of its kind to come from")
			}
		})
	}
}

// goodBefore is a good object that an update can turn into the bad one: same
// kind, name and namespace.
func goodBefore(t *testing.T, k cluster, c control, bad catalog.Case) (old object, found bool) {
	t.Helper()
	for _, good := range c.good {
		if good.Operation != "CREATE" || good.SubResource != "" {
			continue
		}
		from := good
		if good.Kind.Kind == "Pod" && bad.Kind.Kind != "Pod" && isController(bad.Kind.Kind) {
			from = wrapped(t, good, bad.Kind.Kind)
		}
		if from.Kind.Kind != bad.Kind.Kind {
			continue
		}
		from = clone(t, from)
		from.Namespace = bad.Namespace
		metadata := from.Object["metadata"].(map[string]any)
		metadata["name"] = bad.Object["metadata"].(map[string]any)["name"]
		delete(metadata, "namespace")
		if bad.Namespace != "" {
			metadata["namespace"] = bad.Namespace
		}
		from.Object["apiVersion"] = bad.Object["apiVersion"]
		if got := k.ask(t, in("apps", only(c.ID, requestOf(t, from)))); !got.Blocked {
			return from.Object, true
		}
	}
	return nil, false
}
