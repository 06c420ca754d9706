package flux

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/apis/meta"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// world is everything that the proof sees. A case breaks it.
type world struct {
	table    table
	plan     *plan.Plan
	layers   map[string][]manifest.File
	prior    *manifest.Lock
	existing []string
}

func newWorld() *world { return &world{table: layers(), plan: newPlan(), layers: newLayers()} }

// proofCase changes the input of Build, or the graph that Build made.
type proofCase struct {
	name  string
	world func(w *world)
	graph func(t *testing.T, g *Graph)
	// want is the text of the finding: summary and code, after the position.
	want      string
	warning   bool
	workload  bool // the finding must point at the workload in the profile
	elsewhere bool // other findings may come with it
}

func spec(t *testing.T, g *Graph, name string) *kustomizev1.KustomizationSpec {
	return &node(t, g, name).Kustomization.Spec
}

func depend(t *testing.T, g *Graph, name, on string) {
	s := spec(t, g, name)
	s.DependsOn = append(s.DependsOn, kustomizev1.DependencyReference{Name: on})
}

// independent removes what a Kustomization waits for.
func independent(name string) func(*testing.T, *Graph) {
	return func(t *testing.T, g *Graph) { spec(t, g, name).DependsOn = nil }
}

func workload(name, dir string) func(*world) {
	return func(w *world) {
		w.plan.Environments[0].Flux.Workloads = []plan.Workload{{Name: name, Path: dir, At: workloadAt}}
	}
}

