package evaluator_test

import (
	"encoding/json"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// TestLookups: rules read the objects that were loaded, by group, namespace and name, and nothing else exists.
func TestLookups(t *testing.T) {
	lookup := func(path string) json.RawMessage {
		return object(t, rule("r", `context: [{name: found, apiCall: {urlPath: "`+path+`", jmesPath: metadata.name, default: none}}], `+
			`validate: {failureAction: Enforce, message: m, deny: {conditions: {all: [{key: "{{ found }}", operator: Equals, value: none}]}}}`))
	}
	objects := []json.RawMessage{
		object(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: payments}, spec: {podSelector: {}}}`),
		object(t, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: payments}}`),
		object(t, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}}`),
		object(t, `{apiVersion: acme.example/v1, kind: Quota, metadata: {name: big, namespace: payments}}`),
	}
	for path, found := range map[string]bool{
		"/apis/networking.k8s.io/v1/namespaces/{{ request.namespace }}/networkpolicies/closed": true,
		"/apis/networking.k8s.io/v1/namespaces/other/networkpolicies/closed":                   false,
		"/apis/networking.k8s.io/v1/namespaces/payments/networkpolicies/other":                 false,
		"/apis/extensions/v1/namespaces/payments/networkpolicies/closed":                       false,
		"/api/v1/namespaces/payments/serviceaccounts/robot":                                    true,
		"/apis/storage.k8s.io/v1/storageclasses/fast":                                          true,
		"/apis/acme.example/v1/namespaces/payments/quotas/big":                                 true,
	} {
		e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{lookup(path)}, Objects: objects})
		if got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)}); got.Blocked == found {
			t.Errorf("%s: found is %v, want %v: %+v", path, !got.Blocked, found, got.Results)
		}
	}
}

// TestLookupsRefuse: what cannot be looked up is an error of the load, not a miss later.
func TestLookupsRefuse(t *testing.T) {
	for _, text := range []string{`[]`, `{apiVersion: v1, kind: ServiceAccount}`, `{metadata: {name: x}}`} {
		if _, err := newEvaluator(t).Load(protocol.LoadParams{Objects: []json.RawMessage{object(t, text)}}); err == nil {
			t.Errorf("%s was loaded", text)
		}
	}
}
