package manifest

import (
	"strings"
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

// Each workload of an environment is a line of its own.
func TestLockWorkloads(t *testing.T) {
	lock := Lock{Environments: map[string]LockedEnvironment{"prod": {Clusters: []string{"eu"}, Workloads: []LockedWorkload{
		{Name: "apps", DependsOn: []string{"gatehouse-network", "gatehouse-policies"}}, {Name: "infra", DependsOn: []string{"gatehouse-policies"}},
	}}}}
	data, err := lock.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"environment":"prod","workload":{"name":"infra","dependsOn":["gatehouse-policies"]}}` + "\n"; !strings.HasSuffix(string(data), want) {
		t.Errorf("got %s, want the last line %s", data, want)
	}
	got, err := DecodeLock(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock.Environments, got.Environments); diff != "" {
		t.Error(diff)
	}
}
