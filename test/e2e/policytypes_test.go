//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPolicyTypes goes over from ClusterPolicies to policies in CEL, and from those of the
// API server to those of Kyverno. What is enforced is enforced at every moment, and no
// good Pod and nothing that Flux applies is refused.
func TestPolicyTypes(t *testing.T) {
	long(t)
	t.Parallel()
	inOrder(t, []part{
		{name: "the example is installed", test: testOrder},
		{name: "policies of the API server", test: testPolicyType("ClusterPolicy", "ValidatingAdmissionPolicy")},
		{name: "policies of Kyverno in CEL", test: testPolicyType("ValidatingAdmissionPolicy", "ValidatingPolicy")},
	})
}

// testPolicyType takes the three steps of docs/policy-types.md, and takes the last one
// back and again.
func testPolicyType(from, to string) func(*testing.T, *fleet) {
	return func(t *testing.T, f *fleet) {
		stop := f.neverAdmitted(t)
		profile := filepath.Join(f.source, "profile.yaml")
		if from == "ClusterPolicy" {
			replaceIn(t, profile, "spec:\n", "spec:\n  kyverno: {policyType: "+to+"}\n")
		} else {
			replaceIn(t, profile, "policyType: "+from, "policyType: "+to)
		}
		f.commit(t, "Ask for another kind of policies")
		for _, message := range []string{"Enforce both kinds", "Give up the former kind"} {
			f.accept(t, "dev")
			f.accept(t, environment)
			f.commit(t, message)
		}
		wantKind(t, f, to)
		f.git(t, "revert", "--no-edit", "HEAD")
		f.waitFor(t, "gatehouse-policies", f.push(t))
		f.git(t, "revert", "--no-edit", "HEAD")
		f.waitFor(t, "gatehouse-policies", f.push(t))
		wantKind(t, f, to)
		stop(t)
	}
}

// wantKind fails the test unless policies of a kind refuse a bad Pod of the enforced tier,
// with the names of the controls, and report one of the audited tier by a warning.
func wantKind(t *testing.T, f *fleet, kind string) {
	t.Helper()
	err := judge(t, f.Client(), pod(platformNamespace, "bad", badPodSpec()))
	if err == nil || !strings.Contains(err.Error(), badPodPolicy+": ") || strings.Contains(err.Error(), "autogen") {
		t.Errorf("a bad Pod is not refused by name: %v", err)
	}
	if native := strings.Contains(errorText(err), "ValidatingAdmissionPolicy 'gatehouse-pods.platform'"); native != (kind == "ValidatingAdmissionPolicy") {
		t.Errorf("refused by another kind than %s: %v", kind, err)
	}
	for _, o := range f.list(t, "kyverno.io/v1", "ClusterPolicy") {
		if o.Name() == badPodPolicy {
			t.Errorf("the ClusterPolicy %s is still there", o.Name())
		}
	}
	wantAdmitted(t, judge(t, f.Client(), pod(appsNamespace, "audited", badPodSpec())))
	wantAdmitted(t, judge(t, f.Client(), daemonSet(platformNamespace, "node-agent", hostPath(goodPodSpec()))))
	err = judge(t, f.Client(), daemonSet(platformNamespace, "other-agent", hostPath(goodPodSpec())))
	if err == nil || !strings.Contains(err.Error(), "disallow-host-path: ") {
		t.Errorf("a DaemonSet that is not exempt: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
