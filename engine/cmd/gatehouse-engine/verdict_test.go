package main

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

// TestExamples is `gatehouse test` of an example for each kind of policies: all passes, and no policy and no exception is
// left out.
func TestExamples(t *testing.T) {
	for example, target := range map[string]string{
		"acme": catalog.ClusterPolicy, "quickstart": catalog.ValidatingPolicy, "without-kyverno": catalog.ValidatingAdmissionPolicy,
	} {
		t.Run(example, func(t *testing.T) { testExample(t, example, target) })
	}
}

func testExample(t *testing.T, example, target string) {
	fsys := os.DirFS("../../../examples/" + example)
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	bundle, problems := generator.Compile(fsys, ".", generator.Options{Now: now, Unstaged: true})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	tests, problems := verdict.LoadTests(fsys, bundle.Plan)
	if len(problems) > 0 || len(tests) == 0 && example != "quickstart" {
		t.Fatalf("%d tests, %v", len(tests), problems)
	}
	report, err := verdict.Run(t.Context(), start(t), bundle, tests, verdict.Options{})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, r := range report.Results {
		switch r.Status {
		case verdict.Failed, verdict.Warned:
			t.Errorf("%+v", r)
		case verdict.Passed:
			name, _, _ := strings.Cut(r.Case, ":")
			shown[r.Environment+" "+r.Check+" "+r.Policy] = true
			shown[r.Environment+" "+r.Check+" "+name] = true
		}
	}
	for _, env := range bundle.Plan.Environments {
		for _, p := range env.Judges() {
			if p.Target != target && p.Image == nil {
				t.Errorf("%s: %s is a %s", env.Name, p.Name, p.Target)
			}
			for _, check := range []string{verdict.CheckGood, verdict.CheckBad} {
				if !shown[env.Name+" "+check+" "+p.Name] {
					t.Errorf("%s: no %s document of %s is shown", env.Name, check, p.Name)
				}
			}
		}
		for _, x := range env.Exceptions {
			if !shown[env.Name+" "+verdict.CheckException+" "+x.Name] {
				t.Errorf("%s: exception %s is not shown", env.Name, x.Name)
			}
		}
	}
}

// TestVerdictsBite breaks what the compiler has made, one thing at a time: the engine's answers must show it.
func TestVerdictsBite(t *testing.T) {
	source := fstest.MapFS{"all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: bite}
spec: {controls: {disallow-host-namespaces: {}, disallow-host-ports: {}}, namespaces: [{name: ops, tier: platform}, {name: tools, tier: platform}, {name: shop, tier: apps}]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
---
kind: Exception
metadata: {name: agent}
spec: {controls: [disallow-host-namespaces], match: {namespaces: [ops], kinds: [DaemonSet], names: [agent]}, reason: because, owner: ops, expires: 2027-03-31}
`)}}
	rules := func(o manifest.Object) []any { return o["spec"].(map[string]any)["rules"].([]any) }
	each := func(kind string, change func(o manifest.Object)) func(*generator.Bundle) {
		return func(b *generator.Bundle) {
			for _, f := range b.Files {
				for _, o := range f.Objects {
					if o.Kind() == kind && f.Folder.Applied() {
						change(o)
					}
				}
			}
		}
	}
	eachRule := func(change func(rule map[string]any)) func(*generator.Bundle) {
		return each("ClusterPolicy", func(o manifest.Object) {
			for _, r := range rules(o) {
				change(r.(map[string]any))
			}
		})
	}
	tests := []struct {
		name   string
		damage func(*generator.Bundle)
		want   string // check and prefix of the case of a failure
	}{
		{"nothing", func(*generator.Bundle) {}, ""},
		{"audited for all", eachRule(func(r map[string]any) { r["validate"].(map[string]any)["failureAction"] = "Audit" }), verdict.CheckBad},
		{"enforced for all", eachRule(func(r map[string]any) { delete(r["validate"].(map[string]any), "failureActionOverrides") }), verdict.CheckBad},
		{"system namespaces included", eachRule(func(r map[string]any) { delete(r, "exclude") }), verdict.CheckSystem},
		{"tier label forgotten", each("Namespace", func(o manifest.Object) { delete(o.Metadata()["labels"].(map[string]any), "gatehouse.dev/tier") }), verdict.CheckBad},
		{"a field that Kyverno does not know", eachRule(func(r map[string]any) { r["validat"] = "x" }), verdict.CheckLoad},
		{"an exception without end", each("PolicyException", func(o manifest.Object) { delete(o["spec"].(map[string]any), "conditions") }), verdict.CheckException + " agent: after the expiry"},
		{"an exception for every name", each("PolicyException", func(o manifest.Object) {
			for _, filter := range o["spec"].(map[string]any)["match"].(map[string]any)["any"].([]any) {
				delete(filter.(map[string]any)["resources"].(map[string]any), "names")
			}
		}), verdict.CheckException + " agent: another name"},
		{"an exception without its autogen rules", each("PolicyException", func(o manifest.Object) {
			for _, e := range o["spec"].(map[string]any)["exceptions"].([]any) {
				e.(map[string]any)["ruleNames"] = []any{"host-namespaces"}
			}
		}), verdict.CheckException + " agent: the object that it names"},
		{"an exception in another namespace", each("PolicyException", func(o manifest.Object) { o.Metadata()["namespace"] = "ops" }), verdict.CheckException + " agent: the object that it names"},
	}
	client := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantFailure(t, client, source, test.damage, test.want) })
	}
}

// wantFailure damages what the compiler makes of a source, and wants a failure
// whose check and case begin so; none at all if want is empty.
func wantFailure(t *testing.T, client *protocol.Client, source fs.FS, damage func(*generator.Bundle), want string) {
	t.Helper()
	bundle, problems := generator.Compile(source, ".", generator.Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	damage(bundle)
	report, err := verdict.Run(t.Context(), client, bundle, nil, verdict.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, r := range report.Results {
		if r.Status == verdict.Failed {
			failed = append(failed, r.Check+" "+r.Case)
		}
	}
	found := slices.ContainsFunc(failed, func(f string) bool { return strings.HasPrefix(f, want) })
	if want == "" && len(failed) > 0 || want != "" && !found {
		t.Errorf("failed: %v, want %q", slices.Compact(failed), want)
	}
}
