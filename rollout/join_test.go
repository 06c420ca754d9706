package rollout

import (
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// A workload that gatehouse does not write must wait for the policies; one that it
// writes must not be applied by others.
func TestCheckWorkloads(t *testing.T) {
	waiting := func(names ...any) manifest.Object {
		k := ownedBy(identity(kustomizationAPI, "Kustomization", "flux-system", "apps"), "flux-system")
		var deps []any
		for _, name := range names {
			deps = append(deps, map[string]any{"name": name})
		}
		k["spec"] = map[string]any{"dependsOn": deps}
		return k
	}
	existing := []manifest.LockedWorkload{{Name: "apps", DependsOn: []string{"gatehouse-network", "gatehouse-policies"}}}
	cases := []struct {
		name      string
		workloads []manifest.LockedWorkload
		live      manifest.Object
		want      []string
	}{
		{"it waits", existing, waiting("databases", "gatehouse-policies", "gatehouse-network"), nil},
		{"it does not wait", existing, waiting("gatehouse-policies"),
			[]string{"warning  Kustomization flux-system/apps does not wait for gatehouse-network: what it applies can come before the policies - add that to its spec.dependsOn"}},
		{"it does not exist", existing, nil, []string{"warning  Kustomization flux-system/apps does not exist"}},
		{"two owners", nil, waiting(),
			[]string{"error    Kustomization flux-system/flux-system applies Kustomization flux-system/apps, which the repository has, too: each would undo what the other does - set create: false"}},
		{"the root applied it", nil, ownedBy(identity(kustomizationAPI, "Kustomization", "flux-system", "apps"), "gatehouse"), nil},
		{"applied by hand", nil, identity(kustomizationAPI, "Kustomization", "flux-system", "apps"), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			server.runFlux(1)
			b.Target.Workloads = c.workloads
			if c.workloads != nil { // the repository does not write it then
				b.Target.Kustomizations = without(b.Target.Kustomizations, "apps")
			}
			if c.live != nil {
				server.put(c.live)
			}
			checkLines(t, wrong(t, b), c.want)
		})
	}
}

func without(objects []manifest.Object, name string) (left []manifest.Object) {
	for _, o := range objects {
		if o.Name() != name {
			left = append(left, o)
		}
	}
	return left
}

// Another Kustomization must not apply what the root and the layers apply.
func TestCheckApplies(t *testing.T) {
	tree := fstest.MapFS{
		"clusters/staging-eu/gatehouse/kustomization.yaml":     {Data: []byte("resources: []")},
		"clusters/staging-eu/flux-system/gotk-sync.yaml":       {Data: []byte("kind: Kustomization")},
		"environments/staging/policies/kustomization.yaml":     {Data: []byte("resources: []")},
		"infra/kustomization.yaml":                             {Data: []byte("resources: [../environments/staging/policies]")},
		"clusters/listed/kustomization.yaml":                   {Data: []byte("resources: [apps.yaml]")},
		"clusters/listed/policies/environments/staging/a.yaml": {Data: []byte("kind: ClusterPolicy")},
	}
	flux := func(path, source string, entries ...string) manifest.Object {
		k := identity(kustomizationAPI, "Kustomization", "flux-system", "flux-system")
		k["spec"] = map[string]any{"path": path, "sourceRef": map[string]any{"kind": "GitRepository", "name": source}}
		var inventory []any
		for _, id := range entries {
			inventory = append(inventory, map[string]any{"id": id, "v": "v1"})
		}
		k["status"] = map[string]any{"inventory": map[string]any{"entries": inventory}}
		return k
	}
	twice := func(dir, folder string) []string {
		return []string{"error    Kustomization flux-system/flux-system applies " + dir + ", and with it " + folder + " of the repository: everything would be applied twice, and in no order - set spec.flux.path"}
	}
	cases := []struct {
		name    string
		live    manifest.Object
		unknown bool // the repository
		want    []string
	}{
		{"beside it", flux("./apps", "flux-system"), false, nil},
		{"beside it, as far as is known", flux("./apps", "flux-system"), true, nil},
		{"above it", flux("./", "flux-system"), false, twice("./", "clusters/staging-eu/gatehouse")},
		{"above it, as far as is known", flux("./", "flux-system"), true, twice("./", "clusters/staging-eu/gatehouse")},
		{"above it, of another source", flux("./", "other"), false, nil},
		{"the folder of the cluster", flux("./clusters/staging-eu", "flux-system"), false, twice("./clusters/staging-eu", "clusters/staging-eu/gatehouse")},
		{"an index that leads to it", flux("./infra", "flux-system"), false, twice("./infra", "environments/staging")},
		{"an index that leaves it out", flux("./clusters/listed", "flux-system"), false, nil},
		{"it has applied a layer", flux("./elsewhere", "other", "shop_web_apps_Deployment", "flux-system_gatehouse-policies_kustomize.toolkit.fluxcd.io_Kustomization"), false,
			[]string{"error    Kustomization flux-system/flux-system has applied Kustomization flux-system/gatehouse-policies of the repository"}},
		{"it has applied a policy", flux("./elsewhere", "other", "_disallow-host-path_kyverno.io_ClusterPolicy"), false,
			[]string{"has applied ClusterPolicy disallow-host-path of the repository"}},
		{"it has applied the root", flux("./elsewhere", "other", "flux-system_gatehouse_kustomize.toolkit.fluxcd.io_Kustomization"), false, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			server.runFlux(1)
			if !c.unknown {
				b.Repository = tree
			}
			server.put(c.live)
			checkLines(t, wrong(t, b), c.want)
		})
	}
}