func shapeCases() []proofCase {
	return []proofCase{
		{name: "name too long", world: workload(strings.Repeat("a", 64), "./apps"), workload: true,
			want: "workload " + strings.Repeat("a", 64) + " has a name of 64 characters, but at most 63 are allowed (shorten it) [graph-name-too-long]"},
		{name: "name invalid", world: workload("My_Apps", "./apps"), workload: true,
			want: `workload My_Apps has a name that Kubernetes refuses: "My_Apps"`},
		{name: "name leaves the folder", world: workload("../../apps", "./apps"), workload: true, want: "[graph-name]"},
		{name: "workload named like the root", world: workload("flux-system", "./apps"), workload: true,
			want: "workload flux-system has the name of a Kustomization that gatehouse or Flux itself needs (give it another name) [graph-name-reserved]"},
		{name: "workload named like the source", workload: true, world: func(w *world) {
			workload("fleet", "./apps")(w)
			w.plan.Environments[0].Flux.SourceName = "fleet"
		}, want: "[graph-name-reserved]"},
		{name: "workload named like a layer to come", world: workload("gatehouse-reports", "./apps"), workload: true, want: "[graph-name-reserved]"},
		{name: "workload named like a layer", world: workload("gatehouse-policies", "./apps"), workload: true, want: "[graph-name-reserved]"},
		{name: "existing workload named like the root", workload: true, world: func(w *world) {
			workload("flux-system", "")(w)
			w.plan.Environments[0].Flux.Workloads[0].Existing = true
		}, want: "[graph-name-reserved]"},
		{name: "workload named like the index", world: workload("kustomization", "./apps"), workload: true,
			want: "workload kustomization has the name of the folder's index file (give it another name) [graph-duplicate]"},
		{name: "the same node twice", graph: func(t *testing.T, g *Graph) { g.Nodes = append(g.Nodes, *node(t, g, "gatehouse-trust")) }, elsewhere: true,
			want: "cluster prod-eu: Kustomization gatehouse-trust has the name of another Kustomization of the cluster"},
		{name: "dangling", graph: func(t *testing.T, g *Graph) { depend(t, g, "gatehouse-trust", "infra") },
			want: "cluster prod-eu: Kustomization gatehouse-trust waits for flux-system/infra, which does not exist in this cluster [graph-dangling]"},
		{name: "dangling in another namespace", graph: func(t *testing.T, g *Graph) {
			spec(t, g, "gatehouse-trust").DependsOn[0].Namespace = "other"
		}, elsewhere: true, want: "waits for other/gatehouse-kyverno, which does not exist in this cluster [graph-dangling]"},
		{name: "cycle", graph: func(t *testing.T, g *Graph) { depend(t, g, "gatehouse-kyverno", "gatehouse-policies") },
			want: "waits for itself: gatehouse-kyverno -> gatehouse-policies -> gatehouse-exceptions -> gatehouse-kyverno-rbac -> gatehouse-kyverno [graph-cycle]"},
		{name: "cycle of one", graph: func(t *testing.T, g *Graph) { depend(t, g, "gatehouse-trust", "gatehouse-trust") },
			want: "waits for itself: gatehouse-trust -> gatehouse-trust [graph-cycle]"},
		{name: "two sources", graph: func(t *testing.T, g *Graph) { spec(t, g, "gatehouse-policies").SourceRef.Name = "policies" }, elsewhere: true,
			want: "cluster prod-eu: Kustomization gatehouse-policies comes from GitRepository flux-system/policies, but waits for gatehouse-exceptions from GitRepository flux-system/flux-system [graph-two-sources]"},
		{name: "path leaves the source", world: workload("apps", "../other"), workload: true,
			want: "workload apps has the path ./../other, which is not inside the source (make it relative to the root of the source) [graph-path]"},
		{name: "absolute path", world: workload("apps", "/apps"), workload: true, want: "has the path /apps, which is not inside the source"},
		{name: "two workloads in one folder", workload: true, world: func(w *world) {
			w.plan.Environments[0].Flux.Workloads = append(w.plan.Environments[0].Flux.Workloads, plan.Workload{Name: "more", Path: "apps/${env}", At: workloadAt})
		}, want: "workload more applies ./apps/prod, which overlaps ./apps/prod/prod-eu of apps (give it its own folder) [graph-path-overlap]"},
		{name: "workload on a layer", world: workload("apps", "deploy/environments/prod/policies"), workload: true,
			want: "workload apps applies ./deploy/environments/prod/policies, which overlaps deploy/environments of gatehouse"},
		{name: "workload on the layers of another environment", world: workload("apps", "deploy/environments/dev"), workload: true,
			want: "overlaps deploy/environments of gatehouse"},
		{name: "workload on the whole source", world: workload("apps", "./"), workload: true, elsewhere: true, want: "overlaps deploy/environments of gatehouse"},
		{name: "workload on another cluster", workload: true, world: func(w *world) {
			workload("apps", "deploy/clusters/prod-us/gatehouse")(w)
			w.plan.Environments[0].Clusters = []string{"prod-eu", "prod-us"}
		}, elsewhere: true, want: "overlaps deploy/clusters/prod-us/gatehouse of gatehouse"},
		{name: "parent waits for its child", world: workload("apps", "deploy/clusters/prod-eu"), workload: true,
			want: "workload apps applies the Kustomization gatehouse-namespaces, and each waits for the other (give it a folder outside deploy/clusters/prod-eu/gatehouse) [graph-parent-waits]"},
		{name: "child waits for its parent", graph: func(t *testing.T, g *Graph) {
			parent := spec(t, g, "apps")
			parent.Path, parent.Wait, parent.DependsOn = "deploy/clusters", true, nil
			depend(t, g, "gatehouse-namespaces", "apps")
		}, elsewhere: true, want: "workload apps applies the Kustomization gatehouse-namespaces, and each waits for the other"},
		{name: "second root", graph: func(t *testing.T, g *Graph) {
			parent := spec(t, g, "apps")
			parent.Path, parent.DependsOn = "deploy/clusters/prod-eu", nil
		}, elsewhere: true, want: "workload apps applies deploy/clusters/prod-eu/gatehouse, which the root Kustomization applies"},
	}
}

