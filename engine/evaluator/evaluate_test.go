package evaluator_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

// tiered enforces in namespaces of tier platform and reports elsewhere, as gatehouse stages a rollout.
const tiered = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tiered}
spec:
  background: true
  rules:
    - name: host-network
      match: {any: [{resources: {kinds: [Pod]}}]}
      exclude: {any: [{resources: {namespaces: [kube-system]}}]}
      validate:
        failureAction: Enforce
        failureActionOverrides:
          - action: Audit
            namespaceSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [platform]}]}
        message: the host network is not for you
        pattern: {spec: {=(hostNetwork): false}}
`

// row is what matters of a rule's result.
type row struct {
	rule    string
	result  protocol.Outcome
	action  protocol.Action
	blocks  bool
	waivers string
}

func rows(r protocol.EvaluateResult) []row {
	var out []row
	for _, x := range r.Results {
		out = append(out, row{x.Rule, x.Result, x.Action, x.Blocks, strings.Join(x.Exceptions, ",")})
	}
	return out
}

func TestEvaluateTiers(t *testing.T) {
	e := loaded(t, protocol.LoadParams{
		Policies: []json.RawMessage{object(t, tiered)},
		Namespaces: []protocol.Namespace{
			{Name: "ingress", Labels: map[string]string{"tier": "platform"}},
			{Name: "payments", Labels: map[string]string{"tier": "apps"}},
		},
	})
	deployment := func(spec string) json.RawMessage {
		return object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: ingress}, spec: {template: {spec: `+spec+`}}}`)
	}
	cronJob := object(t, `{apiVersion: batch/v1, kind: CronJob, metadata: {name: web, namespace: ingress}, spec: {jobTemplate: {spec: {template: {spec: `+badSpec+`}}}}}`)
	enforced := []row{{rule: "host-network", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}}
	audited := []row{{rule: "host-network", result: protocol.OutcomeFail, action: protocol.ActionAudit}}
	tests := []struct {
		name    string
		params  protocol.EvaluateParams
		blocked bool
		want    []row
	}{{
		name:    "enforced tier, bad",
		params:  protocol.EvaluateParams{Resource: pod(t, "web", "ingress", badSpec)},
		blocked: true, want: enforced,
	}, {
		name:   "enforced tier, good",
		params: protocol.EvaluateParams{Resource: pod(t, "web", "ingress", goodSpec)},
		want:   []row{{rule: "host-network", result: protocol.OutcomePass, action: protocol.ActionEnforce}},
	}, {
		name:   "audited tier, bad",
		params: protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec)},
		want:   audited,
	}, {
		name:   "namespace that is not known has no labels",
		params: protocol.EvaluateParams{Resource: pod(t, "web", "other", badSpec)},
		want:   audited,
	}, {
		name:    "labels given with the request",
		params:  protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec), NamespaceLabels: map[string]string{"tier": "platform"}},
		blocked: true, want: enforced,
	}, {
		name:   "excluded namespace",
		params: protocol.EvaluateParams{Resource: pod(t, "web", "kube-system", badSpec)},
	}, {
		name:    "namespace given with the request",
		params:  protocol.EvaluateParams{Resource: object(t, `{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: `+badSpec+`}`), Namespace: "ingress"},
		blocked: true, want: enforced,
	}, {
		name:    "Deployment by autogen",
		params:  protocol.EvaluateParams{Resource: deployment(badSpec)},
		blocked: true,
		want:    []row{{rule: "autogen-host-network", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}},
	}, {
		name:   "good Deployment by autogen",
		params: protocol.EvaluateParams{Resource: deployment(goodSpec)},
		want:   []row{{rule: "autogen-host-network", result: protocol.OutcomePass, action: protocol.ActionEnforce}},
	}, {
		name:    "CronJob by autogen",
		params:  protocol.EvaluateParams{Resource: cronJob},
		blocked: true,
		want:    []row{{rule: "autogen-cronjob-host-network", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}},
	}, {
		name:   "kind that no rule matches",
		params: protocol.EvaluateParams{Resource: object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: ingress}}`)},
	}, {
		name:   "custom kind that no rule matches",
		params: protocol.EvaluateParams{Resource: object(t, `{apiVersion: example.com/v1, kind: Gateway, metadata: {name: c}}`)},
	}, {
		name:    "update of an object that was good",
		params:  protocol.EvaluateParams{Operation: protocol.Update, Resource: pod(t, "web", "ingress", badSpec), OldResource: pod(t, "web", "ingress", goodSpec)},
		blocked: true, want: enforced,
	}, {
		name:   "update of an object that violates already is let through",
		params: protocol.EvaluateParams{Operation: protocol.Update, Resource: pod(t, "web", "ingress", badSpec), OldResource: pod(t, "web", "ingress", badSpec)},
		want:   []row{{rule: "host-network", result: protocol.OutcomeSkip, action: protocol.ActionEnforce}},
	}, {
		name:   "policy asked for by name",
		params: protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec), Policies: []string{"tiered"}},
		want:   audited,
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := evaluate(t, e, tt.params)
			if diff := cmp.Diff(tt.want, rows(got), cmp.AllowUnexported(row{})); diff != "" || got.Blocked != tt.blocked {
				t.Errorf("blocked %v, want %v; results (-want +got):\n%s", got.Blocked, tt.blocked, diff)
			}
		})
	}
}

// TestEvaluateSubresources pins how requests to subresources of a Pod reach rules.
func TestEvaluateSubresources(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: debug-images}
spec:
  background: true
  rules:
    - name: debug-image
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        failureAction: Enforce
        message: debug with ghcr.io/acme images
        pattern: {spec: {=(ephemeralContainers): [{image: ghcr.io/acme/*}]}}
`), object(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-exec}
spec:
  background: false
  rules:
    - name: exec
      match: {any: [{resources: {kinds: [Pod/exec], operations: [CONNECT]}}]}
      validate:
        failureAction: Enforce
        message: no shells
        deny: {conditions: {all: [{key: "{{ request.object.container }}", operator: Equals, value: vault}]}}
