package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

func TestMatchesAndLookUps(t *testing.T) {
	docs, err := documents("f.yaml", []byte(`
spec:
  rules:
    - name: first
      match: {any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [apps/v1/Deployment/scale]}}]}
      context:
        - {name: a, variable: {value: x}}
        - {name: b, apiCall: {urlPath: "/api/v1/namespaces/{{ request.namespace }}/pods"}}
      validate: {message: m, deny: {}}
    - name: second
      match: {all: [{resources: {kinds: [Pod, v1/Service]}}]}
      exclude: {any: [{resources: {kinds: [v1/Node]}}]}
      validate:
        message: m
        foreach:
          - list: request.object.spec.containers
            context: [{name: c, apiCall: {urlPath: /apis/apps/v1/deployments}}]
            foreach: [{context: [{name: d, apiCall: {urlPath: /api/v1/nodes}}]}]
    - name: third
      match: {any: [{resources: {kinds: [v1/Service]}}]}
      context: [{name: e, configMap: {name: f, namespace: g}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	matches := []kinds.Ref{kinds.Parse("Pod"), kinds.Parse("apps/v1/Deployment/scale"), kinds.Parse("v1/Service")}
	if diff := cmp.Diff(matches, Matches(docs[0])); diff != "" {
		t.Errorf("Matches (-want +got)\n%s", diff)
	}
	lookUps := []string{"/api/v1/namespaces/{{ request.namespace }}/pods", "/apis/apps/v1/deployments", "/api/v1/nodes"}
	if diff := cmp.Diff(lookUps, LookUps(docs[0])); diff != "" {
		t.Errorf("LookUps (-want +got)\n%s", diff)
	}
}
