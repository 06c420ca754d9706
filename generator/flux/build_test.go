package flux

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// edges returns what each Kustomization waits for.
func edges(g *Graph) map[string][]string {
	found := map[string][]string{}
	for _, n := range g.Nodes {
		names := []string{}
		for _, d := range n.Kustomization.Spec.DependsOn {
			names = append(names, d.Name)
		}
		found[n.Name()] = names
	}
	return found
}

func TestBuildEdges(t *testing.T) {
	tests := []struct {
		name    string
		without []string
		want    map[string][]string
	}{
		{"everything", nil, map[string][]string{
			"gatehouse-namespaces":    {},
			"gatehouse-namespaces-02": {},
			"gatehouse-kyverno":       {"gatehouse-namespaces"},
			"gatehouse-kyverno-rbac":  {"gatehouse-kyverno"},
			"gatehouse-trust":         {"gatehouse-kyverno"},
			"gatehouse-exceptions":    {"gatehouse-kyverno-rbac"},
			"gatehouse-policies":      {"gatehouse-exceptions", "gatehouse-namespaces-02", "gatehouse-trust"},
			"gatehouse-network":       {"gatehouse-namespaces"},
			"gatehouse-network-02":    {"gatehouse-namespaces-02"},
			"apps":                    {"gatehouse-network", "gatehouse-network-02", "gatehouse-policies"},
		}},
		{"Kyverno is there already", []string{"kyverno", "namespaces-02", "network-02"}, map[string][]string{
			"gatehouse-namespaces":   {},
			"gatehouse-kyverno-rbac": {},
			"gatehouse-trust":        {"gatehouse-namespaces"},
			"gatehouse-exceptions":   {"gatehouse-kyverno-rbac", "gatehouse-namespaces"},
			"gatehouse-policies":     {"gatehouse-exceptions", "gatehouse-trust"},
			"gatehouse-network":      {"gatehouse-namespaces"},
			"apps":                   {"gatehouse-network", "gatehouse-policies"},
		}},
		{"no exceptions, no trust, no roles", []string{"exceptions", "trust", "kyverno-rbac", "namespaces-02", "network-02"}, map[string][]string{
			"gatehouse-namespaces": {},
			"gatehouse-kyverno":    {"gatehouse-namespaces"},
			"gatehouse-policies":   {"gatehouse-kyverno"},
			"gatehouse-network":    {"gatehouse-namespaces"},
			"apps":                 {"gatehouse-network", "gatehouse-policies"},
		}},
		{"every control is off", []string{"policies", "exceptions", "trust", "kyverno-rbac", "network"}, map[string][]string{
			"gatehouse-namespaces":    {},
			"gatehouse-namespaces-02": {},
			"gatehouse-kyverno":       {"gatehouse-namespaces"},
			"gatehouse-network-02":    {"gatehouse-namespaces-02"},
			"apps":                    {"gatehouse-kyverno", "gatehouse-network-02"},
		}},
		{"only policies", []string{"namespaces", "namespaces-02", "kyverno", "kyverno-rbac", "trust", "exceptions", "network", "network-02"}, map[string][]string{
			"gatehouse-policies": {},
			"apps":               {"gatehouse-policies"},
		}},
		{"nothing at all", []string{"namespaces", "namespaces-02", "kyverno", "kyverno-rbac", "trust", "exceptions", "policies", "network", "network-02"}, map[string][]string{
			"apps": {},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, files := newPlan(), join(newLayers(), tt.without...)
			g := Build(p, files)
			if diff := cmp.Diff(tt.want, edges(g)); diff != "" {
				t.Error(diff)
			}
			if found := Prove(p, g, files, nil, nil); len(found) > 0 {
				t.Errorf("the proof refuses what Build made: %v", found)
			}
		})
	}
}

