package flux

import (
	"fmt"
	"maps"
	"path"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// workloadAt is the position of the fixture's workload in the profile.
var workloadAt = diag.Position{File: "profile.yaml", Line: 12, Col: 9}

// newPlan is one environment with one cluster and one workload.
func newPlan() *plan.Plan {
	return &plan.Plan{
		Name: "acme",
		Environments: []plan.Environment{{Name: "prod", Clusters: []string{"prod-eu"}, Flux: plan.Flux{
			Namespace: "flux-system", SourceKind: "GitRepository", SourceName: "flux-system", Path: "deploy",
			Interval: 10 * time.Minute, RetryInterval: 2 * time.Minute, Timeout: 5 * time.Minute,
			ServiceAccountName: "deployer", DecryptionProvider: "sops", DecryptionSecret: "sops-age",
			Workloads: []plan.Workload{{Name: "apps", Path: "./apps/${env}/${cluster}", At: workloadAt}},
		}}},
	}
}

func object(apiVersion, kind, namespace, name string) manifest.Object {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}

func namespace(name string) manifest.Object {
	o := object("v1", "Namespace", "", name)
	o.Metadata()["annotations"] = map[string]any{pruneAnnotation: "disabled"}
	return o
}

func kyvernoRelease() manifest.Object {
	o := object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "flux-system", "kyverno")
	o["spec"] = map[string]any{
		"targetNamespace": "kyverno",
		"chart":           map[string]any{"spec": map[string]any{"chart": "kyverno"}},
	}
	return o
}

func aggregatedRole() manifest.Object {
	o := object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "gatehouse:reports")
	o.Metadata()["labels"] = map[string]any{"rbac.kyverno.io/aggregate-to-reports-controller": "true"}
	return o
}

// layerFiles makes one file per object and the index.
func layerFiles(dir string, objects ...manifest.Object) []manifest.File {
	folder, ok := layout.Parse(dir)
	if !ok {
		panic(dir + " is not an applied folder")
	}
	var files []manifest.File
	var names []string
	for i, o := range objects {
		name := fmt.Sprintf("%02d-%s.yaml", i, o.Name())
		files = append(files, manifest.File{Path: path.Join(dir, name), Folder: folder, Objects: []manifest.Object{o}})
		names = append(names, name)
	}
	return append(files, Index(folder, names))
}

// layers of the fixture, by kind. The second shard of namespaces holds shop.
func newLayers() map[string][]manifest.File {
	prod := func(kind string, objects ...manifest.Object) []manifest.File {
		return layerFiles("environments/prod/"+kind, objects...)
	}
	return map[string][]manifest.File{
		"namespaces":    prod("namespaces", namespace("kyverno"), namespace("policy-exceptions"), namespace("payments")),
		"namespaces-02": prod("namespaces-02", namespace("shop")),
		"kyverno":       prod("kyverno", object("source.toolkit.fluxcd.io/v1", "HelmRepository", "flux-system", "kyverno"), kyvernoRelease()),
		"kyverno-rbac":  prod("kyverno-rbac", aggregatedRole()),
		"trust":         prod("trust", object("v1", "ConfigMap", "kyverno", "cosign-keys")),
		"exceptions":    prod("exceptions", object("kyverno.io/v2", "PolicyException", "policy-exceptions", "agent")),
		"policies":      prod("policies", object("kyverno.io/v1", "ClusterPolicy", "", "disallow-latest-tag")),
		"network":       prod("network", object("networking.k8s.io/v1", "NetworkPolicy", "payments", "default-deny")),
		"network-02":    prod("network-02", object("networking.k8s.io/v1", "NetworkPolicy", "shop", "default-deny")),
	}
}

// join returns the files of the layers but some.
func join(layers map[string][]manifest.File, without ...string) []manifest.File {
	left := maps.Clone(layers)
	for _, k := range without {
		delete(left, k)
	}
	var files []manifest.File
	for _, fs := range left {
		files = append(files, fs...)
	}
	return files
}

// node finds a Kustomization of the first cluster that has it.
func node(t *testing.T, g *Graph, name string) *Node {
	t.Helper()
	for i := range g.Nodes {
		if g.Nodes[i].Name() == name {
			return &g.Nodes[i]
		}
	}
	t.Fatalf("the graph has no %s", name)
	return nil
}

// inProd is the first shard of a layer of prod.
func inProd(kind layout.Kind) layout.Folder { return layout.Folder{Environment: "prod", Kind: kind} }
