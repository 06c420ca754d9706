package evaluator_test

import (
	"encoding/json"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

// waiver returns an exception from the host-network rules for Pods named agent in the namespaces that the label selects, in force
// while the condition holds.
func waiver(t testing.TB, namespace, key string) json.RawMessage {
	t.Helper()
	return exception(t, namespace, `{
  exceptions: [{policyName: no-host-network, ruleNames: [host-network, autogen-host-network, autogen-cronjob-host-network]}],
  match: {any: [{resources: {kinds: [Pod, DaemonSet], names: ["agent*"], namespaceSelector: {matchLabels: {team: observability}}}}]},
  conditions: {all: [{key: "`+key+`", operator: Equals, value: true}]}}`)
}

const (
	expiryCall     = `{{ time_before(time_now_utc(), '2027-03-31T00:00:00Z') }}`
	expiryVariable = `{{ time_before('{{ time_now_utc() }}', '2027-03-31T00:00:00Z') }}`
	expiryLocal    = `{{ time_before(time_now( ), '2027-03-31T00:00:00Z') }}`
	beforeExpiry   = "2027-03-30T23:59:59Z"
	atExpiry       = "2027-03-31T00:00:00Z"
)

func TestExceptions(t *testing.T) {
	agent := pod(t, "agent-x1", "monitoring", badSpec)
	daemonSet := object(t, `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent, namespace: monitoring}, spec: {template: {spec: `+badSpec+`}}}`)
	exempt := []row{{rule: "host-network", result: protocol.OutcomeSkip, action: protocol.ActionEnforce, waivers: "waiver"}}
	refused := []row{{rule: "host-network", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}}
	tests := []struct {
		name      string
		condition string
		namespace string // of the exception
		honoured  string
		params    protocol.EvaluateParams
		want      []row
	}{{
		name: "before it ends", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: beforeExpiry}, want: exempt,
	}, {
		name: "when it ends", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: atExpiry}, want: refused,
	}, {
		name: "time in another zone", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: "2027-03-31T01:00:00+02:00"}, want: exempt,
	}, {
		name: "condition with a variable, before", condition: expiryVariable, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: beforeExpiry}, want: exempt,
	}, {
		name: "condition with a variable, after", condition: expiryVariable, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: "2040-01-01T00:00:00Z"}, want: refused,
	}, {
		name: "condition on local time, after", condition: expiryLocal, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: "2040-01-01T00:00:00Z"}, want: refused,
	}, {
		name: "by the clock, long ended", condition: strings.ReplaceAll(expiryCall, "2027", "2020"), namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent}, want: refused,
	}, {
		name: "by the clock, far from its end", condition: strings.ReplaceAll(expiryCall, "2027", "2999"), namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent}, want: exempt,
	}, {
		name: "the controller", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: daemonSet, Now: beforeExpiry},
		want:   []row{{rule: "autogen-host-network", result: protocol.OutcomeSkip, action: protocol.ActionEnforce, waivers: "waiver"}},
	}, {
		name: "another name", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: pod(t, "web", "monitoring", badSpec), Now: beforeExpiry}, want: refused,
	}, {
		name: "another namespace", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: pod(t, "agent-x1", "payments", badSpec), Now: beforeExpiry}, want: refused,
	}, {
		name: "labels missing in the request", condition: expiryCall, namespace: "policy-exceptions", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: beforeExpiry, NamespaceLabels: map[string]string{}}, want: refused,
	}, {
		name: "exception that Kyverno does not look at", condition: expiryCall, namespace: "monitoring", honoured: "policy-exceptions",
		params: protocol.EvaluateParams{Resource: agent, Now: beforeExpiry}, want: refused,
	}, {
		name: "exceptions off", condition: expiryCall, namespace: "policy-exceptions", honoured: "",
		params: protocol.EvaluateParams{Resource: agent, Now: beforeExpiry}, want: refused,
	}, {
		name: "exceptions of all namespaces", condition: expiryCall, namespace: "monitoring", honoured: "*",
		params: protocol.EvaluateParams{Resource: agent, Now: beforeExpiry}, want: exempt,
	}}
	e := newEvaluator(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := e.Load(protocol.LoadParams{
				Policies:           []json.RawMessage{object(t, hostNetworkPolicy)},
				Exceptions:         []json.RawMessage{waiver(t, tt.namespace, tt.condition)},
				Namespaces:         []protocol.Namespace{{Name: "monitoring", Labels: map[string]string{"team": "observability"}}},
				ExceptionNamespace: tt.honoured,
			})
			if err != nil || result.Err() != nil {
				t.Fatal(err, result.Err())
			}
			if diff := cmp.Diff(tt.want, rows(evaluate(t, e, tt.params)), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExceptionTimeNotSettable: a condition whose clock cannot be set gives no verdict for a set time.
func TestExceptionTimeNotSettable(t *testing.T) {
	e := loaded(t, protocol.LoadParams{
		Policies:           []json.RawMessage{object(t, hostNetworkPolicy)},
		Exceptions:         []json.RawMessage{waiver(t, "policy-exceptions", `{{ time_since('', '2027-03-31T00:00:00Z', '') < '0s' }}`)},
		ExceptionNamespace: "policy-exceptions",
	})
	message := wantCode(t, e, protocol.EvaluateParams{Resource: pod(t, "agent", "monitoring", badSpec), Now: beforeExpiry}, protocol.CodeBadRequest)
	if !strings.Contains(message, "waiver") {
		t.Errorf("message %q does not name the exception", message)
	}
}
