package evaluator_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

// rule returns a ClusterPolicy named x whose only rule has the given text as its body.
func rule(name, body string) string {
	return `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: x}, spec: {rules: [{name: ` + name +
		`, match: {any: [{resources: {kinds: [Pod]}}]}, ` + body + `}]}}`
}

const denyAll = `validate: {failureAction: Enforce, message: refused, deny: {}}`

// TestLoadRefuses shows that what a cluster would refuse is refused, and that no evaluation passes afterwards.
func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name   string
		policy string
		object string
		want   string // part of the message
	}{{
		name:   "unknown field",
		policy: rule("r", `validate: {failureActoin: Enforce, deny: {}}`),
		object: "ClusterPolicy/x", want: "failureActoin",
	}, {
		name:   "value outside the enum",
		policy: rule("r", `validate: {failureAction: enforce, deny: {}}`),
		object: "ClusterPolicy/x", want: "failureAction",
	}, {
		name:   "rule name too long",
		policy: rule(strings.Repeat("r", 64), denyAll),
		object: "ClusterPolicy/x", want: "63",
	}, {
		name:   "no rule body",
		policy: rule("r", `skipBackgroundRequests: true`),
		object: "ClusterPolicy/x", want: "rules[0]",
	}, {
		name:   "background policy that matches on users",
		policy: `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: x}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: a}]}]}, ` + denyAll + `}]}}`,
		object: "ClusterPolicy/x", want: "background",
	}, {
		name:   "audited image rule whose mutateDigest is true by the default of the CRD",
		policy: rule("r", `verifyImages: [{imageReferences: ["*"], failureAction: Audit, attestors: [{entries: [{keys: {publicKeys: x}}]}]}]`),
		object: "ClusterPolicy/x", want: "mutateDigest",
	}, {
		name:   "keyless without roots or rekor",
		policy: rule("r", `verifyImages: [{imageReferences: ["*"], failureAction: Enforce, attestors: [{entries: [{keyless: {subject: a, issuer: b}}]}]}]`),
		object: "ClusterPolicy/x", want: "keyless",
	}, {
		name:   "matchConditions, where Kyverno's validation panics without a cluster",
		policy: `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: x}, spec: {webhookConfiguration: {matchConditions: [{name: c, expression: "true"}]}, rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, ` + denyAll + `}]}}`,
		object: "ClusterPolicy/x", want: "kyverno panicked",
	}, {
		name:   "kind that is not a policy",
		policy: `{apiVersion: kyverno.io/v2, kind: PolicyException, metadata: {name: x, namespace: team}, spec: {exceptions: [{policyName: p, ruleNames: [r]}], match: {any: [{resources: {kinds: [Pod]}}]}}}`,
		object: "PolicyException/team/x", want: "not a policy",
	}, {
		name:   "kind without a schema",
		policy: `{apiVersion: example.com/v1, kind: Policy, metadata: {name: x}}`,
		object: "Policy/x", want: "example.com/v1",
	}, {
		name:   "no object",
		policy: `[]`,
		object: "policies[0]", want: "",
	}, {
		name:   "name that is not a DNS label",
		policy: strings.Replace(rule("r", denyAll), "name: x", "name: X_X", 1),
		object: "ClusterPolicy/X_X", want: "metadata.name",
	}, {
		name:   "namespace on a cluster-scoped policy",
		policy: strings.Replace(rule("r", denyAll), "name: x", "name: x, namespace: team", 1),
		object: "ClusterPolicy/team/x", want: "namespace",
	}}
	e := newEvaluator(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{object(t, tt.policy)}})
			if err != nil {
				t.Fatal(err)
			}
			if result.Err() == nil || len(result.Policies) != 0 {
				t.Fatalf("loaded: %+v", result)
			}
			problem := result.Problems[len(result.Problems)-1]
			if problem.Object != tt.object || problem.Severity != protocol.SeverityError || !strings.Contains(problem.Message, tt.want) {
				t.Errorf("problem is %+v, want one of %s with %q", problem, tt.object, tt.want)
			}
			wantCode(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)}, protocol.CodeNotLoaded)
		})
	}
}

