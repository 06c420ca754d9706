package rollout

import (
	"testing"

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
