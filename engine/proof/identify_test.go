package proof_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/identify"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
	"sigs.k8s.io/yaml"
)

// inProcess is the engine without its process.
type inProcess struct{ *evaluator.Evaluator }

func (e inProcess) Load(_ context.Context, params protocol.LoadParams) (protocol.LoadResult, error) {
	return e.Evaluator.Load(params)
}

func (e inProcess) EvaluateMany(ctx context.Context, requests []protocol.EvaluateParams) ([]protocol.Evaluation, error) {
	return e.Evaluator.EvaluateMany(ctx, protocol.EvaluateManyParams{Requests: requests}).Results, nil
}

// written are policies as a source of workloads.
type written []string

func (w written) Each(_ context.Context, yield func(workload.Workload) error) (fluxtree.Problems, error) {
	for _, text := range w {
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return nil, err
		}
		var o struct {
			APIVersion, Kind string
			Metadata         struct{ Name, Namespace string }
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, err
		}
		if err := yield(workload.Workload{Object: raw, APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Metadata.Name, Namespace: o.Metadata.Namespace}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (written) Progress() (read, total int64) { return 0, 0 }

// onPods is a ClusterPolicy with a pattern for Pods. Hardly any document has what it asks for.
func onPods(name, pattern string) string {
	return `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: ` + name + `}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]},
		validate: {failureAction: Enforce, message: m, pattern: ` + pattern + `}}]}}`
}

// foreignPolicies are policies as others write them, with what is to be found.
func foreignPolicies() []struct{ policy, want string } {
	pods := `{resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]}`
	return []struct{ policy, want string }{
		{`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: whole}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Audit, message: m,
			pattern: {spec: {"=(ephemeralContainers)": [{"=(securityContext)": {"=(privileged)": "false"}}], "=(initContainers)": [{"=(securityContext)": {"=(privileged)": "false"}}],
			containers: [{"=(securityContext)": {"=(privileged)": "false"}}]}}}}]}}`, "equal disallow-privileged-containers"},
		{`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: forgets-init-containers}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]},
			validate: {failureAction: Enforce, message: m, pattern: {spec: {containers: [{"=(securityContext)": {"=(privileged)": "false"}}]}}}}]}}`, "different disallow-privileged-containers"},
		{`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: native}, spec: {matchConditions: [{name: c, expression: "has(object.spec)"}],
			matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [services]}]},
			validations: [{expression: "object.spec.?type.orValue('') != 'NodePort'", message: "refused"}]}}`, "equal restrict-nodeport"},
		{`{apiVersion: policies.kyverno.io/v1, kind: ValidatingPolicy, metadata: {name: host-namespaces}, spec: {validationActions: [Deny], matchConstraints: ` + pods + `,
			validations: [{message: "refused", expression: "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false) && !object.spec.?hostIPC.orValue(false)"}]}}`, "disallow-host-namespaces"},
		{`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: mutates}, spec: {rules: [{name: label, match: {any: [{resources: {kinds: [Pod]}}]},
			mutate: {patchStrategicMerge: {metadata: {labels: {a: b}}}}}]}}`, "not expressible no rule of it validates: the rule label changes objects"},
		{`{apiVersion: kyverno.io/v2, kind: ClusterCleanupPolicy, metadata: {name: cleans}, spec: {}}`, "not expressible it deletes objects"},
		{`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: of-names}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Service]}}]},
			validate: {failureAction: Enforce, message: m, pattern: {metadata: {name: "*-svc"}}}}]}}`, "not expressible no control gives a similar answer: it refuses"},
		{onPods("asks-for-a-label", `{metadata: {labels: {team: "?*"}}}`), "equal require-labels"},
		{onPods("asks-for-a-value", `{metadata: {labels: {team: "prod-*"}}}`), "not expressible no control gives a similar answer"},
		{onPods("asks-for-an-annotation", `{metadata: {annotations: {corp.example/ticket: "?*"}}}`), "not expressible no control gives a similar answer"},
		{onPods("registries", `{spec: {containers: [{image: "registry.corp.example/* | ghcr.io/corp/*"}]}}`), "different restrict-image-registries"},
		{`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: broken}, spec: {matchConstraints: ` + pods + `, validations: [{expression: "object.spec("}]}}`,
			"not expressible the engine refuses it: "},
	}
}

// TestIdentify asks the real engine about policies that gatehouse did not make.
func TestIdentify(t *testing.T) {
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	var source written
	for _, f := range foreignPolicies() {
		source = append(source, strings.ReplaceAll(f.policy, "\t", " "))
	}
	report, problems, err := identify.Run(t.Context(), inProcess{e}, source, identify.Options{Version: "devel", Now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil || problems.HasErrors() {
		t.Fatal(err, problems)
	}
	for i, f := range foreignPolicies() {
		p := report.Policies[i]
		got := strings.TrimSpace(string(p.Answer) + " " + strings.Join(p.Controls, " ") + p.Because)
		if !strings.Contains(got, f.want) {
			t.Errorf("%s is %q, not %q: %+v", p.Name, got, f.want, p.Differences)
		}
		if p.Answer == identify.Equal && (p.Refused == 0 || p.Documents <= p.Refused || p.Differing > 0) {
			t.Errorf("%s is equal without documents: %+v", p.Name, p)
		}
		t.Logf("%s: %s: %d equal, %d refused, %d different, %d tolerated", p.Name, got, p.Documents, p.Refused, p.Differing, p.Tolerated)
	}
	missed := func(d identify.Difference) bool { return d.Control == "refused" && d.Policy == "admitted" }
	if !slices.ContainsFunc(report.Policies[1].Differences, missed) {
		t.Errorf("what it forgets is not listed: %+v", report.Policies[1].Differences)
	}
	if !strings.Contains(report.Snippet, "    disallow-privileged-containers: {} # whole\n") {
		t.Errorf("the snippet is:\n%s", report.Snippet)
	}
}
