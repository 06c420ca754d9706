package main

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

// TestTenantExceptions runs the tests of a source whose tenants try to write through
// Flux, and lets one more account apply the repository.
func TestTenantExceptions(t *testing.T) {
	const folder = "testdata/tenant-exceptions/"
	read := func(name string) string {
		data, err := os.ReadFile(folder + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	profile, tests := read("profile.yaml"), read("tests/tenant.yaml")
	named := strings.Replace(profile, "spec:\n", "spec:\n  deployers: [\"system:serviceaccount:flux-system:flux-applier\"]\n", 1)
	applier := tests[strings.Index(tests, "metadata: {name: an-account-that"):strings.Index(tests, "# The account that the profile names")]
	for name, source := range map[string]fstest.MapFS{
		"as it is":          {"profile.yaml": {Data: []byte(profile)}, "tests/tenant.yaml": {Data: []byte(tests)}},
		"the account named": {"profile.yaml": {Data: []byte(named)}, "tests/tenant.yaml": {Data: []byte(strings.Replace(tests, applier, strings.Replace(applier, "expect: refuse", "expect: admit", 1), 1))}},
	} {
		t.Run(name, func(t *testing.T) {
			source["environments/prod.yaml"] = &fstest.MapFile{Data: []byte(read("environments/prod.yaml"))}
			bundle, problems := generator.Compile(source, ".", generator.Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
			if problems.HasErrors() {
				t.Fatal(problems.Err())
			}
			tests, problems := verdict.LoadTests(source, bundle.Plan)
			if len(problems) > 0 || len(tests) != 5 {
				t.Fatalf("%d tests, %v", len(tests), problems)
			}
			report, err := verdict.Run(t.Context(), start(t), bundle, tests, verdict.Options{})
			if err != nil {
				t.Fatal(err)
			}
			passed := 0
			for _, r := range report.Results {
				guard := r.Policy == "restrict-policy-exceptions" || r.Policy == "protect-tier-labels"
				switch {
				case r.Status == verdict.Failed && (guard || r.Check == verdict.CheckTest || r.Check == verdict.CheckOwn):
					t.Errorf("%+v", r)
				case r.Status == verdict.Passed && r.Check == verdict.CheckTest:
					passed++
				}
			}
			if passed < 5 {
				t.Errorf("only %d tests passed", passed)
			}
		})
	}
}
