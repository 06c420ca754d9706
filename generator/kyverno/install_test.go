package kyverno

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func installPlan() *plan.Plan {
	return &plan.Plan{
		ExceptionNamespace: "policy-exceptions",
		Environments: []plan.Environment{{
			Name:             "prod",
			Kyverno:          plan.Kyverno{Namespace: "kyverno", Install: true, Replicas: 3},
			Flux:             plan.Flux{Namespace: "flux-system", Interval: 10 * time.Minute, RetryInterval: 2 * time.Minute, Timeout: 5 * time.Minute, ServiceAccountName: "deployer"},
			SystemNamespaces: []string{"flux-system", "kube-node-lease", "kube-public", "kube-system", "kyverno", "rook"},
			Policies: []plan.Policy{{
				Name: "restrict-wildcard-verbs", Control: &catalog.Control{Background: true}, Actions: map[string]plan.Action{"apps": plan.Audit},
				Policy: catalog.Policy{Matches: matching("rbac.authorization.k8s.io/*/Role", "rbac.authorization.k8s.io/*/ClusterRole")},
			}},
		}},
	}
}

func byPath(files []manifest.File) map[string]manifest.Object {
	found := map[string]manifest.Object{}
	for _, f := range files {
		found[f.Path] = f.Objects[0]
	}
	return found
}

func TestInstall(t *testing.T) {
	found := byPath(Install(installPlan()))
	if len(found) != 3 {
		t.Fatalf("got %d files: %v", len(found), found)
	}
	want := manifest.Object{
		"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository",
		"metadata": map[string]any{"name": "kyverno", "namespace": "flux-system"},
		"spec":     map[string]any{"interval": "10m0s", "url": "https://kyverno.github.io/kyverno/"},
	}
	if diff := cmp.Diff(want, found["environments/prod/kyverno/helmrepository.yaml"]); diff != "" {
		t.Error(diff)
	}
	release := found["environments/prod/kyverno/helmrelease.yaml"]
	spec := release["spec"].(map[string]any)
	delete(spec, "values") // the chart itself judges them, in test/upstream
	wantSpec := map[string]any{
		"chart": map[string]any{"spec": map[string]any{
			"chart": "kyverno", "version": "3.9.1", "sourceRef": map[string]any{"kind": "HelmRepository", "name": "kyverno"},
		}},
		"releaseName": "kyverno", "targetNamespace": "kyverno", "storageNamespace": "kyverno", "serviceAccountName": "deployer",
		"interval": "10m0s", "timeout": "5m0s",
		"driftDetection": map[string]any{"mode": "enabled", "ignore": []any{
			map[string]any{"paths": []any{"/spec/replicas"}, "target": map[string]any{"kind": "Deployment"}},
		}},
		"install": map[string]any{"crds": "CreateReplace", "strategy": map[string]any{"name": "RetryOnFailure", "retryInterval": "2m0s"}},
		"upgrade": map[string]any{"crds": "CreateReplace", "remediation": map[string]any{
			"retries": float64(3), "remediateLastFailure": true, "strategy": "rollback",
		}},
	}
	if diff := cmp.Diff(wantSpec, spec); diff != "" {
		t.Error(diff)
	}
	wantRole := manifest.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
		"metadata": map[string]any{"name": "gatehouse-kyverno-reports", "labels": map[string]any{
			"app.kubernetes.io/managed-by": "gatehouse", "rbac.kyverno.io/aggregate-to-reports-controller": "true",
		}},
		"rules": []any{map[string]any{
			"apiGroups": []any{"rbac.authorization.k8s.io"}, "resources": []any{"clusterroles", "roles"}, "verbs": []any{"get", "list", "watch"},
		}},
	}
	if diff := cmp.Diff(wantRole, found["environments/prod/kyverno-rbac/reports-controller.yaml"]); diff != "" {
		t.Error(diff)
	}
}

func TestInstallNone(t *testing.T) {
	p := installPlan()
	p.Environments[0].Kyverno.Install = false
	found := byPath(Install(p))
	if len(found) != 1 || found["environments/prod/kyverno-rbac/reports-controller.yaml"] == nil {
		t.Errorf("got %v", found)
	}
	p.Environments[0].Policies = nil
	if files := Install(p); len(files) != 0 {
		t.Errorf("got %v", files)
	}
}

// What bootstrap checks is what the README says and what the chart gets.
func TestLocked(t *testing.T) {
	p := installPlan()
	want := &manifest.LockedKyverno{Namespace: "kyverno", SystemNamespaces: p.Environments[0].SystemNamespaces, ExceptionNamespace: "policy-exceptions",
		Release: &manifest.LockedRelease{Namespace: "flux-system", Name: "kyverno"}}
	if diff := cmp.Diff(want, Locked(p, p.Environments[0])); diff != "" {
		t.Error(diff)
	}
	release := byPath(Install(p))["environments/prod/kyverno/helmrelease.yaml"]
	if release.Namespace() != want.Release.Namespace || release.Name() != want.Release.Name {
		t.Errorf("the release is %s", release.ID())
	}
	p.Environments[0].Kyverno.Install = false
	if got := Locked(p, p.Environments[0]); got.Release != nil || len(got.SystemNamespaces) == 0 {
		t.Errorf("got %+v", got)
	}
}
