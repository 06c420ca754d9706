package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A lock from before overrides says once for all environments how Kyverno is
// configured. One that says it for an environment keeps that.
func TestDecodeLockForAllEnvironments(t *testing.T) {
	got, err := DecodeLock([]byte(`{"version": 1, "tool": "", "source": "", "fluxInstall": "cli", "kyverno": {"systemNamespaces": ["a"], "exceptionNamespace": "x"}, "environments": {
		"dev": {"stage": "audit", "policies": {}},
		"prod": {"stage": "audit", "kyverno": {"systemNamespaces": ["b"], "exceptionNamespace": "y"}, "policies": {}}}, "files": []}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]LockedEnvironment{
		"dev":  {Stages: []string{"audit"}, FluxInstall: "cli", Kyverno: &LockedKyverno{SystemNamespaces: []string{"a"}, ExceptionNamespace: "x"}},
		"prod": {Stages: []string{"audit"}, Kyverno: &LockedKyverno{SystemNamespaces: []string{"b"}, ExceptionNamespace: "y"}},
	}
	if diff := cmp.Diff(want, got.Environments); diff != "" {
		t.Error(diff)
	}
}