`)}})
	debugged := func(image string) json.RawMessage {
		return pod(t, "web", "payments", `{containers: [{name: c, image: ghcr.io/acme/app:v1}], ephemeralContainers: [{name: d, image: `+image+`}]}`)
	}
	before := pod(t, "web", "payments", goodSpec)
	exec := func(container string) json.RawMessage {
		return object(t, `{apiVersion: v1, kind: PodExecOptions, container: `+container+`}`)
	}
	tests := []struct {
		name   string
		params protocol.EvaluateParams
		want   []row
	}{{
		name:   "ephemeral container with a foreign image",
		params: protocol.EvaluateParams{Operation: protocol.Update, SubResource: "ephemeralcontainers", Resource: debugged("docker.io/x"), OldResource: before},
		want:   []row{{rule: "debug-image", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}},
	}, {
		name:   "ephemeral container with an own image",
		params: protocol.EvaluateParams{Operation: protocol.Update, SubResource: "ephemeralcontainers", Resource: debugged("ghcr.io/acme/debug"), OldResource: before},
		want:   []row{{rule: "debug-image", result: protocol.OutcomePass, action: protocol.ActionEnforce}},
	}, {
		name:   "status is not the Pod",
		params: protocol.EvaluateParams{Operation: protocol.Update, SubResource: "status", Resource: debugged("docker.io/x"), OldResource: before},
	}, {
		name:   "exec into a guarded container",
		params: protocol.EvaluateParams{Operation: protocol.Connect, SubResource: "exec", Resource: exec("vault"), Namespace: "payments"},
		want:   []row{{rule: "exec", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}},
	}, {
		name:   "exec elsewhere",
		params: protocol.EvaluateParams{Operation: protocol.Connect, SubResource: "exec", Resource: exec("web"), Namespace: "payments"},
		want:   []row{{rule: "exec", result: protocol.OutcomePass, action: protocol.ActionEnforce}},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rows(evaluate(t, e, tt.params)), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEvaluateGuard evaluates a policy like the guard of the tier labels: which users may change or delete what.
func TestEvaluateGuard(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: guard}
spec:
  background: false
  rules:
    - name: tier
      match: {any: [{resources: {kinds: [Namespace], operations: [CREATE, UPDATE]}}]}
      exclude: {any: [{subjects: [{kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}]}]}
      validate:
        failureAction: Enforce
        allowExistingViolations: false # else an UPDATE is let through: the old object alone violates too
        message: the tier label belongs to the deployer
        deny:
          conditions:
            all:
              - key: "{{ request.oldObject.metadata.labels.tier || '' }}"
                operator: NotEquals
                value: "{{ request.object.metadata.labels.tier || '' }}"
    - name: keep
      match: {any: [{resources: {kinds: [Namespace], operations: [DELETE]}}]}
      validate:
        failureAction: Enforce
        message: "{{ request.oldObject.metadata.name }} stays"
        deny: {}
`)}})
	namespace := func(tier string) json.RawMessage {
		return object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: payments, labels: {tier: `+tier+`}}}`)
	}
	tenant := protocol.UserInfo{Username: "eve", Groups: []string{"system:authenticated"}}
	flux := protocol.UserInfo{Username: "system:serviceaccount:flux-system:kustomize-controller", Groups: []string{"system:serviceaccounts"}}
	tests := []struct {
		name    string
		params  protocol.EvaluateParams
		blocked bool
		rows    int
	}{
		{"a tenant lowers the tier", protocol.EvaluateParams{Operation: protocol.Update, Resource: namespace("apps"), OldResource: namespace("platform"), UserInfo: tenant}, true, 1},
		{"a tenant changes nothing", protocol.EvaluateParams{Operation: protocol.Update, Resource: namespace("apps"), OldResource: namespace("apps"), UserInfo: tenant}, false, 1},
		{"a tenant creates a namespace", protocol.EvaluateParams{Resource: namespace("apps"), UserInfo: tenant}, true, 1},
		{"a tenant deletes the namespace", protocol.EvaluateParams{Operation: protocol.Delete, Resource: namespace("apps"), UserInfo: tenant}, true, 1},
		{"the deployer lowers the tier", protocol.EvaluateParams{Operation: protocol.Update, Resource: namespace("apps"), OldResource: namespace("platform"), UserInfo: flux}, false, 0},
		{"a request without a user lowers the tier", protocol.EvaluateParams{Operation: protocol.Update, Resource: namespace("apps"), OldResource: namespace("platform")}, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := evaluate(t, e, tt.params); got.Blocked != tt.blocked || len(got.Results) != tt.rows {
				t.Errorf("got %+v, want blocked %v and %d results", got, tt.blocked, tt.rows)
			}
		})
	}
}

// TestEvaluateNamespaceObjects: a Namespace has no namespace while it is created, so overrides by namespace do not reach it then.
func TestEvaluateNamespaceObjects(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: x}, spec: {rules: [{name: r,
  match: {any: [{resources: {kinds: [Namespace]}}]}, validate: {failureAction: Enforce, failureActionOverrides: [{action: Audit, namespaces: [payments]}],
  allowExistingViolations: false, message: m, pattern: {metadata: {labels: {owner: "?*"}}}}}]}}`)}})
	resource := object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: payments}}`)
	if got := evaluate(t, e, protocol.EvaluateParams{Resource: resource}); !got.Blocked {
		t.Errorf("CREATE: %+v", got)
	}
	if got := evaluate(t, e, protocol.EvaluateParams{Operation: protocol.Update, Resource: resource, OldResource: resource}); got.Blocked || len(got.Results) != 1 {
		t.Errorf("UPDATE: %+v", got)
	}
}

// TestEvaluateNamespacedPolicy: a Policy speaks for its own namespace only.
func TestEvaluateNamespacedPolicy(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, `{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: x, namespace: payments},
  spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, `+denyAll+`}]}}`)}})
	if got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec), Policies: []string{"payments/x"}}); !got.Blocked || got.Results[0].Policy != "payments/x" {
		t.Errorf("its namespace: %+v", got)
	}
	if got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "other", goodSpec)}); got.Blocked || len(got.Results) != 0 {
		t.Errorf("another namespace: %+v", got)
	}
}

// TestEvaluateKinds covers the kinds of checks that have a handler of their own in Kyverno.
func TestEvaluateKinds(t *testing.T) {
	tests := []struct {
		name, validate, bad, message string
	}{
		{"cel", `message: from the rule, cel: {expressions: [{expression: "!has(object.spec.hostNetwork) || !object.spec.hostNetwork"}]}`, badSpec, "from the rule"},
		{"podSecurity", `message: pss, podSecurity: {level: baseline, version: latest}`, badSpec, "hostNetwork"},
		{"foreach", `message: prefix, foreach: [{list: request.object.spec.containers, pattern: {image: "ghcr.io/*"}}]`, `{containers: [{name: c, image: docker.io/x}]}`, "prefix"},
	}
	e := newEvaluator(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{object(t, rule("r", `validate: {failureAction: Enforce, `+tt.validate+`}`))}})
			if err != nil || result.Err() != nil {
				t.Fatal(err, result.Err())
			}
			got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", tt.bad)})
			if !got.Blocked || !strings.Contains(got.Results[0].Message, tt.message) {
				t.Errorf("bad Pod: %+v", got)
			}
			want := []row{{rule: "r", result: protocol.OutcomePass, action: protocol.ActionEnforce}}
			if diff := cmp.Diff(want, rows(evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)})), cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("good Pod (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEvaluateMany: answers come in order, one that fails does not affect the others, and a context that is done gives no verdict.
func TestEvaluateMany(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, hostNetworkPolicy)}})
	requests := protocol.EvaluateManyParams{Requests: []protocol.EvaluateParams{
		{Resource: pod(t, "web", "payments", badSpec)}, {}, {Resource: pod(t, "web", "payments", goodSpec)},
	}}
	got := e.EvaluateMany(t.Context(), requests).Results
	if len(got) != 3 || got[0].Result == nil || !got[0].Result.Blocked || got[1].Error == nil || got[1].Result != nil || got[2].Result == nil || got[2].Result.Blocked {
		t.Errorf("got %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, g := range e.EvaluateMany(ctx, requests).Results {
		if g.Error == nil {
			t.Errorf("after the end of the context: %+v", g.Result)
		}
	}
}

// TestEvaluateMutates shows that validation sees what mutation made, and that a DELETE is not mutated.
func TestEvaluateMutates(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, hostNetworkPolicy), object(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: leave-host-network}
spec:
  background: false
  rules:
    - name: host-network
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate: {patchStrategicMerge: {spec: {hostNetwork: false}}}
`)}})
	got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec)})
	if got.Blocked || !strings.Contains(string(got.Patched), `"hostNetwork":false`) {
		t.Errorf("mutated Pod is blocked or unchanged: %+v, patched %s", got, got.Patched)
	}
	got = evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", badSpec), Operation: protocol.Delete})
	if got.Patched != nil {
		t.Errorf("a DELETE is patched: %s", got.Patched)
	}
}