func settingsCases() []proofCase {
	return []proofCase{
		{name: "no interval", world: func(w *world) { w.plan.Environments[0].Flux.Interval = 0 }, elsewhere: true, want: "has the interval 0s (must be positive, in ms, s, m or h) [graph-interval]"},
		{name: "interval in microseconds", world: func(w *world) { w.plan.Environments[0].Flux.RetryInterval = 1500 * time.Microsecond / 1000 }, elsewhere: true,
			want: "has the retryInterval 1.5µs"},
		{name: "no retry interval", graph: func(t *testing.T, g *Graph) { spec(t, g, "apps").RetryInterval = nil }, want: "has no retryInterval"},
		{name: "no timeout", graph: func(t *testing.T, g *Graph) { spec(t, g, "apps").Timeout = nil }, want: "has no timeout"},
		{name: "short interval", world: func(w *world) { w.plan.Environments[0].Flux.Interval = 10 * time.Second }, warning: true,
			want: "warning: spec.flux.interval: every layer is applied every 10s, which loads the API server [graph-interval]"},
		{name: "short timeout", world: func(w *world) { w.plan.Environments[0].Flux.Timeout = 20 * time.Second }, warning: true,
			want: "warning: spec.flux.timeout: Flux raises a timeout of 20s to 30s"},
		{name: "force", graph: func(t *testing.T, g *Graph) { spec(t, g, "gatehouse-policies").Force = true }, want: "[graph-force]"},
		{name: "target namespace", graph: func(t *testing.T, g *Graph) { spec(t, g, "gatehouse-exceptions").TargetNamespace = "kyverno" },
			want: "moves all its objects into the namespace kyverno [graph-target-namespace]"},
		{name: "pruned namespace", world: func(w *world) {
			w.layers["trust"] = layerFiles("environments/prod/trust", object("v1", "Namespace", "", "keys"))
		}, want: "would delete the namespace keys and all that is in it, once it leaves the profile [graph-prune]"},
		{name: "pruned Kyverno", graph: func(t *testing.T, g *Graph) { spec(t, g, "gatehouse-kyverno").Prune = true },
			want: "would uninstall kyverno while its webhooks still exist [graph-prune]"},
		{name: "policies do not wait", graph: func(t *testing.T, g *Graph) {
			spec(t, g, "gatehouse-policies").Wait, spec(t, g, "gatehouse-policies").HealthCheckExprs = false, nil
		}, want: "does not wait until its policies are in force, but others follow it [graph-no-wait]"},
		{name: "Kyverno does not wait", graph: func(t *testing.T, g *Graph) { spec(t, g, "gatehouse-kyverno").HealthChecks = nil },
			want: "does not wait until Kyverno answers, but others follow it [graph-no-wait]"},
		{name: "unknown variable", world: workload("apps", "./apps/${region}"), workload: true,
			want: "workload apps has a variable that nothing replaces: ./apps/${region} (use only ${env} and ${cluster}, and only in paths) [graph-substitution]"},
		{name: "variable in a name", world: workload("apps-${env}", "./apps"), workload: true, elsewhere: true, want: "has a variable that nothing replaces: apps-${env}"},
		{name: "object with a variable in a layer that substitutes", world: func(w *world) {
			o := object("kyverno.io/v1", "ClusterPolicy", "", "p")
			o["spec"] = map[string]any{"rules": []any{map[string]any{"message": "not ${HOME}"}}}
			w.layers["policies"] = layerFiles("environments/prod/policies", o)
		}, graph: func(t *testing.T, g *Graph) {
			spec(t, g, "gatehouse-policies").PostBuild = &kustomizev1.PostBuild{}
		}, want: "replaces variables, and kyverno.io/ClusterPolicy//p holds ${ [graph-substitution]"},
	}
}

func healthCases() []proofCase {
	exprs := func(change func(s *kustomizev1.KustomizationSpec)) func(*testing.T, *Graph) {
		return func(t *testing.T, g *Graph) { change(spec(t, g, "gatehouse-policies")) }
	}
	return []proofCase{
		{name: "wait ignores health checks", graph: exprs(func(s *kustomizev1.KustomizationSpec) {
			s.HealthChecks = []meta.NamespacedObjectKindReference{{Kind: "Deployment"}}
		}), want: "has healthChecks, which wait: true ignores [graph-health-expr]"},
		{name: "expressions that nothing uses", graph: func(t *testing.T, g *Graph) {
			spec(t, g, "gatehouse-trust").HealthCheckExprs = healthExprs(healthKinds())
		}, want: "has healthCheckExprs, which Flux ignores without wait or healthChecks"},
		{name: "kind without expression", graph: exprs(func(s *kustomizev1.KustomizationSpec) { s.HealthCheckExprs = nil }),
			want: "waits for ClusterPolicy without an expression: Flux would call it ready at once"},
		{name: "whole group", graph: exprs(func(s *kustomizev1.KustomizationSpec) { s.HealthCheckExprs[0].Kind = "" }), elsewhere: true,
			want: "judges the whole group kyverno.io by one expression"},
		{name: "PolicyException", graph: exprs(func(s *kustomizev1.KustomizationSpec) {
			s.HealthCheckExprs = append(s.HealthCheckExprs, kustomize.CustomHealthCheck{APIVersion: "policies.kyverno.io/v1", Kind: "PolicyException"})
		}), want: "waits for the status of PolicyExceptions, which have none"},
		{name: "twice", graph: exprs(func(s *kustomizev1.KustomizationSpec) {
			s.HealthCheckExprs = append(s.HealthCheckExprs, s.HealthCheckExprs[0])
		}), want: "has two expressions for ClusterPolicy"},
		{name: "empty", graph: exprs(func(s *kustomizev1.KustomizationSpec) { s.HealthCheckExprs[0].Current = " " }),
			want: "has no expression for when ClusterPolicy is current"},
		{name: "failed", graph: exprs(func(s *kustomizev1.KustomizationSpec) { s.HealthCheckExprs[0].Failed = "false" }),
			want: "gives up on ClusterPolicy at the first failure"},
	}
}

