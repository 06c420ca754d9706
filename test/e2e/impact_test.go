//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

// testImpact runs gatehouse impact on the cluster. The next stage would block a
// Deployment, but not the objects that controllers created for it, and a Service on the
// second page of a list. It would not block objects of the repository that only Flux may
// write.
func testImpact(t *testing.T, f *fleet) {
	waitServiceAccounts(t, f.Client(), appsNamespace)
	selected := map[string]any{"app.kubernetes.io/name": "bad-app"}
	deployment := newObject("apps/v1", "Deployment", appsNamespace, "bad-app", map[string]any{"spec": map[string]any{
		"selector": map[string]any{"matchLabels": selected},
		"template": map[string]any{"metadata": map[string]any{"labels": selected}, "spec": badPodSpec()},
	}})
	service := newObject("v1", "Service", appsNamespace, "zz-node-port", map[string]any{"spec": map[string]any{
		"type": "NodePort", "ports": []any{map[string]any{"port": 80}},
	}})
	created := []manifest.Object{deployment, service}
	for i := range 500 { // a page, all before the bad one
		created = append(created, newObject("v1", "Service", appsNamespace, fmt.Sprintf("page-%03d", i), map[string]any{"spec": map[string]any{
			"clusterIP": "None", "ports": []any{map[string]any{"port": 80}},
		}}))
	}
	each(t, created, func(o manifest.Object) error {
		_, err := f.Client().Create(t.Context(), o)
		return err
	})
	defer each(t, created, func(o manifest.Object) error { return f.Client().Delete(t.Context(), o) })
	eventually(t, layerTimeout, "the Pod of the Deployment", func() error {
		for _, p := range f.list(t, "v1", "Pod") {
			if p.Namespace() == appsNamespace && strings.HasPrefix(p.Name(), "bad-app-") {
				return nil
			}
		}
		return fmt.Errorf("there is none")
	})

	program := filepath.Join(repositoryRoot(t), "bin", "gatehouse-engine-e2e")
	build(t, filepath.Join(repositoryRoot(t), "engine"), program, "./cmd/gatehouse-engine")
	said := gatehouse(t, "impact", f.source, "--kubeconfig", f.Kubeconfig(), "-A", "-e", environment, "-o", "json", "--engine", program)
	var report impact.Report
	if err := json.Unmarshal([]byte(said), &report); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d objects, %+v", report.Objects, report.Totals())
	if report.Objects <= 500 || report.Totals().Errors > 0 {
		t.Errorf("%d objects were judged, %d could not be", report.Objects, report.Totals().Errors)
	}
	wantBlocked(t, report, deployment, badPodPolicy)
	wantBlocked(t, report, service, "restrict-nodeport")
	for _, found := range report.Findings {
		if found.Control == "restrict-policy-exceptions" || found.Control == "protect-tier-labels" {
			t.Errorf("%s, which the deployer wrote: %s %s", found.Workload(), found.Status, found.Control)
		}
		if found.Namespace == appsNamespace && strings.HasPrefix(found.Name, "bad-app-") {
			t.Errorf("%s %s belongs to the Deployment", found.Kind, found.Name)
		}
	}
}

// wantBlocked fails the test unless the next stage would block an object of the team shop.
func wantBlocked(t *testing.T, report impact.Report, o manifest.Object, control string) {
	t.Helper()
	for _, found := range report.Findings {
		if found.Kind == o.Kind() && found.Namespace == o.Namespace() && found.Name == o.Name() && found.Control == control {
			if found.Status != impact.WouldBlock || found.Owner != "team-shop" {
				t.Errorf("%s: %s, owner %s", o.ID(), found.Status, found.Owner)
			}
			return
		}
	}
	t.Errorf("%s is not found to violate %s", o.ID(), control)
}

// each does something with all objects, a few at a time.
func each(t *testing.T, objects []manifest.Object, do func(manifest.Object) error) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	for _, o := range objects {
		group.Go(func() error {
			if err := do(o); err != nil {
				t.Errorf("%s: %v", o.ID(), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