// TestEvaluateErrors shows how errors of a rule block: failurePolicy decides where the rule is enforced, and nothing blocks in Audit.
func TestEvaluateErrors(t *testing.T) {
	policy := func(failurePolicy, action string) json.RawMessage {
		return object(t, `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: x}, spec: {webhookConfiguration: {failurePolicy: `+failurePolicy+
			`}, rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, context: [{name: cm, configMap: {name: absent, namespace: payments}}], validate: {failureAction: `+
			action+`, message: m, deny: {conditions: {all: [{key: "{{ cm.data.x }}", operator: Equals, value: b}]}}}}]}}`)
	}
	tests := []struct {
		name, failurePolicy, action string
		blocked                     bool
	}{
		{"Fail and Enforce", "Fail", "Enforce", true},
		{"Ignore and Enforce", "Ignore", "Enforce", false},
		{"Fail and Audit", "Fail", "Audit", false},
	}
	e := newEvaluator(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if result, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{policy(tt.failurePolicy, tt.action)}}); err != nil || result.Err() != nil {
				t.Fatal(err, result.Err())
			}
			want := []row{{rule: "r", result: protocol.OutcomeError, action: protocol.Action(tt.action), blocks: tt.blocked}}
			got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)})
			if diff := cmp.Diff(want, rows(got), cmp.AllowUnexported(row{})); diff != "" || got.Blocked != tt.blocked {
				t.Errorf("blocked %v; results (-want +got):\n%s", got.Blocked, diff)
			}
		})
	}
	t.Run("the ConfigMap is there", func(t *testing.T) {
		_, err := e.Load(protocol.LoadParams{
			Policies:   []json.RawMessage{policy("Fail", "Enforce")},
			ConfigMaps: []json.RawMessage{object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: absent, namespace: payments}, data: {x: b}}`)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)}); !got.Blocked || got.Results[0].Result != protocol.OutcomeFail {
			t.Errorf("got %+v, want a failure that blocks", got)
		}
	})
}

// TestEvaluateLookups: a lookup in the cluster, which there is none of, is an error of the rule.
func TestEvaluateLookups(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, rule("r", `context: [{name: c, apiCall: {urlPath: /api/v1/namespaces}}], `+
		`validate: {failureAction: Enforce, message: m, deny: {conditions: {all: [{key: "{{ c.x }}", operator: Equals, value: b}]}}}`))}})
	want := []row{{rule: "r", result: protocol.OutcomeError, action: protocol.ActionEnforce, blocks: true}}
	got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)})
	if diff := cmp.Diff(want, rows(got), cmp.AllowUnexported(row{})); diff != "" || !got.Blocked {
		t.Errorf("blocked %v; results (-want +got):\n%s", got.Blocked, diff)
	}
}

// TestEvaluatePanics: Kyverno 1.19.1 accepts keys for a Notary attestation and dereferences the certificates that are not
// there. That must neither end the process nor look like a pass.
func TestEvaluatePanics(t *testing.T) {
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{object(t, rule("r", `verifyImages: [{type: Notary, imageReferences: ["*"], failureAction: Enforce, `+
		`attestations: [{type: sbom/example, attestors: [{entries: [{keys: {publicKeys: x}}]}]}]}]`))}})
	message := wantCode(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)}, protocol.CodeEvaluation)
	for _, part := range []string{"CREATE Pod payments/web", "ClusterPolicy/x", "panicked"} {
		if !strings.Contains(message, part) {
			t.Errorf("message %q does not speak of %q", message, part)
		}
	}
}

func TestEvaluateRefusesParams(t *testing.T) {
	e := newEvaluator(t)
	wantCode(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec)}, protocol.CodeNotLoaded)
	if _, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{object(t, tiered)}}); err != nil {
		t.Fatal(err)
	}
	good := pod(t, "web", "payments", goodSpec)
	tests := []struct {
		name   string
		params protocol.EvaluateParams
		code   string
		want   string
	}{
		{"no resource", protocol.EvaluateParams{}, protocol.CodeBadRequest, "resource"},
		{"resource without kind", protocol.EvaluateParams{Resource: json.RawMessage(`{"apiVersion":"v1"}`)}, protocol.CodeBadRequest, "kind"},
		{"resource that is a list", protocol.EvaluateParams{Resource: json.RawMessage(`[]`)}, protocol.CodeBadRequest, "resource"},
		{"namespaced kind without namespace", protocol.EvaluateParams{Resource: object(t, `{apiVersion: v1, kind: Pod, metadata: {name: web}}`)}, protocol.CodeBadRequest, "namespace"},
		{"two namespaces", protocol.EvaluateParams{Resource: good, Namespace: "other"}, protocol.CodeBadRequest, "other"},
		{"UPDATE without old object", protocol.EvaluateParams{Resource: good, Operation: protocol.Update}, protocol.CodeBadRequest, "oldResource"},
		{"CREATE with old object", protocol.EvaluateParams{Resource: good, OldResource: good}, protocol.CodeBadRequest, "oldResource"},
		{"unknown operation", protocol.EvaluateParams{Resource: good, Operation: "PATCH"}, protocol.CodeBadRequest, "PATCH"},
		{"bad time", protocol.EvaluateParams{Resource: good, Now: "tomorrow"}, protocol.CodeBadRequest, "now"},
		{"policy that is not loaded", protocol.EvaluateParams{Resource: good, Policies: []string{"tierd"}}, protocol.CodeNotLoaded, "tierd"},
		{"scale", protocol.EvaluateParams{Resource: object(t, `{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: payments}}`), SubResource: "scale"}, protocol.CodeBadRequest, "scale"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if message := wantCode(t, e, tt.params, tt.code); !strings.Contains(message, tt.want) {
				t.Errorf("message %q does not speak of %q", message, tt.want)
			}
		})
	}
}
