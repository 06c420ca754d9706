package verdict

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// TestRun: an engine that answers as the plan says fails nothing, and every
// fault of an engine is found by the check that is there for it.
func TestRun(t *testing.T) {
	bundle := compile(t, files())
	each := func(change func(*engine.RuleResult)) func(engine.EvaluateParams, *engine.Evaluation) {
		return func(_ engine.EvaluateParams, e *engine.Evaluation) {
			e.Result.Blocked = false
			for i := range e.Result.Results {
				change(&e.Result.Results[i])
				e.Result.Blocked = e.Result.Blocked || e.Result.Results[i].Blocks
			}
		}
	}
	row := engine.RuleResult{Policy: "no-a", Rule: "no-a", Result: engine.OutcomePass}
	tests := []struct {
		name string
		fake fake
		want []string // environment, check and case of failures that must be there
	}{
		{name: "as planned"},
		{"enforces nothing", fake{distort: each(func(r *engine.RuleResult) { r.Blocks = false })}, []string{"dev bad bad-1", "dev bad bad-update", "prod bad bad-1"}},
		{"blocks what is audited", fake{distort: each(func(r *engine.RuleResult) { r.Blocks = r.Result == engine.OutcomeFail })}, []string{"prod bad bad-1", "new bad bad-2"}},
		{"finds nothing", fake{distort: each(func(r *engine.RuleResult) { r.Result, r.Blocks = engine.OutcomePass, false })}, []string{"prod bad bad-1", "new bad bad-3"}},
		{"refuses what is good", fake{distort: each(func(r *engine.RuleResult) { r.Result, r.Blocks = engine.OutcomeFail, true })}, []string{"dev good good-1", "new good good-2"}},
		{"reports what is good", fake{distort: each(func(r *engine.RuleResult) { r.Result = engine.OutcomeFail })}, []string{"dev good good-1", "prod good good-3"}},
		{"errors that block", fake{distort: each(func(r *engine.RuleResult) { r.Result, r.Blocks = engine.OutcomeError, true })}, []string{"dev bad bad-1", "dev good good-1"}},
		{"errors that do not", fake{distort: each(func(r *engine.RuleResult) { r.Result, r.Blocks = engine.OutcomeError, false })}, []string{"new bad bad-1", "prod good good-1"}},
		{"an error and a failure", fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) {
			e.Result.Results = append(e.Result.Results, engine.RuleResult{Rule: "other", Result: engine.OutcomeError})
		}}, []string{"dev bad bad-1", "dev system bad-1"}},
		{"an unknown outcome", fake{distort: each(func(r *engine.RuleResult) { r.Result = "fine" })}, []string{"dev good good-1"}},
		{"no verdict", fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) {
			*e = engine.Evaluation{Error: &engine.Error{Code: engine.CodeEvaluation, Message: "panicked"}}
		}}, []string{"dev good good-1", "dev bad bad-1", "dev system bad-1"}},
		{"an empty answer", fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) { *e = engine.Evaluation{} }}, []string{"dev good good-1"}},
		{"judges everywhere", fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) {
			if len(e.Result.Results) == 0 {
				e.Result.Results = append(e.Result.Results, row)
			}
		}}, []string{"dev system bad-1", "dev bad bad-4"}},
		{"blocks everywhere", fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) { e.Result.Blocked = true }}, []string{"dev system bad-1", "dev good good-1", "prod bad bad-1"}},
		{"refuses what Flux applies", fake{distort: func(request engine.EvaluateParams, e *engine.Evaluation) {
			e.Result.Blocked = e.Result.Blocked || request.UserInfo.Username == "system:serviceaccount:flux-system:kustomize-controller"
		}}, []string{"dev own Namespace shop", "dev own ClusterPolicy no-a", "dev own PolicyException policy-exceptions/agent.no-a.autogen-no-a", "dev own NetworkPolicy shop/default-deny",
			"dev own HelmRelease flux-system/kyverno", "dev own HelmRepository flux-system/kyverno", "prod own Kustomization flux-system/gatehouse-policies"}},
		{"exempts every name", fake{everyName: true}, []string{"dev exception agent: another name"}},
		{"exempts every namespace", fake{everyNamespace: true}, []string{"dev exception agent: another namespace"}},
		{"exempts every image", fake{everyImage: true}, []string{"dev exception agent: another image", "prod exception agent: another image"}},
		{"exempts every user", fake{everyUser: true}, []string{"dev exception agent: a stranger with the same owner"}},
		{"exempts every owner", fake{everyOwner: true}, []string{"dev exception agent: a stranger with the same name"}},
		{"exempts for ever", fake{endless: true}, []string{"dev exception agent: after the expiry"}},
		{"exempts nothing", fake{never: true}, []string{"dev exception agent: the object that it names"}},
		{"exempts from all policies", fake{everyPolicy: true}, []string{"dev exception agent: policies that it does not name"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.fake.plan = bundle.Plan
			report, err := Run(t.Context(), &test.fake, bundle, nil, Options{})
			if err != nil {
				t.Fatal(err)
			}
			failed := map[string]bool{}
			for _, r := range report.of(Failed) {
				failed[r.Environment+" "+r.Check+" "+r.Case] = true
			}
			if len(test.fake.strange) > 0 || len(test.fake.made) == 0 {
				t.Errorf("of %d objects, no controller would send %v", len(test.fake.made), test.fake.strange)
			}
			if len(test.want) == 0 && len(failed) > 0 {
				t.Errorf("failed: %v", failed)
			}
			for _, want := range test.want {
				if !failed[want] {
					t.Errorf("%s did not fail; failed: %v", want, failed)
				}
			}
			if report.Counts.Skipped > 0 && test.name == "as planned" || report.Counts.Passed+report.Counts.Failed+report.Counts.Skipped != len(report.Results) {
				t.Errorf("counts: %+v of %d", report.Counts, len(report.Results))
			}
		})
	}
}

