//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestPolicyTypes goes over from ClusterPolicies to policies in CEL, from those of the
// API server to those of Kyverno, and back. What is enforced is enforced at every moment, and no
// good Pod and nothing that Flux applies is refused.
func TestPolicyTypes(t *testing.T) {
	long(t)
	t.Parallel()
	inOrder(t, []part{
		{name: "the example is installed", test: testOrder},
		{name: "policies of the API server", test: testPolicyType("ValidatingAdmissionPolicy")},
		{name: "they judge while Kyverno is down", test: testNativeAlone, kyvernoStops: true},
		{name: "policies of Kyverno in CEL", test: testPolicyType("ValidatingPolicy")},
		{name: "ClusterPolicies again", test: testPolicyType("ClusterPolicy")},
	})
}

// testPolicyType takes the three steps of gatehouse migrate, and takes the last one back
// and again.
func testPolicyType(to string) func(*testing.T, *fleet) {
	return func(t *testing.T, f *fleet) {
		stop := f.neverAdmitted(t)
		for _, message := range []string{"Ask for another kind of policies", "Enforce both kinds", "Give up the former kind"} {
			f.day++
			for _, one := range []string{"dev", environment} {
				gatehouse(t, "migrate", f.source, "--to", to, "-o", f.repository, "-e", one, "--now", f.today())
				f.git(t, "add", "--all")
				f.git(t, "commit", "-q", "-m", message+" in "+one)
			}
			f.waitFor(t, "gatehouse-policies", f.push(t))
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
	refusal := map[string]string{
		"ClusterPolicy":             badPodPolicy + ":\n",
		"ValidatingPolicy":          "Policy gatehouse-pods.platform failed: ",
		"ValidatingAdmissionPolicy": "ValidatingAdmissionPolicy 'gatehouse-pods.platform' with binding 'gatehouse-pods.platform' denied request: ",
	}[kind]
	err := judge(t, f.Client(), pod(platformNamespace, "bad", badPodSpec()))
	if err == nil || !strings.Contains(err.Error(), refusal) || !strings.Contains(err.Error(), badPodPolicy+":") || strings.Contains(err.Error(), "autogen") {
		t.Errorf("a bad Pod is not refused by a %s, by name: %v", kind, err)
	}
	found := ""
	for _, o := range f.list(t, "kyverno.io/v1", "ClusterPolicy") {
		if o.Name() == badPodPolicy {
			found = o.Kind()
		}
	}
	if (found != "") != (kind == "ClusterPolicy") {
		t.Errorf("with policies of the kind %s, %s is there as %q", kind, badPodPolicy, found)
	}
	wantAdmitted(t, judge(t, f.Client(), pod(appsNamespace, "audited", badPodSpec())))
	wantAdmitted(t, judge(t, f.Client(), daemonSet(platformNamespace, "node-agent", hostPath(goodPodSpec()))))
	err = judge(t, f.Client(), daemonSet(platformNamespace, "other-agent", hostPath(goodPodSpec())))
	if err == nil || !strings.Contains(err.Error(), "disallow-host-path:") {
		t.Errorf("a DaemonSet that is not exempt: %v", err)
	}
	wantDefaultDeny(t, f)
}

// wantDefaultDeny fails the test unless Pods in a namespace that is not the profile's, in the
// enforced tier, are refused as long as it has no default deny.
func wantDefaultDeny(t *testing.T, f *fleet) {
	t.Helper()
	namespace := newObject("v1", "Namespace", "", "not-of-the-profile", nil)
	namespace.Metadata()["labels"] = map[string]any{"gatehouse.dev/tier": "platform", "owner": "team"}
	deny := newObject("networking.k8s.io/v1", "NetworkPolicy", namespace.Name(), "default-deny", map[string]any{
		"spec": map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress"}},
	})
	if _, err := f.Client().Apply(t.Context(), namespace, "test"); err != nil {
		t.Fatal(err)
	}
	waitServiceAccounts(t, f.Client(), namespace.Name())
	good := pod(namespace.Name(), "good", goodPodSpec())
	wantRefused(t, judge(t, f.Client(), good), "require-network-policy")
	if _, err := f.Client().Create(t.Context(), deny); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a Pod to be admitted", func() error { return judge(t, f.Client(), good) })
	if err := f.Client().Delete(t.Context(), deny); err != nil {
		t.Fatal(err)
	}
}

// testNativeAlone shows that policies of the API server go on while Kyverno is down, and
// that the system namespaces can recover.
func testNativeAlone(t *testing.T, f *fleet) {
	service := func(name string, spec map[string]any) manifest.Object {
		spec["ports"] = []any{map[string]any{"port": 80}}
		return newObject("v1", "Service", platformNamespace, name, map[string]any{"spec": spec})
	}
	restart := f.stopKyverno(t)
	for _, namespace := range systemNamespaces() {
		wantAdmitted(t, judge(t, f.Client(), pod(namespace, "recover", badPodSpec())))
	}
	err := judge(t, f.Client(), service("bad", map[string]any{"externalIPs": []any{"192.0.2.1"}}))
	if err == nil || !strings.Contains(err.Error(), "restrict-external-ips: ") {
		t.Errorf("a Service that the policies refuse: %v", err)
	}
	wantAdmitted(t, judge(t, f.Client(), service("good", map[string]any{})))
	_, err = f.tenant(t).Patch(t.Context(), newObject("v1", "Namespace", "", platformNamespace, nil), "", labels(map[string]any{"gatehouse.dev/tier": "apps"}))
	if err == nil || !strings.Contains(err.Error(), "protect-tier-labels: ") {
		t.Errorf("a tenant that lowers its tier: %v", err)
	}
	restart()
}
