//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// testDrift does what helm-controller does to find drift: it applies each object of the
// chart in a dry run, and compares the outcome with what is there. Nothing differs after
// all that the parts before did to Kyverno. What is changed by hand differs, except for
// the number of replicas, and for fields that the chart does not set.
func testDrift(t *testing.T, f *fleet) {
	release := f.get(t, newObject("helm.toolkit.fluxcd.io/v2", "HelmRelease", "flux-system", "kyverno", nil))
	if mode := release.String("spec", "driftDetection", "mode"); mode != "enabled" {
		t.Errorf("drift is not corrected: the mode is %q", mode)
	}
	objects, err := f.KyvernoObjects(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	// Just started controllers may be in the middle of writing.
	eventually(t, time.Minute, "no drift", func() error {
		for _, o := range objects {
			if diff := f.drift(t, o); diff != "" {
				return fmt.Errorf("%s: (-live +chart) %s", o.ID(), diff)
			}
		}
		return nil
	})
	t.Logf("%d objects are as the chart has them", len(objects))

	for _, o := range objects {
		if o.Kind() != "Deployment" {
			continue
		}
		f.patch(t, o, map[string]any{"replicas": 0})
		if diff := f.drift(t, o); diff != "" {
			t.Errorf("%s: scaled down, it differs: %s", o.ID(), diff)
		}
		f.patch(t, o, map[string]any{"template": map[string]any{"spec": map[string]any{"serviceAccountName": "default"}}})
		if f.drift(t, o) == "" {
			t.Errorf("%s: a change by hand is not seen", o.ID())
		}
	}
}

func (f *fleet) patch(t *testing.T, o manifest.Object, spec map[string]any) {
	t.Helper()
	if _, err := f.Client().Patch(t.Context(), o, "", map[string]any{"spec": spec}); err != nil {
		t.Fatal(err)
	}
}

// drift returns how an object of the chart differs from the one in the cluster; metadata
// of the API server and the number of replicas aside. The manager of the fields is that
// of the control plane, which installed the chart.
func (f *fleet) drift(t *testing.T, o manifest.Object) string {
	t.Helper()
	live := f.get(t, o)
	applied, err := f.Client().DryRun().Apply(t.Context(), o, "gatehouse-cluster")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []manifest.Object{live, applied} {
		for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
			delete(object.Metadata(), field)
		}
		delete(object, "status")
		if spec, ok := object["spec"].(map[string]any); ok && object.Kind() == "Deployment" {
			delete(spec, "replicas")
		}
	}
	return cmp.Diff(live, applied)
}