func orderCases() []proofCase {
	return []proofCase{
		{name: "CRD after CR", graph: independent("gatehouse-exceptions"), elsewhere: true,
			want: "cluster prod-eu: Kustomization gatehouse-exceptions holds a PolicyException and does not wait for gatehouse-kyverno, which brings the CRD [graph-crd-after-cr]"},
		{name: "CRD and CR in one layer", world: func(w *world) {
			crd := object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.com")
			crd["spec"] = map[string]any{"group": "example.com"}
			w.layers["trust"] = layerFiles("environments/prod/trust", crd, object("example.com/v1", "Thing", "", "one"))
		}, want: "gatehouse-trust holds a Thing and brings the CRD itself"},
		{name: "no Kyverno for a policy", elsewhere: true, world: func(w *world) { w.plan.Environments[0].Kyverno.Absent = true },
			want: "cluster prod-eu: Kustomization gatehouse-policies holds a ClusterPolicy of kyverno.io, which nothing in the cluster executes [graph-unexecuted]"},
		{name: "a Kyverno that executes less", elsewhere: true, world: func(w *world) { w.plan.Environments[0].Kyverno.Version = "1.20" },
			want: "cluster prod-eu: Kustomization gatehouse-exceptions holds a PolicyException of kyverno.io, which nothing in the cluster executes [graph-unexecuted]"},
		{name: "RBAC after policy", graph: independent("gatehouse-policies"), elsewhere: true,
			want: "holds policies and does not wait for gatehouse-kyverno-rbac, which lets Kyverno read what they match [graph-rbac-after-policy]"},
		{name: "exception after policy", graph: independent("gatehouse-policies"), elsewhere: true,
			want: "holds policies and does not wait for gatehouse-exceptions, which holds the exceptions from them [graph-exception-after-policy]"},
		{name: "exception in the layer of its policy", world: func(w *world) {
			w.layers["policies"] = layerFiles("environments/prod/policies", object("kyverno.io/v1", "ClusterPolicy", "", "p"),
				object("policies.kyverno.io/v1", "PolicyException", "policy-exceptions", "e"))
		}, want: "holds policies and does not wait for gatehouse-policies, which holds the exceptions from them"},
		{name: "namespace after object", graph: independent("gatehouse-network-02"),
			want: "gatehouse-network-02 has objects in the namespace shop and does not wait for gatehouse-namespaces-02, which creates it [graph-namespace-after-object]"},
		{name: "Helm release before its namespace", graph: independent("gatehouse-kyverno"), elsewhere: true,
			want: "gatehouse-kyverno has objects in the namespace kyverno and does not wait for gatehouse-namespaces"},
		{name: "workload before policies", graph: independent("apps"), workload: true,
			want: "workload apps does not wait for gatehouse-policies [graph-workload-early]"},
	}
}

