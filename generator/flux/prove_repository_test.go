package flux

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// sync is what `flux bootstrap` writes for a path.
func syncOf(source, dir string) string {
	return `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: ` + source + `, namespace: flux-system}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {path: ` + dir + `, sourceRef: {kind: GitRepository, name: ` + source + `}}
`
}

func TestProveRepository(t *testing.T) {
	const root, cluster = "flux-system/gotk-sync.yaml", "clusters/prod-eu/flux-system/gotk-sync.yaml"
	layer := map[string]string{"deploy/environments/prod/policies/a.yaml": "kind: ClusterPolicy"}
	cases := []struct {
		name  string
		path  string // spec.flux.path
		files map[string]string
		want  []string // one per finding
	}{
		{"nothing of Flux", "deploy", layer, nil},
		{"beside the path of the cluster", "deploy", map[string]string{cluster: syncOf("flux-system", "./clusters/prod-eu")}, nil},
		{"below the root", "deploy", map[string]string{root: syncOf("flux-system", "./")},
			[]string{"flux-system/gotk-sync.yaml: spec.path: Flux applies ./, and with it deploy/environments/prod of the output: everything would be applied twice, and in no order (set spec.flux.path to a folder outside ./, or list in kustomization.yaml what Flux applies there) [graph-applied-twice]"}},
		{"below the root, which has an index", "deploy", map[string]string{root: syncOf("flux-system", "./"), "kustomization.yaml": "resources: [flux-system]"}, nil},
		{"below the root, of another source", "deploy", map[string]string{root: syncOf("other", "./")}, nil},
		{"in the folder of the cluster", "clusters/prod-eu/policies", map[string]string{
			cluster: syncOf("flux-system", "./clusters/prod-eu"), "clusters/prod-eu/policies/environments/prod/policies/a.yaml": "kind: ClusterPolicy",
		}, []string{"clusters/prod-eu/policies/environments/prod of the output"}},
		{"clusters of the output and of Flux", ".", map[string]string{
			cluster: syncOf("flux-system", "./clusters/prod-eu"), "clusters/prod-eu/gatehouse/kustomization.yaml": "resources: []",
		}, []string{"Flux applies ./clusters/prod-eu, and with it clusters/prod-eu/gatehouse of the output"}},
		{"a file that is broken", "deploy", map[string]string{root: "{"}, []string{"warning: what Flux applies of the output is not known"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for _, files := range []map[string]string{layer, c.files} {
				for name, text := range files {
					tree[name] = &fstest.MapFile{Data: []byte(text)}
				}
			}
			p := newPlan()
			p.Environments[0].Flux.Path = c.path
			found := ProveRepository(p, func(output string) fs.FS {
				if output != c.path {
					t.Errorf("asked for %s", output)
				}
				return tree
			})
			ok := len(found) == len(c.want)
			for i := 0; ok && i < len(found); i++ {
				ok = strings.Contains(found[i].String(), c.want[i])
			}
			if !ok {
				t.Errorf("got\n%v\nwant\n%s", lines(found), strings.Join(c.want, "\n"))
			}
		})
	}
	if found := ProveRepository(newPlan(), func(string) fs.FS { return nil }); len(found) > 0 {
		t.Errorf("without a repository: %v", found)
	}
}
