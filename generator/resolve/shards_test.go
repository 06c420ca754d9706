package resolve

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/namespaces"
	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func TestFillShards(t *testing.T) {
	for name, tt := range map[string]struct {
		names  []string
		before map[string]int
		others int
		want   map[string]int
	}{
		"none":                        {nil, nil, 0, map[string]int{}},
		"all new, in order":           {[]string{"c", "a", "b"}, nil, 0, map[string]int{"a": 1, "b": 1, "c": 2}},
		"an added one takes the rest": {[]string{"a", "b", "c", "aa"}, map[string]int{"a": 1, "b": 1, "c": 2}, 0, map[string]int{"a": 1, "b": 1, "c": 2, "aa": 2}},
		"a removed one leaves room":   {[]string{"b", "c", "d", "e"}, map[string]int{"a": 1, "b": 1, "c": 2}, 0, map[string]int{"b": 1, "c": 2, "d": 1, "e": 2}},
		"a gap is not closed":         {[]string{"c"}, map[string]int{"a": 1, "c": 2}, 0, map[string]int{"c": 2}},
		"the first holds others":      {[]string{"a", "b", "c"}, nil, 1, map[string]int{"a": 1, "b": 2, "c": 2}},
		"too full stays":              {[]string{"a", "b", "c", "d"}, map[string]int{"a": 1, "b": 1, "c": 1}, 0, map[string]int{"a": 1, "b": 1, "c": 1, "d": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, fillShards(tt.names, tt.before, 2, tt.others)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPriorShards(t *testing.T) {
	lock := &manifest.Lock{Files: []manifest.LockedFile{
		{Path: "environments/prod/namespaces/a.yaml", Layer: "environments/prod/namespaces", Objects: []string{"/Namespace//a"}},
		{Path: "environments/prod/namespaces-12/b.yaml", Layer: "environments/prod/namespaces-12", Objects: []string{"/Namespace//b"}},
		{Path: "environments/dev/namespaces-02/a.yaml", Layer: "environments/dev/namespaces-02", Objects: []string{"/Namespace//a"}},
		{Path: "environments/prod/network-02/a.yaml", Layer: "environments/prod/network-02", Objects: []string{"networking.k8s.io/NetworkPolicy/a/default-deny"}},
		{Path: "environments/prod/network-03/theirs.yaml", Layer: "environments/prod/network-03", Objects: []string{"networking.k8s.io/NetworkPolicy/theirs/default-deny"}},
		{Path: "environments/prod/limits-02/a.yaml", Layer: "environments/prod/limits-02", Objects: []string{"/ResourceQuota/a/gatehouse"}},
		{Path: "environments/prod/limits-04/limited.yaml", Layer: "environments/prod/limits-04", Objects: []string{"/LimitRange/limited/gatehouse"}},
		{Path: "environments/prod/namespaces-02/kustomization.yaml", Layer: "environments/prod/namespaces-02"},
		{Path: "environments/prod/namespaces-x/c.yaml", Layer: "environments/prod/namespaces-x", Objects: []string{"/Namespace//c"}},
		{Path: "README.md"},
	}}
	want := map[string]map[string]int{"prod": {"a": 1, "b": 12, "theirs": 3, "limited": 4}, "dev": {"a": 2}}
	if diff := cmp.Diff(want, priorShards(lock)); diff != "" {
		t.Error(diff)
	}
}

// A namespace stays in its layer over builds, because of the lock that a build writes.
func TestShardsAreSticky(t *testing.T) {
	planOf := func(from, to int) *plan.Plan {
		env := plan.Environment{Name: "prod"}
		for i := from; i < to; i++ {
			env.Namespaces = append(env.Namespaces, plan.Namespace{Name: fmt.Sprintf("ns-%04d", i)})
		}
		return &plan.Plan{ExceptionNamespace: "policy-exceptions", Environments: []plan.Environment{env}}
	}
	dir := t.TempDir()
	layers := func(p *plan.Plan) map[string]string {
		prior, err := output.ReadLock(dir)
		if err != nil {
			t.Fatal(err)
		}
		assignShards(p, prior)
		files := namespaces.Emit(p)
		if _, err := output.Write(t.Context(), dir, files, manifest.Lock{}, output.Options{}); err != nil {
			t.Fatal(err)
		}
		of := map[string]string{}
		for _, f := range files {
			of[f.Objects[0].Name()] = f.Folder.String()
		}
		return of
	}
	count := func(layers map[string]string) map[string]int {
		n := map[string]int{}
		for _, layer := range layers {
			n[layer]++
		}
		return n
	}
	before := layers(planOf(100, 700))
	// The first shard also holds the namespace of the exceptions.
	if diff := cmp.Diff(map[string]int{"environments/prod/namespaces": 150, "environments/prod/namespaces-02": 150, "environments/prod/namespaces-03": 150, "environments/prod/namespaces-04": 150, "environments/prod/namespaces-05": 1}, count(before)); diff != "" {
		t.Error(diff)
	}
	after := layers(planOf(0, 650))
	for name, layer := range after {
		if was, known := before[name]; known && was != layer {
			t.Errorf("%s moved from %s to %s", name, was, layer)
		}
	}
	if diff := cmp.Diff(map[string]int{"environments/prod/namespaces": 150, "environments/prod/namespaces-02": 150, "environments/prod/namespaces-03": 150, "environments/prod/namespaces-04": 150, "environments/prod/namespaces-05": 51}, count(after)); diff != "" {
		t.Error(diff)
	}
}
