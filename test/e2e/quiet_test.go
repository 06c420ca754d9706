//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQuiet brings the example, at off and then at audit, to a cluster in which
// workloads run already: nothing that works there is refused or cut off at any moment.
// Then two teams change different things on two branches, and the merge reaches the
// cluster.
func TestQuiet(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t)
	for _, namespace := range []string{platformNamespace, appsNamespace} {
		apply(t, f.Client(), newObject("v1", "Namespace", "", namespace, nil))
	}
	var all []*probe
	for _, namespace := range []string{platformNamespace, appsNamespace} {
		all = append(all, f.creating("bad Pods of "+namespace, pod(namespace, "works", badPodSpec()), refused, closed))
	}
	works := start(t, 20*time.Millisecond, all...)
	for _, name := range []string{"dev", "staging", "prod"} {
		f.restage(t, name, "off")
	}
	f.build(t, "Begin at off")
	f.follow(t)
	commit := f.push(t)
	f.installKyverno(t)
	f.settle(t, commit)
	f.nothingClosed(t)
	for _, name := range []string{"dev", "staging", "prod"} {
		f.restage(t, name, "audit")
	}
	f.build(t, "Audit")
	f.settle(t, f.push(t))
	f.nothingClosed(t)
	if n := len(f.list(t, "kyverno.io/v1", "ClusterPolicy")); n == 0 {
		t.Error("nothing is audited")
	}
	works.end(t)
	testMerge(t, f)
}

// testMerge raises two environments on one branch, adds a namespace on another, and
// merges them as Git does.
func testMerge(t *testing.T, f *fleet) {
	profile := filepath.Join(f.source, "profile.yaml")
	before, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	f.day++
	f.git(t, "checkout", "-q", "-b", "namespace")
	replaceIn(t, profile, "  namespaces:\n", "  namespaces:\n    - {name: added, labels: {owner: team-new}}\n")
	after, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	f.build(t, "Add a namespace")

	if err := os.WriteFile(profile, before, 0o644); err != nil {
		t.Fatal(err)
	}
	f.git(t, "checkout", "-q", "main")
	f.restage(t, "dev", "enforce-platform")
	f.restage(t, environment, "enforce-platform")
	f.build(t, "Enforce in platform")

	f.git(t, "merge", "-q", "--no-edit", "namespace")
	if err := os.WriteFile(profile, after, 0o644); err != nil {
		t.Fatal(err)
	}
	f.build(t, "Build what was merged")
	f.settle(t, f.push(t))
	f.eventuallyJudged(t, pod(platformNamespace, "works", badPodSpec()), badPodPolicy)
	wantAdmitted(t, judge(t, f.Client(), pod(appsNamespace, "works", badPodSpec())))
	f.get(t, newObject("v1", "Namespace", "", "added", nil))
}

// restage sets the stage of an environment, which has no line that lets it skip a rung.
func (f *fleet) restage(t *testing.T, name, stage string) {
	t.Helper()
	path := filepath.Join(f.source, "environments", name+".yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "  allowSkip:"):
		case strings.HasPrefix(line, "  stage:"):
			lines = append(lines, fmt.Sprintf("  stage: %q\n", stage))
		default:
			lines = append(lines, line)
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settle waits until every layer has applied a commit.
func (f *fleet) settle(t *testing.T, commit string) {
	t.Helper()
	for name := range f.layers(t) {
		f.waitFor(t, name, commit)
	}
}

// nothingClosed fails the test for a network or a Pod Security level that refuses.
func (f *fleet) nothingClosed(t *testing.T) {
	t.Helper()
	if n := len(f.list(t, "networking.k8s.io/v1", "NetworkPolicy")); n > 0 {
		t.Errorf("%d NetworkPolicies close something", n)
	}
	for _, namespace := range f.list(t, "v1", "Namespace") {
		if level := namespace.String("metadata", "labels", "pod-security.kubernetes.io/enforce"); level != "" && level != "privileged" {
			t.Errorf("Pod Security refuses what %s does not allow in %s", level, namespace.Name())
		}
	}
}
