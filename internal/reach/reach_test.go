package reach

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestReaches(t *testing.T) {
	output := map[string]string{
		"policies/clusters/prod/gatehouse/kustomization.yaml":      "resources: [gatehouse-policies.yaml]",
		"policies/clusters/prod/gatehouse/gatehouse-policies.yaml": "kind: Kustomization",
		"policies/environments/prod/policies/kustomization.yaml":   "resources: [a.yaml]",
		"policies/environments/prod/policies/a.yaml":               "kind: ClusterPolicy",
		"clusters/prod/flux-system/kustomization.yaml":             "resources: [gotk-components.yaml, gotk-sync.yaml]",
		"clusters/prod/flux-system/gotk-sync.yaml":                 "kind: Kustomization",
		"clusters/prod/apps.yaml":                                  "kind: Kustomization",
		"clusters/prod/policies/environments/prod/policies/a.yaml": "kind: ClusterPolicy",
	}
	const layers = "policies/environments/prod"
	cases := []struct {
		name         string
		from, folder string
		files        map[string]string
		want         bool
	}{
		{"beside it", "./apps", layers, nil, false},
		{"a cluster beside it", "./clusters/prod", layers, nil, false},
		{"above it", "./", layers, nil, true},
		{"above it, in the folder of the cluster", "./clusters/prod", "clusters/prod/policies/environments/prod", nil, true},
		{"the folder itself", layers, layers, nil, true},
		{"a part of it", layers + "/policies", layers, nil, true},
		{"a folder that is yet to be written", "./clusters", "clusters/prod/new", nil, true},
		{"one below an index", "./clusters", "clusters/prod/flux-system/new", nil, false},
		{"an index that leaves it out", "./", layers, map[string]string{"kustomization.yaml": "resources: [clusters/prod/flux-system, clusters/prod/apps.yaml]"}, false},
		{"an index that lists it", "./", layers, map[string]string{"Kustomization": "resources: [policies/environments/prod/policies]"}, true},
		{"an index that lists a file of it", ".", layers, map[string]string{"kustomization.yml": "resources: [policies/environments/prod/policies/a.yaml]"}, true},
		{"an index that leads to it", "./", layers, map[string]string{"kustomization.yaml": "components: [all]", "all/kustomization.yaml": "bases: [../policies/environments/prod/policies]"}, true},
		{"a folder with an index that leads to it", "./clusters/prod", layers, map[string]string{"clusters/prod/all/kustomization.yaml": "resources: [../../../policies/environments/prod/policies]"}, true},
		{"an index above it that leaves it out", "./", layers, map[string]string{"policies/kustomization.yaml": "resources: [clusters/prod/gatehouse]"}, false},
		{"from elsewhere, and in a circle", "./apps", layers, map[string]string{"apps/kustomization.yaml": "resources: [https://example.com/x.yaml, ../../..,  ../more]", "more/kustomization.yaml": "resources: [../apps]"}, false},
		{"a folder that does not exist", "./nowhere", layers, nil, false},
		{"outside", "../policies", layers, nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			repository := fstest.MapFS{}
			for _, files := range []map[string]string{output, c.files} {
				for name, text := range files {
					repository[name] = &fstest.MapFile{Data: []byte(text)}
				}
			}
			got, err := Reaches(repository, c.from, c.folder)
			if err != nil || got != c.want {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestReachesBadIndex(t *testing.T) {
	repository := fstest.MapFS{"apps/a/kustomization.yaml": {Data: []byte("resources: [")}}
	if _, err := Reaches(repository, "apps", "policies"); err == nil || !strings.Contains(err.Error(), "apps/a/kustomization.yaml") {
		t.Errorf("got %v", err)
	}
}
