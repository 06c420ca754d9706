package impact

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// A namespace that gatehouse does not create keeps the labels that it has in the cluster.
func TestRequestInExistingNamespace(t *testing.T) {
	b := &bump{labels: map[string]map[string]string{}}
	for _, n := range existingEnvironment(t).Namespaces {
		b.labels[n.Name] = n.Labels
	}
	r := &run{}
	for namespace, want := range map[string]map[string]string{
		"edge": {"gatehouse.dev/tier": "forged"},
		"shop": {"gatehouse.dev/tier": "apps", "gatehouse.dev/environment": "prod", "app.kubernetes.io/managed-by": "gatehouse"},
	} {
		w := workload.Workload{Namespace: namespace, NamespaceLabels: map[string]string{"gatehouse.dev/tier": "forged"}}
		if diff := cmp.Diff(want, Request(w, nil, b.labels, r.options.Now).NamespaceLabels); diff != "" {
			t.Errorf("%s: %s", namespace, diff)
		}
	}
}

func existingEnvironment(t *testing.T) plan.Environment {
	t.Helper()
	bundle, problems := generator.Compile(fstest.MapFS{"profile.yaml": {Data: []byte(`apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec: {namespaces: [{name: edge, tier: platform, create: false}, {name: shop}]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: audit}
`)}}, ".", generator.Options{})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return bundle.Plan.Environments[0]
}