// TestRunAsks: what is asked at all, and where.
func TestRunAsks(t *testing.T) {
	bundle := compile(t, files())
	f := &fake{plan: bundle.Plan}
	report, err := Run(t.Context(), f, bundle, nil, Options{Environments: []string{"dev"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range report.Results {
		if r.Environment != "dev" {
			t.Fatalf("environment %s was not wanted", r.Environment)
		}
		if r.Policy == "no-a" && strings.HasPrefix(r.Case, "bad-") && r.Check != CheckSystem || r.Check == CheckException {
			got = append(got, r.Check+" "+r.Tier+" "+r.Resource+": "+r.Expected)
		}
	}
	want := []string{
		// ops has an exception, so platform is tried in tools; unknown is a namespace that the profile does not name.
		"bad platform CREATE Pod tools/bad-1: refused", "bad apps CREATE Pod shop/bad-1: refused", "bad apps CREATE Pod gatehouse-test-unknown/bad-1: refused",
		"bad platform CREATE Pod tools/bad-2: refused", "bad apps CREATE Pod shop/bad-2: refused", "bad apps CREATE Pod gatehouse-test-unknown/bad-2: refused",
		"bad platform CREATE Pod elsewhere/bad-3: refused", "bad apps CREATE Pod elsewhere/bad-3: refused",
		"bad platform CREATE Pod kube-public/bad-4: admitted, not judged", "bad apps CREATE Pod kube-public/bad-4: admitted, not judged",
		"bad platform UPDATE Pod tools/u: refused", "bad apps UPDATE Pod shop/u: refused", "bad apps UPDATE Pod gatehouse-test-unknown/u: refused",
	}
	for _, object := range []struct{ kind, name, other string }{{"DaemonSet", "agent", "xagent"}, {"Pod", "agent-x7k2p", "xagent-x7k2p"}} {
		create := "exception platform CREATE " + object.kind + " "
		want = append(want,
			create+"ops/"+object.name+": exempt by agent",
			create+"ops/"+object.name+": exempt by agent", // in a background scan
		)
		if object.kind == "Pod" {
			want = append(want, create+"ops/"+object.name+": refused") // with an injected container
		}
		want = append(want,
			create+"ops/"+object.name+": refused", // after the expiry
			create+"gatehouse-test-platform/"+object.name+": refused",
			create+"ops/"+object.name+": refused", // another image
			create+"ops/"+object.name+": not exempt by agent",
			create+"ops/"+object.other+": refused",
		)
	}
	want = append(want,
		"exception platform CREATE Pod ops/agent-x7k2p: refused", // a stranger with the same name
		"exception platform CREATE Pod ops/agent-x7k2p: refused", // a stranger with the same owner
	)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	systems := 0
	for _, r := range report.Results {
		if r.Check == CheckSystem && r.Policy == "no-a" && r.Case == "bad-1" {
			systems++
		}
	}
	if systems != len(bundle.Plan.Environments[0].SystemNamespaces) || systems < 3 {
		t.Errorf("tried in %d system namespaces of %v", systems, bundle.Plan.Environments[0].SystemNamespaces)
	}
}

// TestRunUnnamed: policies that judge other objects say nothing about an exception, whatever their rules match.
func TestRunUnnamed(t *testing.T) {
	bundle := compile(t, files())
	for name, tt := range map[string]struct {
		distort func(*engine.Evaluation)
		want    Status
	}{
		"judged":   {func(*engine.Evaluation) {}, Passed},
		"no rule":  {func(e *engine.Evaluation) { e.Result.Results = nil }, Skipped},
		"exempt":   {func(e *engine.Evaluation) { e.Result.Results[0].Exceptions = []string{"agent.no-b.no-b"} }, Failed},
		"an error": {func(e *engine.Evaluation) { e.Result.Results[0].Result = engine.OutcomeError }, Failed},
		"blocked":  {func(e *engine.Evaluation) { e.Result.Results, e.Result.Blocked = nil, true }, Failed},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{plan: bundle.Plan, distort: func(p engine.EvaluateParams, e *engine.Evaluation) {
				if len(p.Policies) == 1 && p.Policies[0] == "no-b" && p.Now != "" {
					tt.distort(e)
				}
			}}
			report, err := Run(t.Context(), f, bundle, nil, Options{Environments: []string{"dev"}})
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			for _, r := range report.Results {
				if r.Case == "agent: policies that it does not name" {
					asked++
					if r.Status != tt.want {
						t.Errorf("%s: %s, want %s", r.Resource, r.Status, tt.want)
					}
				}
			}
			if asked == 0 {
				t.Error("nothing was asked")
			}
		})
	}
}

// TestRunLoad: what Kyverno refuses is a failure, and nothing is claimed of it.
func TestRunLoad(t *testing.T) {
	bundle := compile(t, files())
	run := func(f *fake) *Report {
		t.Helper()
		f.plan = bundle.Plan
		report, err := Run(t.Context(), f, bundle, nil, Options{Environments: []string{"dev"}})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	about := func(r *Report, policy string) int {
		n := 0
		for _, result := range r.Results {
			if result.Policy == policy {
				n++
			}
		}
		return n
	}
	f := &fake{refused: "no-a", problems: []engine.Problem{{Object: "ClusterPolicy/no-a", Severity: engine.SeverityError, Message: "bad rule"}}}
	if r := run(f); r.Counts.Failed != 1 || r.of(Failed)[0].Message != "bad rule" || about(r, "no-a") > 0 || about(r, "no-b") == 0 {
		t.Errorf("refused policy: %+v, no-a %d", r.Counts, about(r, "no-a"))
	}
	f = &fake{problems: []engine.Problem{{Object: "PolicyException/policy-exceptions/agent", Severity: engine.SeverityError, Message: "bad"}}}
	if r := run(f); r.Counts.Failed != 1 || f.asked > 0 {
		t.Errorf("refused exception: %+v, %d asked", r.Counts, f.asked)
	}
	f = &fake{problems: []engine.Problem{{Object: "ClusterPolicy/no-a", Severity: engine.SeverityWarning, Message: "hm"}}}
	if r := run(f); r.Counts.Failed != 0 || r.Counts.Warned != 1 || about(r, "no-a") == 0 {
		t.Errorf("warning: %+v", r.Counts)
	}
}