func newEvaluator(t testing.TB) *evaluator.Evaluator {
	t.Helper()
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// wantCode checks that there is no verdict, for the reason given.
func wantCode(t *testing.T, e *evaluator.Evaluator, params protocol.EvaluateParams, code string) string {
	t.Helper()
	result, err := e.Evaluate(t.Context(), params)
	var coded *protocol.Error
	if !errors.As(err, &coded) || coded.Code != code {
		t.Fatalf("Evaluate gave %+v, error %v, want code %s", result, err, code)
	}
	return coded.Message
}

func TestLoadRefusesExceptions(t *testing.T) {
	const match = `match: {any: [{resources: {kinds: [Pod]}}]}`
	tests := []struct {
		name, exception, want string
	}{{
		name:      "unknown field",
		exception: `{exceptions: [{policyName: no-host-network, ruleNames: [host-network]}], expires: never, ` + match + `}`,
		want:      "expires",
	}, {
		name:      "no match",
		exception: `{exceptions: [{policyName: no-host-network, ruleNames: [host-network]}]}`,
		want:      "match",
	}, {
		name:      "background exception that matches on users",
		exception: `{exceptions: [{policyName: no-host-network, ruleNames: [host-network]}], match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: a}]}]}}`,
		want:      "user",
	}, {
		name:      "condition with an unknown operator",
		exception: `{exceptions: [{policyName: no-host-network, ruleNames: [host-network]}], conditions: {all: [{key: a, operator: Equalz, value: a}]}, ` + match + `}`,
		want:      "operator",
	}}
	e := newEvaluator(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := e.Load(protocol.LoadParams{
				Policies:           []json.RawMessage{object(t, hostNetworkPolicy)},
				Exceptions:         []json.RawMessage{exception(t, "policy-exceptions", tt.exception)},
				ExceptionNamespace: "policy-exceptions",
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := result.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("result %+v, want an error with %q", result, tt.want)
			}
			wantCode(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec)}, protocol.CodeNotLoaded)
		})
	}
}

// exception returns a PolicyException named waiver with the given spec.
func exception(t testing.TB, namespace, spec string) json.RawMessage {
	t.Helper()
	return object(t, `{apiVersion: kyverno.io/v2, kind: PolicyException, metadata: {name: waiver, namespace: `+namespace+`}, spec: `+spec+`}`)
}

// TestLoadReports pins what the caller learns about objects that were accepted.
func TestLoadReports(t *testing.T) {
	e := newEvaluator(t)
	got, err := e.Load(protocol.LoadParams{
		Policies: []json.RawMessage{object(t, hostNetworkPolicy)},
		Exceptions: []json.RawMessage{
			exception(t, "elsewhere", `{exceptions: [{policyName: no-host-network, ruleNames: [host-network]}], match: {any: [{resources: {kinds: [Pod]}}]}}`),
			exception(t, "policy-exceptions", `{exceptions: [{policyName: no-host-network, ruleNames: [host-network, typo]}], match: {any: [{resources: {kinds: [Pod]}}]}}`),
		},
		ExceptionNamespace: "policy-exceptions",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.LoadResult{
		Policies: []protocol.LoadedPolicy{{
			Name:  "no-host-network",
			Rules: []string{"host-network", "autogen-host-network", "autogen-cronjob-host-network"},
		}},
		Problems: []protocol.Problem{{
			Object: "PolicyException/elsewhere/waiver", Severity: protocol.SeverityWarning,
			Message: `ignored: Kyverno honours exceptions in namespace "policy-exceptions" only`,
		}, {
			Object: "PolicyException/policy-exceptions/waiver", Severity: protocol.SeverityWarning,
			Message: `exempts from nothing: no loaded policy "no-host-network" has a rule "typo"`,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadTwoOfAName(t *testing.T) {
	e := newEvaluator(t)
	result, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{object(t, hostNetworkPolicy), object(t, hostNetworkPolicy)}})
	if err != nil || result.Err() == nil || !strings.Contains(result.Err().Error(), "another policy of this name") {
		t.Errorf("result %+v, error %v", result, err)
	}
	wantCode(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)}, protocol.CodeNotLoaded)
}

func TestLoadReplaces(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, hostNetworkPolicy)}})
	if _, err := e.Load(protocol.LoadParams{}); err != nil {
		t.Fatal(err)
	}
	if r := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec)}); r.Blocked || len(r.Results) != 0 {
		t.Errorf("the policy loaded before still speaks: %+v", r)
	}
}

func TestLoadParamsRefused(t *testing.T) {
	tests := []struct {
		name   string
		params protocol.LoadParams
	}{
		{"namespace without a name", protocol.LoadParams{Namespaces: []protocol.Namespace{{}}}},
		{"namespace given twice", protocol.LoadParams{Namespaces: []protocol.Namespace{{Name: "a"}, {Name: "a"}}}},
		{"object that is not a ConfigMap", protocol.LoadParams{ConfigMaps: []json.RawMessage{json.RawMessage(`{"kind":"Secret","metadata":{"name":"a","namespace":"b"}}`)}}},
	}
	e := newEvaluator(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := e.Load(tt.params); err == nil {
				t.Error("no error")
			}
		})
	}
}