func outputCases() []proofCase {
	lock := func(path, layer string, ids ...string) *manifest.Lock {
		return &manifest.Lock{Files: []manifest.LockedFile{{Path: path, Layer: layer, Objects: ids}}}
	}
	const policy = "kyverno.io/ClusterPolicy//disallow-latest-tag"
	return []proofCase{
		{name: "layer without a node", graph: func(t *testing.T, g *Graph) {
			g.Nodes = slices.DeleteFunc(g.Nodes, func(n Node) bool { return n.Name() == "gatehouse-network-02" })
		}, elsewhere: true, want: "cluster prod-eu: no Kustomization applies environments/prod/network-02 [graph-unapplied]"},
		{name: "unknown kind of layer", world: func(w *world) {
			w.layers["gadgets"] = layerFiles("environments/prod/gadgets", object("v1", "ConfigMap", "payments", "x"))
		}, want: "no Kustomization applies environments/prod/gadgets [graph-unapplied]"},
		{name: "node without a layer", graph: func(t *testing.T, g *Graph) {
			n := *node(t, g, "gatehouse-trust")
			n.Folder, n.Kustomization.Name, n.Kustomization.Spec.Path = layout.Folder{Environment: "prod", Kind: layout.Trust, Shard: 2}, "gatehouse-trust-02", "./deploy/environments/prod/trust-02"
			g.Nodes = append(g.Nodes, n)
		}, elsewhere: true, want: "gatehouse-trust-02 applies environments/prod/trust-02, which has no objects [graph-unapplied]"},
		{name: "no index", world: func(w *world) { w.layers["trust"] = w.layers["trust"][:1] },
			want: "environments/prod/trust has no kustomization.yaml: Flux would apply every YAML file below it [graph-index]"},
		{name: "index lists what is not there", world: func(w *world) {
			w.layers["trust"][1] = Index(inProd("trust"), []string{"00-cosign-keys.yaml", "gone.yaml"})
		},
			want: "environments/prod/trust lists gone.yaml, which does not exist [graph-index]"},
		{name: "index leaves a file out", world: func(w *world) { w.layers["trust"][1] = Index(inProd("trust"), nil) },
			want: "environments/prod/trust does not list environments/prod/trust/00-cosign-keys.yaml [graph-index]"},
		{name: "file outside its layer", world: func(w *world) { w.layers["trust"][0].Path = "keys/00-cosign-keys.yaml" }, elsewhere: true,
			want: "environments/prod/trust does not list keys/00-cosign-keys.yaml [graph-index]"},
		{name: "stray file", world: func(w *world) { w.existing = []string{"environments/prod/policies/extra/mine.yaml"} }, warning: true,
			want: "warning: environments/prod/policies/extra/mine.yaml was not written by gatehouse, and Flux does not apply it (move it out of environments/prod/policies) [graph-stray-yaml]"},
		{name: "stray file with the Kustomizations", world: func(w *world) { w.existing = []string{"clusters/prod-eu/gatehouse/mine.yml"} }, warning: true,
			want: "clusters/prod-eu/gatehouse/mine.yml was not written by gatehouse"},
		{name: "second index", world: func(w *world) { w.existing = []string{"environments/prod/policies/kustomization.yml"} },
			want: "environments/prod/policies/kustomization.yml is a second index: Flux does not apply a folder with two (remove it) [graph-stray-yaml]"},
		{name: "move to a layer that does not come before", world: func(w *world) {
			w.prior = lock("environments/prod/exceptions/p.yaml", "environments/prod/exceptions", policy)
		}, want: "cluster prod-eu: kyverno.io/ClusterPolicy//disallow-latest-tag moves from environments/prod/exceptions to environments/prod/policies, and Flux may delete it on the way [graph-move]"},
		{name: "move out of a layer that is gone", world: func(w *world) {
			w.prior = lock("environments/prod/network-03/p.yaml", "environments/prod/network-03", "networking.k8s.io/NetworkPolicy/shop/default-deny")
		}, want: "moves from environments/prod/network-03 to environments/prod/network-02"},
		{name: "other namespace of Flux", world: func(w *world) {
			w.prior = lock("clusters/prod-eu/gatehouse/gatehouse-policies.yaml", "", groupFlux+"/Kustomization/flux/gatehouse-policies")
		}, want: "gatehouse-policies was flux/gatehouse-policies before: Flux deletes the old one with all its objects (keep the name and namespace) [graph-rename]"},
	}
}

