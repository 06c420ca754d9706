package verdict

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pod is a resource of a test; with a workingDir it violates the policy of this name.
func pod(namespace, workingDir string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: ` + namespace + `}, spec: {containers: [{name: c, image: ghcr.io/acme/app:1, workingDir: "` + workingDir + `"}]}}`
}

// document is a Test named one.
func document(spec string) string {
	return "{apiVersion: gatehouse.dev/v1alpha1, kind: Test, metadata: {name: one}, spec: {" + spec + "}}"
}

// TestTests runs tests of the user: each of the three expectations, right and wrong.
func TestTests(t *testing.T) {
	bundle := compile(t, files())
	tests := []struct {
		name, spec string
		want       []string // environment: status got
	}{
		{"refused", "environments: [dev], expect: refuse, resource: " + pod("shop", "no-a"), []string{"dev: passed refused"}},
		{"not refused", "environments: [prod], expect: refuse, resource: " + pod("shop", "no-a"), []string{"prod: failed admitted and reported"}},
		{"audited", "environments: [prod], expect: audit, policies: [no-a], resource: " + pod("shop", "no-a"), []string{"prod: passed admitted and reported"}},
		{"audited by another", "environments: [prod], expect: audit, policies: [no-b], resource: " + pod("shop", "no-a"), []string{"prod: failed admitted"}},
		{"admitted everywhere", "expect: admit, resource: " + pod("shop", ""), []string{"dev: passed admitted", "prod: passed admitted", "new: passed admitted"}},
		{"admitted with a report", "environments: [prod], expect: admit, resource: " + pod("shop", "no-a"), []string{"prod: failed admitted and reported"}},
		{"by two policies", "environments: [dev], expect: refuse, policies: [no-a, no-b], resource: " + pod("shop", "no-b"), []string{"dev: failed admitted", "dev: passed refused"}},
		{"off where it is expected", "environments: [new], expect: refuse, policies: [no-a], resource: " + pod("shop", "no-a"), []string{"new: failed admitted, not judged"}},
		{"off where nothing is", "environments: [new], expect: admit, policies: [no-a], resource: " + pod("shop", "no-a"), []string{"new: passed admitted, not judged"}},
		{"the namespace of the request", "environments: [prod], expect: refuse, namespace: tools, resource: {apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{workingDir: no-a}]}}",
			[]string{"prod: passed refused"}},
		{"a system namespace", "environments: [dev], expect: admit, resource: " + pod("kube-system", "no-a"), []string{"dev: passed admitted, not judged"}},
		{"two objects of a file", "environments: [dev], expect: refuse, file: objects/two.yaml", []string{"dev: passed refused", "dev: failed admitted"}},
		{"an update", "environments: [dev], expect: refuse, operation: UPDATE, oldFile: objects/good.yaml, resource: " + pod("shop", "no-a"), []string{"dev: passed refused"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := maps.Clone(files())
			source["tests/one.yaml"] = document(test.spec)
			source["tests/objects/two.yaml"] = pod("shop", "no-a") + "\n---\n" + pod("shop", "")
			source["tests/objects/good.yaml"] = pod("shop", "")
			loaded, problems := LoadTests(sourceOf(source), bundle.Plan)
			if problems.HasErrors() {
				t.Fatal(problems.Err())
			}
			report, err := Run(t.Context(), &fake{plan: bundle.Plan}, bundle, loaded, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range report.Results {
				if r.Check == CheckTest {
					got = append(got, r.Environment+": "+string(r.Status)+" "+r.Got)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

// An exception that has ended stays in the bundle. It exempts nothing at the time of the
// judgement, and that it did before its end is still checked.
func TestExpiredException(t *testing.T) {
	agent := `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent, namespace: ops}, spec: {containers: [{name: c, image: ghcr.io/acme/app:1, workingDir: no-a}]}}`
	source := files()
	source["tests/one.yaml"] = document("environments: [dev], policies: [no-a], expect: refuse, resource: " + agent)
	end := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]Status{end.Add(-time.Second): Failed, end: Passed, end.AddDate(10, 0, 0): Passed} {
		bundle := compileAt(t, source, at)
		loaded, problems := LoadTests(sourceOf(source), bundle.Plan)
		if problems.HasErrors() {
			t.Fatal(problems.Err())
		}
		report, err := Run(t.Context(), &fake{plan: bundle.Plan}, bundle, loaded, Options{})
		if err != nil {
			t.Fatal(err)
		}
		exempt := 0
		for _, r := range report.Results {
			if r.Check == CheckTest && r.Status != want {
				t.Errorf("at %s: %s %s, want %s", at, r.Status, r.Got, want)
			}
			if r.Check != CheckTest && r.Status == Failed {
				t.Errorf("at %s: %+v", at, r)
			}
			if r.Check == CheckException && r.Expected == "exempt by agent" && r.Status == Passed {
				exempt++
			}
		}
		if exempt == 0 {
			t.Errorf("at %s: the exception was not tried", at)
		}
	}
}

// TestLoadTests: what is wrong with a test is told where it is.
func TestLoadTests(t *testing.T) {
	bundle := compile(t, files())
	tests := []struct {
		name, text string
		want       string // all diagnostics
	}{
		{"unknown field", document("expect: admit, resuorce: {}, resource: {kind: Pod}"), `tests/a.yaml:1:95: spec.resuorce: unknown field (did you mean "resource"?) [unknown-field]`},
		{"no expectation", document("resource: {kind: Pod}"), "tests/a.yaml:1:79: spec.expect: is required [required]"},
		{"unknown expectation", document("expect: deny, resource: {kind: Pod}"), `tests/a.yaml:1:88: spec.expect: unsupported value "deny" (one of admit, audit, refuse) [test-invalid]`},
		{"unknown environment", document("expect: admit, environments: [prd], resource: {kind: Pod}"),
			`tests/a.yaml:1:110: spec.environments[0]: there is no environment "prd" (did you mean "prod"?) [environment-unknown]`},
		{"unknown policy", document("expect: admit, policies: [no-c], resource: {kind: Pod}"),
			`tests/a.yaml:1:106: spec.policies[0]: no environment has a policy "no-c" (did you mean "no-a"?) [control-unknown]`},
		{"no resource", document("expect: admit"), "tests/a.yaml:1:79: spec: exactly one of resource and file is needed [test-invalid]"},
		{"outside the source", document("expect: admit, file: ../../x.yaml"), "tests/a.yaml:1:101: spec.file: ../../x.yaml is outside the source (copy it into the source) [test-invalid]"},
		{"missing file", document("expect: admit, file: x.yaml"), "tests/a.yaml:1:101: spec.file: open tests/x.yaml: file does not exist [test-invalid]"},
		{"empty file", document("expect: admit, file: blank.yaml"), "tests/a.yaml:1:101: spec.file: tests/blank.yaml: there is no object in it [test-invalid]"},
		{"update of nothing", document("expect: admit, operation: UPDATE, resource: {kind: Pod}"),
			"tests/a.yaml:1:79: spec: an UPDATE, and nothing else, has an oldResource or an oldFile [test-invalid]"},
		{"unknown operation", document("expect: admit, operation: update, resource: {kind: Pod}"), `tests/a.yaml:1:106: spec.operation: unsupported value "update" (did you mean "UPDATE"?) [test-invalid]`},
		{"twice", document("expect: admit, resource: {kind: Pod}") + "\n---\n" + document("expect: admit, resource: {kind: Pod}"),
			`tests/a.yaml:3:67: metadata.name: Test "one" is defined twice, first at tests/a.yaml:1:67 [duplicate-name]`},
		{"another kind", "{apiVersion: gatehouse.dev/v1alpha1, kind: Tset, metadata: {name: x}}", "tests/a.yaml:1:1: kind: gatehouse.dev/v1alpha1 Tset is not a Test; a file of tests holds only Tests (kind: Test) [unknown-type]"},
		{"nothing of ours", "{apiVersion: v1, kind: Pod}", "tests/a.yaml: warning: holds no Test, and no Test names it (a test begins with apiVersion: gatehouse.dev/v1alpha1 and kind: Test) [test-unused]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loaded, problems := LoadTests(sourceOf(map[string]string{"tests/a.yaml": test.text, "tests/blank.yaml": "# nothing"}), bundle.Plan)
			var got []string
			for _, d := range problems {
				if d.File == "tests/a.yaml" {
					got = append(got, d.String())
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("%d tests; diagnostics (-want +got):\n%s", len(loaded), diff)
			}
		})
	}
	if loaded, problems := LoadTests(sourceOf(files()), bundle.Plan); len(loaded) > 0 || len(problems) > 0 {
		t.Errorf("a source without tests: %v, %v", loaded, problems)
	}
}