func TestBuildSettings(t *testing.T) {
	g := Build(newPlan(), join(newLayers()))
	common := map[string]any{
		"interval": "10m0s", "retryInterval": "2m0s", "timeout": "5m0s", "prune": true, "serviceAccountName": "deployer",
		"sourceRef": map[string]any{"kind": "GitRepository", "name": "flux-system"},
	}
	sops := map[string]any{"provider": "sops", "secretRef": map[string]any{"name": "sops-age"}}
	with := func(more map[string]any) map[string]any {
		spec := map[string]any{}
		for _, m := range []map[string]any{common, more} {
			maps.Copy(spec, m)
		}
		return spec
	}
	depends := func(names ...string) []any {
		var deps []any
		for _, n := range names {
			deps = append(deps, map[string]any{"name": n})
		}
		return deps
	}
	tests := map[string]map[string]any{
		"gatehouse-namespaces": with(map[string]any{"path": "./deploy/environments/prod/namespaces", "prune": false}),
		"gatehouse-kyverno": with(map[string]any{
			"path": "./deploy/environments/prod/kyverno", "prune": false, "timeout": "10m0s", "dependsOn": depends("gatehouse-namespaces"),
			"healthChecks": []any{
				map[string]any{"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "name": "kyverno", "namespace": "flux-system"},
				map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "kyverno-admission-controller", "namespace": "kyverno"},
			},
		}),
		"gatehouse-trust": with(map[string]any{"path": "./deploy/environments/prod/trust", "decryption": sops, "dependsOn": depends("gatehouse-kyverno")}),
		"gatehouse-policies": with(map[string]any{
			"path": "./deploy/environments/prod/policies", "wait": true,
			"dependsOn": depends("gatehouse-exceptions", "gatehouse-namespaces-02", "gatehouse-trust"),
			"healthCheckExprs": []any{map[string]any{
				"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
				"current": "has(status.conditions) && status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
			}},
		}),
		"apps": with(map[string]any{
			"path": "./apps/prod/prod-eu", "decryption": sops, "deletionPolicy": "Orphan",
			"dependsOn": depends("gatehouse-network", "gatehouse-network-02", "gatehouse-policies"),
		}),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := manifest.From(node(t, g, name).Kustomization)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, o["spec"]); diff != "" {
				t.Error(diff)
			}
			if o.ID() != "kustomize.toolkit.fluxcd.io/Kustomization/flux-system/"+name {
				t.Errorf("the object is %s", o.ID())
			}
		})
	}
}

func TestBuildClusters(t *testing.T) {
	p := newPlan()
	p.Environments[0].Clusters = []string{"prod-eu", "prod-us"}
	p.Environments[0].Flux.Path = "."
	g := Build(p, join(newLayers(), "namespaces-02", "network-02"))
	paths := map[string]string{}
	for _, n := range g.Nodes {
		paths[n.Path()] = n.Kustomization.Spec.Path
	}
	for file, want := range map[string]string{
		"clusters/prod-us/gatehouse/gatehouse-policies.yaml": "./environments/prod/policies",
		"clusters/prod-us/gatehouse/apps.yaml":               "./apps/prod/prod-us",
		"clusters/prod-eu/gatehouse/apps.yaml":               "./apps/prod/prod-eu",
	} {
		if paths[file] != want {
			t.Errorf("%s applies %q, want %q", file, paths[file], want)
		}
	}
	if found := Prove(p, g, join(newLayers(), "namespaces-02", "network-02"), nil, nil); len(found) > 0 {
		t.Errorf("the proof refuses it: %v", found)
	}
}

func TestFiles(t *testing.T) {
	g := Build(newPlan(), join(newLayers(), "namespaces-02", "network-02"))
	files, err := g.Files()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
		if f.Folder != layout.Of("prod-eu") {
			t.Errorf("%s is in the layer %q", f.Path, f.Folder)
		}
	}
	const dir = "clusters/prod-eu/gatehouse/"
	want := []string{
		dir + "apps.yaml", dir + "gatehouse-exceptions.yaml", dir + "gatehouse-kyverno-rbac.yaml", dir + "gatehouse-kyverno.yaml",
		dir + "gatehouse-namespaces.yaml", dir + "gatehouse-network.yaml", dir + "gatehouse-policies.yaml", dir + "gatehouse-trust.yaml",
		dir + "kustomization.yaml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	index := files[len(files)-1].Objects[0]
	if names := listed(index); len(names) != 8 || !names["apps.yaml"] || index.APIVersion() != "kustomize.config.k8s.io/v1beta1" {
		t.Errorf("the index is %v", index)
	}
}

func TestBuildManyShards(t *testing.T) {
	p := newPlan()
	var files []manifest.File
	const shards = 120
	for i := 1; i <= shards; i++ {
		ns := fmt.Sprintf("team-%d", i)
		folder := fmt.Sprintf("environments/prod/namespaces-%02d", i)
		if i == 1 {
			folder = "environments/prod/namespaces"
		}
		files = append(files, layerFiles(folder, namespace(ns))...)
	}
	files = append(files, join(newLayers(), "namespaces", "namespaces-02", "network", "network-02")...)
	g := Build(p, files)
	if found := Prove(p, g, files, nil, nil); len(found) > 0 {
		t.Errorf("the proof refuses it: %v", found)
	}
	if got := len(node(t, g, "gatehouse-policies").Kustomization.Spec.DependsOn); got != shards+2 {
		t.Errorf("policies wait for %d layers, want all %d shards, exceptions and trust", got, shards)
	}
}

// TestSameBytes: the fixture lists its files in another order each time.
func TestSameBytes(t *testing.T) {
	encode := func() string {
		g := Build(newPlan(), join(newLayers()))
		files, err := g.Files()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, f := range files {
			out, err := f.Encode()
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(f.Path + "\n" + string(out))
		}
		for _, format := range Formats() {
			out, err := Render(g, format)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(out)
		}
		return b.String()
	}
	first := encode()
	for range 10 {
		if diff := cmp.Diff(first, encode()); diff != "" {
			t.Fatal(diff)
		}
	}
}
