package clitest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/commands/test"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/kyvernotest"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// row is one line of the command's JSON output.
type row struct{ Policy, Rule, Resource, Result, Reason string }

// kyvernoTest runs `kyverno test` as its main function would.
func kyvernoTest(dir string) (rows []row, out string, err error) {
	var text bytes.Buffer
	command := test.Command()
	command.SetArgs([]string{dir, "--require-tests", "-o", "json"})
	command.SetOut(&text)
	command.SetErr(&text)
	err = command.Execute()
	for rest := text.String(); ; {
		_, after, found := strings.Cut(rest, "Checking results ...")
		if !found {
			return rows, text.String(), err
		}
		var some []row
		d := json.NewDecoder(strings.NewReader(after))
		if err := d.Decode(&some); err != nil {
			return nil, text.String(), fmt.Errorf("reading the output: %w", err)
		}
		rows = append(rows, some...)
		rest = after
	}
}

// write puts a repository into a folder.
func write(t *testing.T, bundle *generator.Bundle) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range bundle.Files {
		if !strings.HasPrefix(f.Path, "tests/") && !strings.HasPrefix(f.Path, "environments/") {
			continue
		}
		text, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// compile compiles a source, and adds the tests that spec.output.kyvernoTests asks for.
func compile(t *testing.T, fsys fs.FS) *generator.Bundle {
	t.Helper()
	bundle, problems := generator.Compile(fsys, ".", generator.Options{Version: "test", Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	if !bundle.Plan.KyvernoTests {
		tests, problems := kyvernotest.Emit(bundle.Plan)
		if problems.HasErrors() {
			t.Fatal(problems.Err())
		}
		bundle.Files = append(bundle.Files, tests...)
	}
	return bundle
}

// environments are named like the stages that they are at; in the first one the
// policies are off for the tier apps.
func environments() []string { return []string{"pilot", "audited", "mixed", "enforced"} }

// everything is a profile with all controls and their example parameters, in
// one environment at each stage, and with an exception.
func everything(t *testing.T) (fs.FS, []*catalog.Control) {
	t.Helper()
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	controls := slices.DeleteFunc(set.Controls, func(c *catalog.Control) bool { return c.Instances != "" || !c.Judges() })
	settings := map[string]any{}
	for _, c := range controls {
		settings[c.ID] = map[string]any{"parameters": c.ExampleParameters}
	}
	fsys := fstest.MapFS{}
	document := func(kind, name string, spec map[string]any) {
		fsys[name+".yaml"] = &fstest.MapFile{Data: encode(t, map[string]any{
			"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
		})}
	}
	tiers := func(names ...any) []any { return names }
	document("Profile", "everything", map[string]any{"controls": settings, "rollout": map[string]any{"stages": []any{
		map[string]any{"name": "pilot", "audit": tiers("platform")},
		map[string]any{"name": "audited", "audit": tiers("platform", "apps")},
		map[string]any{"name": "mixed", "enforce": tiers("platform"), "audit": tiers("apps")},
		map[string]any{"name": "enforced", "enforce": tiers("platform", "apps")},
	}}})
	for _, name := range environments() {
		document("Environment", name, map[string]any{"ring": 1, "stage": name, "allowSkip": true})
	}
	document("Exception", "agent", map[string]any{
		"controls": []any{"disallow-host-path", "disallow-host-namespaces"},
		"match":    map[string]any{"namespaces": []any{"agents"}, "kinds": []any{"DaemonSet"}, "names": []any{"agent-*"}},
		"reason":   "The agent reads the logs of its node.", "owner": "team-platform", "expires": "2027-01-31",
	})
	return fsys, controls
}

// TestEveryControl runs the tests of every control, in every tier and stage.
func TestEveryControl(t *testing.T) {
	fsys, controls := everything(t)
	bundle := compile(t, fsys)
	for _, c := range controls {
		recorded := recordsResults(t, filepath.Join("../../templates/controls", c.ID, catalog.ResultsFile))
		for _, env := range environments() {
			if got := has(bundle, "tests/"+env+"/policies/"+c.ID+"/kyverno-test.yaml"); got != recorded {
				t.Errorf("%s: tests in environment %s: %v, results recorded: %v", c.ID, env, got, recorded)
			}
		}
	}
	for _, policy := range []string{"disallow-host-path", "disallow-host-namespaces"} {
		if !has(bundle, "tests/enforced/exceptions/agent/"+policy+"/kyverno-test.yaml") {
			t.Errorf("the exception has no test for %s", policy)
		}
	}
	wantPassing(t, bundle)
}

// TestScopes runs the tests of controls that apply to some namespaces only.
func TestScopes(t *testing.T) {
	fsys, _ := everything(t)
	scopes := map[string]any{}
	for id, namespaces := range map[string]any{
		"disallow-host-path": map[string]any{"exclude": []any{"edge"}}, "disallow-host-namespaces": map[string]any{"include": []any{"agents", "edge"}},
		"disallow-latest-tag": map[string]any{"include": []any{"edge"}}, "disallow-default-namespace": map[string]any{"include": []any{"edge"}},
		"restrict-escalation-verbs": map[string]any{"include": []any{"new"}}, "restrict-wildcard-verbs": map[string]any{"exclude": []any{"new", "edge"}},
	} {
		scopes[id] = map[string]any{"namespaces": namespaces}
	}
	fsys.(fstest.MapFS)["scopes.yaml"] = &fstest.MapFile{Data: encode(t, map[string]any{
		"apiVersion": "gatehouse.dev/v1alpha1", "kind": "Profile", "metadata": map[string]any{"name": "scopes"}, "spec": map[string]any{
			"extends": []any{"everything.yaml"}, "controls": scopes, "namespaces": []any{map[string]any{"name": "edge", "tier": "platform", "create": false}, map[string]any{"name": "agents", "labels": map[string]any{"owner": "team"}}},
		}})}
	wantPassing(t, compile(t, fsys))
}

// TestExample runs the tests of the example.
func TestExample(t *testing.T) {
	wantPassing(t, compile(t, os.DirFS("../../examples/acme")))
}

// wantPassing wants that every expectation is met, and that each refusal is one:
// the command counts an object that no rule matches as passed, whatever was
// expected of it.
func wantPassing(t *testing.T, bundle *generator.Bundle) {
	t.Helper()
	dir := write(t, bundle)
	for _, env := range bundle.Plan.Environments {
		wantEnvironment(t, dir, env.Name, expectations(bundle, env.Name))
	}
}

func wantEnvironment(t *testing.T, dir, env string, want map[expectation]string) {
	t.Helper()
	rows, out, err := kyvernoTest(filepath.Join(dir, "tests", env))
	if err != nil && len(rows) == 0 {
		t.Fatal(err, out)
	}
	for _, r := range rows {
		if r.Result != "Pass" {
			t.Errorf("%+v", r)
		}
		parts := strings.Split(r.Resource, "/")
		namespace, name := parts[len(parts)-2], parts[len(parts)-1]
		resource := strings.TrimPrefix(namespace+"/"+name, "/")
		expected, found := want[expectation{r.Policy, r.Rule, resource}]
		if !found { // the command puts objects of kinds that it does not know into a namespace
			expected = want[expectation{r.Policy, r.Rule, name}]
		}
		if r.Reason == "Excluded" && expected != "pass" && expected != "skip" {
			t.Errorf("no rule matches: %+v", r)
		}
	}
	if len(want) == 0 || len(rows) < len(want) {
		t.Errorf("%d results for %d expectations", len(rows), len(want))
	}
}

type expectation struct{ policy, rule, resource string }

// expectations of the tests of an environment, and their results: pass, fail,
// skip, and waived for what an exception skips.
func expectations(bundle *generator.Bundle, env string) map[expectation]string {
	out := map[expectation]string{}
	for _, f := range bundle.Files {
		if !strings.HasPrefix(f.Path, "tests/"+env+"/") || filepath.Base(f.Path) != "kyverno-test.yaml" {
			continue
		}
		for _, r := range f.Objects[0]["results"].([]any) {
			result := r.(map[string]any)
			for _, resource := range result["resources"].([]any) {
				e := expectation{result["policy"].(string), result["rule"].(string), resource.(string)}
				if out[e] = result["result"].(string); out[e] == "skip" && strings.Contains(f.Path, "/exceptions/") {
					out[e] = "waived"
				}
			}
		}
	}
	return out
}

// TestBrokenExpectation turns expectations and policies around: the command must notice.
func TestBrokenExpectation(t *testing.T) {
	const folder = "tests/mixed/policies/disallow-host-path"
	for name, tc := range map[string]struct {
		file   string
		change func(manifest.Object)
	}{
		"good expected bad": {folder + "/kyverno-test.yaml", func(o manifest.Object) { expectInstead(o, "pass", "fail") }},
		"bad expected good": {folder + "/kyverno-test.yaml", func(o manifest.Object) { expectInstead(o, "fail", "pass") }},
		"policy admits all": {"environments/mixed/policies/disallow-host-path.yaml", func(o manifest.Object) {
			rule := o["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
			validate := rule["validate"].(map[string]any)
			maps.DeleteFunc(validate, func(key string, _ any) bool { return key != "message" && key != "failureAction" })
			validate["pattern"] = map[string]any{"metadata": map[string]any{"name": "*"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fsys, _ := everything(t)
			dir := write(t, compile(t, fsys))
			if _, out, err := kyvernoTest(filepath.Join(dir, folder)); err != nil {
				t.Fatal(err, out)
			}
			path := filepath.Join(dir, tc.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var o manifest.Object
			if err := yaml.Unmarshal(text, &o); err != nil {
				t.Fatal(err)
			}
			tc.change(o)
			if err := os.WriteFile(path, encode(t, o), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, out, err := kyvernoTest(filepath.Join(dir, folder)); err == nil {
				t.Error("kyverno test passes", out)
			}
		})
	}
}

func expectInstead(test manifest.Object, before, after string) {
	for _, r := range test["results"].([]any) {
		if result := r.(map[string]any); result["result"] == before {
			result["result"] = after
		}
	}
}

func has(bundle *generator.Bundle, path string) bool {
	return slices.ContainsFunc(bundle.Files, func(f manifest.File) bool { return f.Path == path })
}

// recordsResults reports whether a file of results has one: those of requests to
// subresources, which the command cannot make, have none.
func recordsResults(t *testing.T, path string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m): (pass|fail|skip)$`).Match(text)
}
