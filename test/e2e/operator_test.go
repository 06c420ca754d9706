//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
)

const fluxInstanceAPI = "fluxcd.controlplane.io/v1"

// TestBootstrapOperator has Flux installed by an operator. The test plays the
// operator, whose code is under another licence: what it takes is the part of its
// FluxInstance that bootstrap sets.
func TestBootstrapOperator(t *testing.T) {
	t.Parallel()
	f := newFleetOn(t, controlplane.Options{FluxLater: true})
	f.installFluxBy(t, "operator")
	f.build(t, "Build")
	f.git(t, "push", "-q", "origin", "HEAD:main")

	said := f.begin(t, "bootstrap", "--source-url", f.GitURL()).refused(t)
	if !strings.Contains(said, "helm install flux-operator ") {
		t.Errorf("without the operator it says: %s", said)
	}
	f.defineFluxInstance(t)
	c := f.begin(t, "bootstrap", "--source-url", f.GitURL(), "--no-wait", "--timeout", "2m")
	f.operate(t)
	if said := c.end(t); !strings.Contains(said, "FluxInstance flux-system/flux created\n") {
		t.Error("it did not create the FluxInstance")
	}
	said = f.begin(t, "bootstrap", "--source-url", f.GitURL(), "--no-wait").end(t)
	if !strings.Contains(said, "0 created, 0 configured, 4 unchanged\n") {
		t.Error("the second run says that it changed something")
	}
	commit := strings.TrimSpace(f.git(t, "rev-parse", "HEAD"))
	f.waitFor(t, "gatehouse", commit) // Flux works
}

// defineFluxInstance defines the kind that the operator acts on.
func (f *fleet) defineFluxInstance(t *testing.T) {
	t.Helper()
	text, list := map[string]any{"type": "string"}, map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties}
	}
	schema := object(map[string]any{
		"spec": object(map[string]any{
			"distribution": object(map[string]any{"version": text, "registry": text}),
			"components":   list,
		}),
		"status": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
	})
	apply(t, f.Client(), newObject("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "fluxinstances.fluxcd.controlplane.io", map[string]any{"spec": map[string]any{
		"group": "fluxcd.controlplane.io", "scope": "Namespaced",
		"names": map[string]any{"kind": "FluxInstance", "listKind": "FluxInstanceList", "plural": "fluxinstances", "singular": "fluxinstance"},
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
			"schema": map[string]any{"openAPIV3Schema": schema},
		}},
	}}))
	eventually(t, time.Minute, "the kind FluxInstance", func() error {
		_, err := f.Client().List(t.Context(), fluxInstanceAPI, "FluxInstance", "", "")
		return err
	})
}

// operate does what the operator does with the FluxInstance, once it is there.
func (f *fleet) operate(t *testing.T) {
	t.Helper()
	instance := newObject(fluxInstanceAPI, "FluxInstance", "flux-system", "flux", nil)
	eventually(t, time.Minute, "the FluxInstance", func() error {
		_, err := f.Client().Get(t.Context(), instance.APIVersion(), instance.Kind(), instance.Namespace(), instance.Name())
		return err
	})
	file, _ := f.fluxFile(t)
	for _, objects := range readObjects(t, filepath.Dir(file), ".") {
		for _, o := range objects.objects {
			apply(t, f.Client(), o)
		}
	}
	f.runFlux(t)
	status := map[string]any{"status": map[string]any{"conditions": []any{map[string]any{
		"type": "Ready", "status": "True", "observedGeneration": 1, "reason": "ReconciliationSucceeded", "message": "installed by the test",
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}}}}
	if _, err := f.Client().Patch(t.Context(), instance, "status", status); err != nil {
		t.Fatal(err)
	}
}