func TestProve(t *testing.T) {
	for _, tt := range slices.Concat(shapeCases(), settingsCases(), healthCases(), orderCases(), outputCases(), releaseCases()) {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			if tt.world != nil {
				tt.world(w)
			}
			files := join(w.layers)
			g := w.table.build(w.plan, files)
			if tt.graph != nil {
				tt.graph(t, g)
			}
			found := w.table.prove(w.plan, g, files, w.prior, w.existing)
			i := slices.IndexFunc(found, func(d diag.Diagnostic) bool { return strings.Contains(d.String(), tt.want) })
			if i < 0 {
				t.Fatalf("want %q, got:\n%v", tt.want, lines(found))
			}
			if (found[i].Severity == diag.Warning) != tt.warning {
				t.Errorf("the severity is %s", found[i].Severity)
			}
			if tt.workload && found[i].Position != workloadAt {
				t.Errorf("the finding points at %q, not at the workload", found[i].Position)
			}
			for _, d := range found {
				if d.Code != found[i].Code && !tt.elsewhere {
					t.Errorf("unexpected: %s", d)
				}
			}
		})
	}
}

func lines(l diag.List) string {
	var b strings.Builder
	for _, d := range l {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}

func TestProveAccepts(t *testing.T) {
	tests := []struct {
		name  string
		world func(w *world)
	}{
		{"files that gatehouse wrote before and now removes", func(w *world) {
			w.prior = &manifest.Lock{Files: []manifest.LockedFile{{Path: "environments/prod/policies/old.yaml"}}}
			w.existing = []string{"environments/prod/policies/old.yaml", "environments/prod/policies/kustomization.yaml",
				"clusters/prod-eu/gatehouse/apps.yaml", "clusters/prod-eu/gatehouse/kustomization.yaml"}
		}},
		{"files outside every applied folder", func(w *world) {
			w.existing = []string{"tests/prod/kyverno-test.yaml", "clusters/prod-eu/flux-system/gotk-sync.yaml", "kustomization.yml", "environments/prod/policies/README.md"}
		}},
		{"a move to a layer that comes before", func(w *world) {
			w.prior = &manifest.Lock{Files: []manifest.LockedFile{{Path: "environments/prod/policies/e.yaml", Layer: "environments/prod/policies",
				Objects: []string{"kyverno.io/PolicyException/policy-exceptions/agent"}}}}
		}},
		{"a move out of a layer that is not pruned", func(w *world) {
			w.prior = &manifest.Lock{Files: []manifest.LockedFile{{Path: "environments/prod/namespaces-03/shop.yaml", Layer: "environments/prod/namespaces-03",
				Objects: []string{"/Namespace//shop"}}}}
		}},
		{"a workload that leaves, because it is orphaned", func(w *world) {
			w.prior = &manifest.Lock{Files: []manifest.LockedFile{{Path: "clusters/prod-eu/gatehouse/old.yaml",
				Objects: []string{groupFlux + "/Kustomization/flux-system/old"}}}}
		}},
		{"${ in a policy, because nothing is substituted", func(w *world) {
			o := object("kyverno.io/v1", "ClusterPolicy", "", "p")
			o["spec"] = map[string]any{"message": "${HOME}"}
			w.layers["policies"] = layerFiles("environments/prod/policies", o)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			tt.world(w)
			files := join(w.layers)
			if found := Prove(w.plan, Build(w.plan, files), files, w.prior, w.existing); len(found) > 0 {
				t.Errorf("refused:\n%s", lines(found))
			}
		})
	}
}

// TestCodesAreCovered checks that every code has a failing case and a section in
// docs/lints.md, and that the sections are sorted.
func TestCodesAreCovered(t *testing.T) {
	var cases strings.Builder
	for _, tt := range slices.Concat(shapeCases(), settingsCases(), healthCases(), orderCases(), outputCases()) {
		cases.WriteString(tt.want + "\n")
	}
	docs, err := os.ReadFile("../../docs/lints.md")
	if err != nil {
		t.Fatal(err)
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(string(docs), -1) {
		sections = append(sections, m[1])
	}
	if !slices.IsSorted(sections) {
		t.Errorf("the sections of docs/lints.md are not sorted: %v", sections)
	}
	for _, code := range codes(t) {
		if !strings.Contains(cases.String(), "["+code+"]") {
			t.Errorf("no case fails with %s", code)
		}
		if !slices.Contains(sections, code) {
			t.Errorf("docs/lints.md has no section ## %s", code)
		}
	}
}

// codes reads the constants of codes.go.
func codes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value)
			found = append(found, s)
		}
		return true
	})
	if len(found) < 20 {
		t.Fatalf("codes.go has only %v", found)
	}
	return found
}
