package flux

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	p := newPlan()
	p.Environments[0].Flux.Path = "."
	g := Build(p, join(newLayers(), "namespaces-02", "network-02", "trust", "exceptions", "network", "kyverno-rbac"))
	tests := map[string]string{
		"text": `cluster prod-eu (environment prod)
  gatehouse-namespaces  ./environments/prod/namespaces  ready when applied  first
  gatehouse-kyverno     ./environments/prod/kyverno     ready when healthy  after gatehouse-namespaces
  gatehouse-policies    ./environments/prod/policies    ready when healthy  after gatehouse-kyverno
  apps                  ./apps/prod/prod-eu             ready when applied  after gatehouse-policies
`,
		"mermaid": `flowchart LR
  subgraph c0["prod-eu (prod)"]
    c0n0["gatehouse-namespaces"]
    c0n1["gatehouse-kyverno"]
    c0n2["gatehouse-policies"]
    c0n3(["apps"])
    c0n0 --> c0n1
    c0n1 --> c0n2
    c0n2 --> c0n3
  end
`,
		"dot": `digraph gatehouse {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_0 {
    label="prod-eu (prod)";
    c0n0 [label="gatehouse-namespaces"];
    c0n1 [label="gatehouse-kyverno"];
    c0n2 [label="gatehouse-policies"];
    c0n3 [label="apps", style=rounded];
    c0n0 -> c0n1;
    c0n1 -> c0n2;
    c0n2 -> c0n3;
  }
}
`,
	}
	for format, want := range tests {
		t.Run(format, func(t *testing.T) {
			got, err := Render(g, format)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRenderJSON(t *testing.T) {
	p := newPlan()
	p.Environments[0].Clusters = []string{"prod-us", "prod-eu"}
	out, err := Render(Build(p, join(newLayers())), "json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Clusters []drawing }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Clusters) != 2 || got.Clusters[0].Cluster != "prod-eu" || len(got.Clusters[1].Nodes) != 10 {
		t.Fatalf("got %s", out)
	}
	want := drawnBlock{
		Name: "gatehouse-kyverno", Namespace: "flux-system", Path: "./deploy/environments/prod/kyverno", Waits: true,
		DependsOn: []string{"gatehouse-namespaces"},
	}
	if diff := cmp.Diff(want, got.Clusters[0].Nodes[4]); diff != "" {
		t.Error(diff)
	}
}

func TestRenderNothing(t *testing.T) {
	for _, format := range Formats() {
		if _, err := Render(&Graph{}, format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	if _, err := Render(&Graph{}, "mermade"); err == nil || !strings.Contains(err.Error(), `did you mean "mermaid"?`) {
		t.Errorf("an unknown format gives %v", err)
	}
}
