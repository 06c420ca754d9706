package kyvernotest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// testsOf builds a small profile with one environment at a stage and returns
// the files below tests/.
func testsOf(t *testing.T, stage string) map[string]manifest.File {
	t.Helper()
	file := func(kind, name, spec string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n")}
	}
	source := fstest.MapFS{
		"profile.yaml": file("Profile", "p", `{
			output: {kyvernoTests: true}, kyverno: {install: none}, tiers: [platform, apps], rollout: {stages: [{name: pilot, audit: [platform]}, {name: all, enforce: [platform], audit: [apps]}]},
			namespaces: [{name: agents, tier: platform, create: false}],
			controls: {disallow-host-path: {}, disallow-host-ports: {}, restrict-wildcard-verbs: {}, require-network-policy: {}}}`),
		"env.yaml": file("Environment", "e", "{ring: 1, allowSkip: true, stage: "+stage+"}"),
		"exception.yaml": file("Exception", "agent", `{controls: [disallow-host-path], match: {namespaces: [agents], kinds: [DaemonSet], names: [agent-*]},
			reason: It reads the logs of its node., owner: team, expires: 2027-03-31}`),
	}
	for field, parts := range map[string]string{"containers": "[web]", "images": "[ghcr.io/acme/*]"} {
		source[field+".yaml"] = file("Exception", field, `{controls: [disallow-host-ports], match: {namespaces: [agents], kinds: [DaemonSet], names: [agent-*]},
			`+field+`: `+parts+`, reason: It serves the node., owner: team, expires: 2027-03-31}`)
	}
	bundle, problems := generator.Compile(source, ".", generator.Options{Version: "test", Now: time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	out := map[string]manifest.File{}
	for _, f := range bundle.Files {
		if strings.HasPrefix(f.Path, "tests/") {
			out[f.Path] = f
			if f.Folder.Applied() {
				t.Errorf("%s is in the layer %s", f.Path, f.Folder)
			}
		}
	}
	return out
}

// expected returns "resource result" for each result of a test, sorted.
func expected(t *testing.T, files map[string]manifest.File, folder string) []string {
	t.Helper()
	f, ok := files[folder+"/kyverno-test.yaml"]
	if !ok {
		t.Fatalf("there is no test in %s", folder)
	}
	var out []string
	for _, r := range f.Objects[0]["results"].([]any) {
		result := r.(map[string]any)
		for _, resource := range result["resources"].([]any) {
			out = append(out, fmt.Sprint(resource, " ", result["result"]))
		}
	}
	slices.Sort(out)
	return out
}

func TestTestsFiles(t *testing.T) {
	want := []string{
		"tests/README.md",
		"tests/e/exceptions/agent/disallow-host-path/kyverno-test.yaml",
		"tests/e/exceptions/agent/disallow-host-path/resources.yaml",
		"tests/e/policies/disallow-host-path/kyverno-test.yaml",
		"tests/e/policies/disallow-host-path/resources.yaml",
		"tests/e/policies/disallow-host-ports/kyverno-test.yaml",
		"tests/e/policies/disallow-host-ports/resources.yaml",
		"tests/e/policies/restrict-wildcard-verbs/kyverno-test.yaml",
		"tests/e/policies/restrict-wildcard-verbs/resources.yaml",
		"tests/e/user.yaml",
	}
	files := testsOf(t, "all")
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text, want := string(files["tests/README.md"].Text), "- No test here for require-network-policy in e.\n"; !strings.HasSuffix(text, "\n\n"+want) {
		t.Errorf("the README does not end with %q:\n%s", want, text)
	}
}

func TestTestsTiers(t *testing.T) {
	const folder = "tests/e/policies/disallow-host-path"
	for stage, result := range map[string]string{"all": "fail", "pilot": "skip"} {
		t.Run(stage, func(t *testing.T) {
			files := testsOf(t, stage)
			got := expected(t, files, folder)
			for _, want := range []string{"gatehouse-test-platform/host-path fail", "gatehouse-test-platform/no-volumes pass", "gatehouse-test-apps/host-path " + result} {
				if !slices.Contains(got, want) {
					t.Errorf("no %q in %v", want, got)
				}
			}
			if n := len(slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "gatehouse-test-apps/") })); n != 1 {
				t.Errorf("%d objects in the second tier for one rule", n)
			}
			cluster := expected(t, files, "tests/e/policies/restrict-wildcard-verbs")
			if want := "everything " + result; !slices.Contains(cluster, want) {
				t.Errorf("no %q for what is in no tier, in %v", want, cluster)
			}
		})
	}
}

func TestTestsException(t *testing.T) {
	files := testsOf(t, "all")
	const folder = "tests/e/exceptions/agent/disallow-host-path"
	want := []string{"agents/agent-x-x7k2p skip", "gatehouse-test-platform/host-path fail"}
	if diff := cmp.Diff(want, expected(t, files, folder)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for path := range files {
		if strings.HasPrefix(path, "tests/e/exceptions/") && !strings.HasPrefix(path, folder+"/") {
			t.Errorf("%s: the cases do not have the containers and images of the exception", path)
		}
	}
	test := files[folder+"/kyverno-test.yaml"].Objects[0]
	if diff := cmp.Diff([]any{"../../../../../environments/e/exceptions/agent.yaml"}, test["exceptions"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	selectors := map[string]any{"namespaceSelector": []any{
		map[string]any{"name": "agents", "labels": map[string]any{"kubernetes.io/metadata.name": "agents"}}, // selected by its name
		map[string]any{"name": "gatehouse-test-platform", "labels": map[string]any{"gatehouse.dev/tier": "platform"}},
	}}
	if diff := cmp.Diff(selectors, test["values"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
