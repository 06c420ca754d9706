package evaluator_test

import (
	"encoding/json"
	"testing"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"sigs.k8s.io/yaml"
)

// object turns YAML into the JSON that the protocol carries.
func object(t testing.TB, text string) json.RawMessage {
	t.Helper()
	out, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("bad test document: %v\n%s", err, text)
	}
	return out
}

// loaded returns an evaluator with the params loaded and fails the test if an object is refused.
func loaded(t testing.TB, params protocol.LoadParams) *evaluator.Evaluator {
	t.Helper()
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	result, err := e.Load(params)
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	return e
}

// evaluate fails the test if there is no verdict.
func evaluate(t testing.TB, e *evaluator.Evaluator, params protocol.EvaluateParams) protocol.EvaluateResult {
	t.Helper()
	result, err := e.Evaluate(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

const hostNetworkPolicy = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-host-network}
spec:
  background: true
  rules:
    - name: host-network
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        failureAction: Enforce
        message: the host network is not for you
        pattern: {spec: {=(hostNetwork): false}}
`

func pod(t testing.TB, name, namespace, spec string) json.RawMessage {
	t.Helper()
	return object(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "`+name+`", "namespace": "`+namespace+`"}, "spec": `+spec+`}`)
}

const (
	goodSpec = `{containers: [{name: c, image: ghcr.io/acme/app:v1}]}`
	badSpec  = `{hostNetwork: true, containers: [{name: c, image: ghcr.io/acme/app:v1}]}`
)

// BenchmarkEvaluate is one resource against one policy. The aim is 2,000 per second.
func BenchmarkEvaluate(b *testing.B) {
	e := loaded(b, protocol.LoadParams{Policies: []json.RawMessage{object(b, hostNetworkPolicy)}})
	resources := map[string]json.RawMessage{
		"Pod":        pod(b, "web", "payments", badSpec),
		"Deployment": object(b, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: payments}, spec: {template: {spec: `+badSpec+`}}}`),
	}
	for kind, resource := range resources {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				if !evaluate(b, e, protocol.EvaluateParams{Resource: resource}).Blocked {
					b.Fatal("not blocked")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "evals/s")
		})
	}
}
