package upstream

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/runtime/dependency"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gatehouse-dev/gatehouse/generator/flux"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// emitted returns the kinds of policies that a layer can hold.
var emitted = []string{
	"kyverno.io/ClusterPolicy", "kyverno.io/Policy",
	"policies.kyverno.io/ValidatingPolicy", "policies.kyverno.io/NamespacedValidatingPolicy",
	"policies.kyverno.io/ImageValidatingPolicy", "policies.kyverno.io/NamespacedImageValidatingPolicy",
	"policies.kyverno.io/MutatingPolicy", "policies.kyverno.io/NamespacedMutatingPolicy",
	"policies.kyverno.io/GeneratingPolicy", "policies.kyverno.io/NamespacedGeneratingPolicy",
	"policies.kyverno.io/DeletingPolicy", "policies.kyverno.io/NamespacedDeletingPolicy",
}

// buildGraph makes the graph of one cluster with one policy of each kind, a role,
// an exception and a workload.
func buildGraph(t *testing.T) (*plan.Plan, *flux.Graph, []manifest.File) {
	t.Helper()
	var files []manifest.File
	add := func(kind layout.Kind, objects ...manifest.Object) {
		layer := layout.Folder{Environment: "prod", Kind: kind}
		files = append(files, manifest.File{Path: layer.File("all"), Folder: layer, Objects: objects}, flux.Index(layer, []string{"all.yaml"}))
	}
	var policies []manifest.Object
	for _, kind := range emitted {
		group, kind, _ := strings.Cut(kind, "/")
		policies = append(policies, manifest.Object{"apiVersion": group + "/v1", "kind": kind, "metadata": map[string]any{"name": "p"}})
	}
	add("policies", policies...)
	add("kyverno-rbac", manifest.Object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "r"}})
	add("exceptions", manifest.Object{"apiVersion": "kyverno.io/v2", "kind": "PolicyException", "metadata": map[string]any{"name": "e", "namespace": "policy-exceptions"}})
	p := &plan.Plan{
		Environments: []plan.Environment{{
			Name: "prod", Clusters: []string{"prod"},
			Flux: plan.Flux{Namespace: "flux-system", SourceKind: "GitRepository", SourceName: "flux-system", Path: ".",
				Interval: 600e9, RetryInterval: 120e9, Timeout: 300e9, Workloads: []plan.Workload{{Name: "apps", Path: "apps"}}},
		}},
	}
	g := flux.Build(p, files)
	if found := flux.Prove(p, g, files, nil, nil); len(found) > 0 {
		t.Fatalf("the graph is not proven: %v", found)
	}
	return p, g, files
}

func find(t *testing.T, g *flux.Graph, name string) *kustomizev1.Kustomization {
	t.Helper()
	for i := range g.Nodes {
		if g.Nodes[i].Name() == name {
			return &g.Nodes[i].Kustomization
		}
	}
	t.Fatalf("the graph has no %s", name)
	return nil
}

// TestHealthExpressions asks Flux's own evaluator when each kind is ready.
func TestHealthExpressions(t *testing.T) {
	_, g, _ := buildGraph(t)
	exprs := map[string]kustomize.CustomHealthCheck{}
	for _, e := range find(t, g, "gatehouse-policies").Spec.HealthCheckExprs {
		group, _, _ := strings.Cut(e.APIVersion, "/")
		exprs[group+"/"+e.Kind] = e
	}
	condition := func(kind, value string) map[string]any {
		return map[string]any{"conditions": []any{map[string]any{"type": kind, "status": value}}}
	}
	ready := func(value bool) map[string]any {
		return map[string]any{"conditionStatus": map[string]any{"ready": value}}
	}
	type state struct {
		name   string
		status map[string]any
		want   status.Status // empty: an error, which Flux takes for unknown and asks again
	}
	legacy := []state{
		{"no status", nil, ""},
		{"empty status", map[string]any{}, status.InProgressStatus},
		{"no conditions yet", map[string]any{"conditions": []any{}}, status.InProgressStatus},
		{"not ready", condition("Ready", "False"), status.InProgressStatus},
		{"unknown", condition("Ready", "Unknown"), status.InProgressStatus},
		{"only another condition", condition("WebhookConfigured", "True"), status.InProgressStatus},
		{"ready", condition("Ready", "True"), status.CurrentStatus},
	}
	modern := []state{
		{"no status", nil, ""},
		{"empty status", map[string]any{}, status.InProgressStatus},
		{"ready is absent", map[string]any{"conditionStatus": map[string]any{}}, status.InProgressStatus},
		{"not ready", ready(false), status.InProgressStatus},
		{"ready", ready(true), status.CurrentStatus},
	}
	if len(exprs) != len(emitted) {
		t.Fatalf("%d kinds have an expression, want %d", len(exprs), len(emitted))
	}
	for _, kind := range emitted {
		e := exprs[kind]
		evaluator, err := cel.NewStatusEvaluator(&e.HealthCheckExpressions)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		states := modern
		if strings.HasPrefix(kind, "kyverno.io/") {
			states = legacy
		}
		for _, s := range states {
			t.Run(kind+" "+s.name, func(t *testing.T) {
				object := map[string]any{"apiVersion": e.APIVersion, "kind": e.Kind, "metadata": map[string]any{"name": "p", "generation": int64(1)}}
				if s.status != nil {
					object["status"] = s.status
				}
				var got status.Status
				if result, err := evaluator.Evaluate(context.Background(), &unstructured.Unstructured{Object: object}); err == nil {
					got = result.Status
				}
				if got != s.want {
					t.Errorf("Flux says %q, want %q", got, s.want)
				}
			})
		}
	}
}

// TestCycles compares the proof with Flux's own sort.
func TestCycles(t *testing.T) {
	tests := []struct {
		name  string
		edges [][2]string // from, to
	}{
		{"none", nil},
		{"a shortcut is not a cycle", [][2]string{{"apps", "gatehouse-kyverno-rbac"}}},
		{"of one", [][2]string{{"apps", "apps"}}},
		{"of two", [][2]string{{"gatehouse-policies", "apps"}}},
		{"of all", [][2]string{{"gatehouse-kyverno-rbac", "apps"}}},
		{"two", [][2]string{{"gatehouse-exceptions", "gatehouse-policies"}, {"gatehouse-policies", "apps"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, g, files := buildGraph(t)
			for _, e := range tt.edges {
				from := find(t, g, e[0])
				from.Spec.DependsOn = append(from.Spec.DependsOn, kustomizev1.DependencyReference{Name: e[1]})
			}
			var objects []dependency.Dependent
			for i := range g.Nodes {
				objects = append(objects, &g.Nodes[i].Kustomization)
			}
			_, err := dependency.Sort(objects)
			ours := slices.ContainsFunc(flux.Prove(p, g, files, nil, nil), func(d diag.Diagnostic) bool { return d.Code == "graph-cycle" })
			if (err != nil) != ours {
				t.Errorf("Flux says %v, the proof finds a cycle: %t", err, ours)
			}
		})
	}
}
