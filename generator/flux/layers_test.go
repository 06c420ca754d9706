package flux

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestLayersOrder: the rows are in an order in which the layers can be applied.
func TestLayersOrder(t *testing.T) {
	all := layers()
	for i, l := range all {
		if all.index(l.kind) != i {
			t.Errorf("%s has two rows", l.kind)
		}
		for _, kind := range l.follows {
			if at := all.index(kind); at < 0 || at >= i {
				t.Errorf("%s follows %s, which is in row %d", l.kind, kind, at)
			}
		}
	}
}

func helmRelease(name string) manifest.Object {
	o := object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "flux-system", name)
	o["spec"] = map[string]any{"targetNamespace": "payments"}
	return o
}

// secondRelease adds another chart, in the layer trust, and an object of a kind that
// the chart brings. Workloads wait for it.
func secondRelease(w *world) {
	row := &w.table[w.table.index(layout.Trust)]
	row.gate, row.guards = waitForReleases, true
	row.releases = &role{name: "External Secrets", provides: []string{"external-secrets.io"}}
	w.layers["trust"] = layerFiles("environments/prod/trust", helmRelease("external-secrets"))
	w.layers["policies"] = layerFiles("environments/prod/policies", object("kyverno.io/v1", "ClusterPolicy", "", "p"),
		object("external-secrets.io/v1", "ExternalSecret", "payments", "keys"))
}

// TestSecondRelease: only the release of the layer kyverno is treated as Kyverno.
func TestSecondRelease(t *testing.T) {
	w := newWorld()
	secondRelease(w)
	files := join(w.layers)
	g := w.table.build(w.plan, files)
	if found := w.table.prove(w.plan, g, files, nil, nil); len(found) > 0 {
		t.Errorf("the proof refuses it: %v", found)
	}
	var checked []string
	for _, h := range spec(t, g, "gatehouse-trust").HealthChecks {
		checked = append(checked, h.Kind+" "+h.Namespace+"/"+h.Name)
	}
	if diff := cmp.Diff([]string{"HelmRelease flux-system/external-secrets"}, checked); diff != "" {
		t.Error(diff)
	}
	if !spec(t, g, "gatehouse-trust").Prune {
		t.Error("the layer is not pruned, although its release leaves no webhooks")
	}
	if !slices.Contains(edges(g)["apps"], "gatehouse-trust") && !slices.Contains(edges(g)["gatehouse-policies"], "gatehouse-trust") {
		t.Error("workloads do not wait for it")
	}
}

// releaseCases are about releases other than that of Kyverno.
func releaseCases() []proofCase {
	return []proofCase{
		{name: "another release does not wait", world: secondRelease, graph: func(t *testing.T, g *Graph) {
			spec(t, g, "gatehouse-trust").HealthChecks = nil
		}, want: "gatehouse-trust does not wait until External Secrets answers, but others follow it [graph-no-wait]"},
		{name: "objects before the CRDs of another release", world: secondRelease, graph: independent("gatehouse-policies"), elsewhere: true,
			want: "gatehouse-policies holds a ExternalSecret and does not wait for gatehouse-trust, which brings the CRD [graph-crd-after-cr]"},
		{name: "workload before another release", world: secondRelease, graph: independent("apps"), workload: true,
			want: "workload apps does not wait for gatehouse-trust [graph-workload-early]"},
		{name: "another release with webhooks, pruned", world: func(w *world) {
			secondRelease(w)
			w.table[w.table.index(layout.Trust)].releases.webhooks = true
		}, want: "gatehouse-trust would uninstall external-secrets while its webhooks still exist [graph-prune]"},
		{name: "a release without a role, pruned", world: func(w *world) {
			w.layers["trust"] = layerFiles("environments/prod/trust", helmRelease("tetragon"))
		}, elsewhere: true, want: "gatehouse-trust would uninstall tetragon, and the table of layers does not say what it is for [graph-prune]"},
		{name: "a release without a role does not wait", world: func(w *world) {
			w.layers["trust"] = layerFiles("environments/prod/trust", helmRelease("tetragon"))
		}, elsewhere: true, want: "gatehouse-trust does not wait until tetragon answers, but others follow it [graph-no-wait]"},
	}
}
