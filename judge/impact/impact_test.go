package impact_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

var update = flag.Bool("update", false, "write the golden files")

const source = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  controls: {disallow-host-path: {}, protect-tier-labels: {}, restrict-wildcard-verbs: {}, disallow-host-ports: {}, require-labels: {maxStage: audit, parameters: {labels: [app]}}, verify-images: {}}
  trust:
    attestors: [{name: ci, keyless: {issuer: https://example.com, subject: ci@example.com}}]
    images: [{name: acme, references: [ghcr.io/acme/*], attestors: [ci], tiers: [platform, apps]}]
  namespaces: [{name: ops, tier: platform, labels: {owner: team-ops}}, {name: shop, tier: apps}]
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: enforce}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 2, stage: audit, clusters: [prod-eu, prod-us]}
---
kind: Exception
metadata: {name: agent}
spec: {controls: [disallow-host-path], environments: [dev, prod], match: {namespaces: [ops], kinds: [DaemonSet], names: [agent]}, reason: logs, owner: ops, expires: 2027-03-31}
`

var now = time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)

func compile(t *testing.T) *generator.Bundle {
	t.Helper()
	bundle, problems := generator.Compile(fstest.MapFS{"all.yaml": {Data: []byte(source)}}, ".", generator.Options{Now: now, Unstaged: true})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return bundle
}

func withStages(t *testing.T, bundle *generator.Bundle, stages map[string]string) *generator.Bundle {
	t.Helper()
	next, problems := bundle.WithStages(stages)
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return next
}

// fake judges by the field faults of an object, "POLICY" or "POLICY=RESULT", at
// the strictness that the loaded policy has for the tier of the namespace.
type fake struct {
	loads, asked int
	now          string // of the last request
	labels       map[string]map[string]string
	policies     map[string]map[string]any
	refuse       string // name of a policy that is not loaded
	short        bool   // answers are missing
}

func (f *fake) Load(_ context.Context, params engine.LoadParams) (engine.LoadResult, error) {
	f.loads++
	f.labels, f.policies = map[string]map[string]string{}, map[string]map[string]any{}
	for _, n := range params.Namespaces {
		f.labels[n.Name] = n.Labels
	}
	var result engine.LoadResult
	for _, raw := range params.Policies {
		var p map[string]any
		if err := json.Unmarshal(raw, &p); err != nil {
			return result, err
		}
		name := p["metadata"].(map[string]any)["name"].(string)
		f.policies[name] = p
		if name == f.refuse {
			result.Problems = append(result.Problems, engine.Problem{Object: "ClusterPolicy/" + name, Severity: engine.SeverityError, Message: "refused"})
		}
	}
	return result, nil
}

func (f *fake) EvaluateMany(_ context.Context, requests []engine.EvaluateParams) ([]engine.Evaluation, error) {
	var out []engine.Evaluation
	for _, request := range requests {
		f.asked, f.now = f.asked+1, request.Now
		out = append(out, f.evaluate(request))
	}
	if f.short {
		return out[1:], nil
	}
	return out, nil
}

func (f *fake) evaluate(request engine.EvaluateParams) engine.Evaluation {
	var object struct{ Faults []string }
	if err := json.Unmarshal(request.Resource, &object); err != nil {
		panic(err)
	}
	labels := f.labels[request.Namespace]
	if request.NamespaceLabels != nil {
		labels = request.NamespaceLabels
	}
	var result engine.EvaluateResult
	for _, fault := range object.Faults {
		policy, kind, _ := strings.Cut(fault, "=")
		switch kind {
		case "panic":
			return engine.Evaluation{Error: &engine.Error{Code: engine.CodeEvaluation, Message: "kyverno panicked"}}
		case "silence":
			result.Blocked = true
			continue
		}
		if !slices.Contains(request.Policies, policy) {
			continue
		}
		row := engine.RuleResult{Policy: policy, Rule: "autogen-" + policy, Result: engine.OutcomeFail, Action: f.action(policy, labels["gatehouse.dev/tier"]), Message: "validation error:\n  " + policy + " | no."}
		switch kind {
		case "exempt":
			row.Result, row.Exceptions, row.Message = engine.OutcomeSkip, []string{"agent"}, "rule is skipped"
		case "unneeded": // until the exception ends
			if row.Result, row.Exceptions, row.Message = engine.OutcomeSkip, []string{"agent"}, "rule is skipped"; request.Now > "2027-03-31" {
				row.Result, row.Exceptions, row.Message = engine.OutcomePass, nil, ""
			}
		case "pass":
			row.Result, row.Message = engine.OutcomePass, ""
		case "error":
			row.Result, row.Message = engine.OutcomeError, "cannot be evaluated"
		}
		row.Blocks = row.Action == engine.ActionEnforce && (row.Result == engine.OutcomeFail || row.Result == engine.OutcomeError)
		result.Blocked = result.Blocked || row.Blocks
		result.Results = append(result.Results, row)
	}
	return engine.Evaluation{Result: &result}
}

// action of the first rule; the only override is to audit all but the enforced tiers.
func (f *fake) action(policy, tier string) engine.Action {
	validate := f.policies[policy]["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)["validate"].(map[string]any)
	if overrides, _ := validate["failureActionOverrides"].([]any); overrides != nil && tier != "platform" {
		return engine.ActionAudit
	}
	return engine.Action(validate["failureAction"].(string))
}

// object is a workload with faults.
func object(kind, namespace, name string, faults ...string) string {
	metadata := fmt.Sprintf("{name: %s, namespace: %s}", name, namespace)
	if namespace == "" {
		metadata = fmt.Sprintf("{name: %s}", name)
	}
	version := map[string]string{"ClusterRole": "rbac.authorization.k8s.io/v1", "Deployment": "apps/v1", "DaemonSet": "apps/v1"}[kind]
	if version == "" {
		version = "v1"
	}
	return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: %s\nfaults: [%s]\n", version, kind, metadata, strings.Join(faults, ", "))
}

func files(texts ...string) *workload.Files {
	var inputs []workload.Input
	for i, text := range texts {
		inputs = append(inputs, workload.Input{Name: fmt.Sprintf("apps/a b%d.yaml", i), Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	}
	return workload.NewFiles(inputs, nil, "default")
}

// run compares each environment with the next stage.
func run(t *testing.T, e impact.Engine, s workload.Source) (*impact.Report, error) {
	t.Helper()
	bundle := compile(t)
	steps := impact.Steps(bundle.Plan, nil, "")
	report, problems, err := impact.Run(t.Context(), e, bundle, withStages(t, bundle, impact.Stages(steps)), steps, s, impact.Options{Now: now})
	if err == nil && problems.HasErrors() {
		err = problems.Err()
	}
	return report, err
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, object string
		want         []string // environment owner status control
	}{
		{"fine", object("Deployment", "ops", "web"), nil},
		{"enforced in the next stage", object("Deployment", "ops", "web", "disallow-host-path"), []string{"dev team-ops blocked disallow-host-path", "prod team-ops would-block disallow-host-path"}},
		{"two controls", object("Deployment", "ops", "web", "disallow-host-path", "require-labels"),
			[]string{"dev team-ops blocked disallow-host-path", "dev team-ops warns require-labels", "prod team-ops would-block disallow-host-path", "prod team-ops warns require-labels"}},
		{"audited in the next stage", object("Deployment", "shop", "web", "disallow-host-path"), []string{"dev shop blocked disallow-host-path", "prod shop warns disallow-host-path"}},
		{"unknown namespace is of the last tier", object("Deployment", "x", "web", "disallow-host-path"), []string{"dev x blocked disallow-host-path", "prod x warns disallow-host-path"}},
		{"no namespace", object("Deployment", "", "web", "require-labels"), []string{"dev default warns require-labels", "prod default warns require-labels"}},
		{"cluster-scoped", object("ClusterRole", "", "r", "require-labels"), []string{"dev (cluster) warns require-labels", "prod (cluster) warns require-labels"}},
		{"namespace", object("Namespace", "", "ops", "require-labels"), []string{"dev team-ops warns require-labels", "prod team-ops warns require-labels"}},
		{"exempt", object("DaemonSet", "ops", "agent", "disallow-host-path=exempt"), []string{"dev team-ops exempt disallow-host-path", "prod team-ops exempt disallow-host-path"}},
		{"exempt without a violation", object("DaemonSet", "ops", "agent", "disallow-host-path=unneeded", "disallow-host-ports=exempt"), []string{
			"dev team-ops exempt disallow-host-ports", "dev team-ops unneeded disallow-host-path",
			"prod team-ops exempt disallow-host-ports", "prod team-ops unneeded disallow-host-path"}},
		{"one rule exempt, another refuses", object("DaemonSet", "ops", "agent", "disallow-host-path=exempt", "disallow-host-path"),
			[]string{"dev team-ops blocked disallow-host-path", "prod team-ops would-block disallow-host-path"}},
		{"a rule that fails to run gives no verdict", object("Deployment", "ops", "web", "disallow-host-path=error"), []string{"dev team-ops error disallow-host-path", "prod team-ops error disallow-host-path"}},
		{"no verdict", object("Deployment", "ops", "web", "x=panic"), []string{"dev team-ops error ", "prod team-ops error "}},
		{"refused without a reason", object("Deployment", "ops", "web", "x=silence"), []string{"dev team-ops error ", "prod team-ops error "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := run(t, new(fake), files(tt.object))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				got = append(got, strings.Join([]string{f.Environment, f.Owner, string(f.Status), f.Control}, " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNotEvaluated: default-deny is no admission policy; its namespaces are named. A policy about who may write says nothing about an object at
// rest, whatever the engine would answer; one that only exempts the deployers does.
func TestNotEvaluated(t *testing.T) {
	report, err := run(t, new(fake), files(object("Namespace", "", "ops", "protect-tier-labels")+object("ClusterRole", "", "r", "restrict-wildcard-verbs")))
	if err != nil {
		t.Fatal(err)
	}
	want := []impact.NotEvaluated{
		{Control: "protect-tier-labels", Reason: "needs to know who writes or what changes, which an object does not show"},
		{Control: "verify-images-acme", Reason: "needs the registry"},
	}
	for _, e := range report.Environments {
		want := want
		if e.Name == "prod" { // from audit to enforce-platform; dev is at enforce
			want = append([]impact.NotEvaluated{{Control: "default-deny", Reason: "closes the network of ops: only what the network rules allow still connects"}}, want...)
		}
		if diff := cmp.Diff(want, e.NotEvaluated); diff != "" || slices.Contains(e.Judged, "protect-tier-labels") {
			t.Errorf("%s: judged are %v\n%s", e.Name, e.Judged, diff)
		}
	}
	var got []string
	for _, f := range report.Findings {
		got = append(got, fmt.Sprintf("%s %s %s: %s", f.Environment, f.Control, f.Status, f.Message))
	}
	const why = "validation error: restrict-wildcard-verbs | no."
	if diff := cmp.Diff([]string{
		"dev restrict-wildcard-verbs blocked: " + why + " (deployers are exempt)",
		"prod restrict-wildcard-verbs warns: " + why,
	}, got); diff != "" {
		t.Error(diff)
	}
	kinds := impact.Kinds(compile(t).Plan)
	if !slices.Contains(kinds, "Pod") || slices.Contains(kinds, "v1/Namespace") {
		t.Errorf("kinds are %v", kinds)
	}
}

// TestRunMany has several chunks: each object is judged once per environment at the
// next stage, and what is refused there once more.
func TestRunMany(t *testing.T) {
	var text strings.Builder
	const n = 4500
	for i := range n {
		var faults []string
		if i%100 == 0 {
			faults = []string{"disallow-host-path"}
		}
		text.WriteString(object("Deployment", "ops", fmt.Sprintf("web-%d", i), faults...))
	}
	e := new(fake)
	report, err := run(t, e, files(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	want := impact.Counts{WouldBlock: n / 100, Blocked: n / 100}
	if diff := cmp.Diff(want, report.Totals()); diff != "" || report.Objects != n {
		t.Errorf("%d objects\n%s", report.Objects, diff)
	}
	if e.asked != 2*n+n/100 || e.loads != 15 {
		t.Errorf("%d verdicts, %d loads", e.asked, e.loads)
	}
	if e.now != "2027-01-15T12:00:00Z" {
		t.Errorf("judged at %s", e.now)
	}
}

func TestRunFails(t *testing.T) {
	bad := object("Deployment", "ops", "web", "disallow-host-path")
	tests := []struct {
		name   string
		engine *fake
		input  string
		want   string
	}{
		{"policy refused", &fake{refuse: "disallow-host-path"}, bad, "environment dev: loading the policies of stage enforce into the engine: kyverno refuses 1 object(s)"},
		{"missing answers", &fake{short: true}, bad, "the engine answered 0 of 1 requests"},
		{"unreadable input", new(fake), "a: [\n", "yaml-syntax"},
		{"no input", new(fake), "", "workload-none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := run(t, tt.engine, files(tt.input))
			if err == nil || !strings.Contains(err.Error(), tt.want) || report != nil {
				t.Errorf("report %v, error %v, want %q", report, err, tt.want)
			}
		})
	}
}

// live is a source with labels from a cluster.
type live struct{ workload.Source }

func (l live) Each(ctx context.Context, yield func(workload.Workload) error) (problems fluxtree.Problems, err error) {
	return l.Source.Each(ctx, func(w workload.Workload) error {
		w.NamespaceLabels = map[string]string{"gatehouse.dev/tier": "platform", "owner": "team-live"}
		return yield(w)
	})
}

// TestRunLive: the labels of the cluster count, except where the bundle sets them.
func TestRunLive(t *testing.T) {
	report, err := run(t, new(fake), live{files(object("Pod", "other", "a", "disallow-host-path"), object("Pod", "shop", "b", "disallow-host-path"), object("Pod", "ops", "c"))})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range report.Findings {
		if f.Environment == "prod" {
			got = append(got, f.Owner+" "+string(f.Status)+" "+f.Name)
		}
	}
	if diff := cmp.Diff([]string{"team-live warns b", "team-live would-block a"}, slices.Sorted(slices.Values(got))); diff != "" {
		t.Error(diff)
	}
}

func TestSteps(t *testing.T) {
	p := compile(t).Plan
	tests := []struct {
		name         string
		environments []string
		stage        string
		want         []impact.Step
	}{
		{"all", nil, "", []impact.Step{{"dev", "enforce", ""}, {"prod", "audit", "enforce-platform"}}},
		{"one", []string{"prod"}, "", []impact.Step{{"prod", "audit", "enforce-platform"}}},
		{"two stages up", nil, "enforce", []impact.Step{{"dev", "enforce", ""}, {"prod", "audit", "enforce"}}},
		{"below", []string{"prod"}, "off", []impact.Step{{"prod", "audit", ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, impact.Steps(p, tt.environments, tt.stage)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff(map[string]string{"prod": "enforce"}, impact.Stages(tests[2].want)); diff != "" {
		t.Error(diff)
	}
}

// TestProgress: the share never falls and ends at everything.
func TestProgress(t *testing.T) {
	var text strings.Builder
	for i := range 3000 {
		text.WriteString(object("Deployment", "ops", fmt.Sprintf("web-%d", i)))
	}
	bundle := compile(t)
	steps := impact.Steps(bundle.Plan, nil, "")
	last, calls := 0.0, 0
	progress := func(p impact.Progress) {
		calls++
		if p.Share < last || p.Share > 1 {
			t.Errorf("after %v comes %v", last, p.Share)
		}
		last = p.Share
	}
	_, _, err := impact.Run(t.Context(), new(fake), bundle, withStages(t, bundle, impact.Stages(steps)), steps, files(text.String()), impact.Options{Now: now, Progress: progress})
	if err != nil || calls < 20 || last < 0.8 {
		t.Errorf("%d calls, %v at the end, error %v", calls, last, err)
	}
}

// TestReports compares every format with testdata/report.*.
func TestReports(t *testing.T) {
	report, err := run(t, new(fake), files(
		object("Deployment", "ops", "web", "disallow-host-path", "require-labels")+object("DaemonSet", "ops", "agent", "disallow-host-path=exempt"),
		object("Deployment", "shop", "web", "disallow-host-path", "disallow-host-ports", "require-labels")+object("Deployment", "shop", "api", "require-labels")+object("Pod", "shop", "odd", "x=panic")+
			object("Pod", "shop", "odder", "disallow-host-ports=error"),
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range impact.Formats() {
		t.Run(format, func(t *testing.T) {
			var got strings.Builder
			if err := report.Write(&got, format, "v1.2.3"); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "report."+format)
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
