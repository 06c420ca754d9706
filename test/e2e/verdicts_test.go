//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Namespaces of the example, by tier.
const (
	platformNamespace = "monitoring"
	appsNamespace     = "shop"
)

// goodPodSpec passes every control of the example.
func goodPodSpec() map[string]any {
	return map[string]any{
		"automountServiceAccountToken": false,
		"securityContext":              map[string]any{"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
		"containers": []any{map[string]any{
			"name":  "main",
			"image": "registry.k8s.io/pause@sha256:7031c1b283388d2c2e09b57badb803c05ebed362dc88d84b480cc47f72a21097",
			"resources": map[string]any{
				"requests": map[string]any{"cpu": "10m", "memory": "16Mi"}, "limits": map[string]any{"memory": "16Mi", "cpu": "10m"},
			},
			"securityContext": map[string]any{
				"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}},
			},
			"livenessProbe":  map[string]any{"exec": map[string]any{"command": []any{"true"}}},
			"readinessProbe": map[string]any{"exec": map[string]any{"command": []any{"true"}}},
		}},
	}
}

func container(spec map[string]any) map[string]any {
	return spec["containers"].([]any)[0].(map[string]any)
}

// badPodSpec violates one control, and none of the Pod Security Standards, which
// the API server enforces by itself where a namespace's labels say so.
func badPodSpec() map[string]any {
	spec := goodPodSpec()
	container(spec)["securityContext"].(map[string]any)["readOnlyRootFilesystem"] = false
	return spec
}

const badPodPolicy = "require-ro-rootfs"

func pod(namespace, name string, spec map[string]any) manifest.Object {
	o := newObject("v1", "Pod", namespace, name, map[string]any{"spec": spec})
	o.Metadata()["labels"] = map[string]any{"app.kubernetes.io/name": name}
	return o
}

// daemonSet wraps a Pod's spec.
func daemonSet(namespace, name string, spec map[string]any) manifest.Object {
	selected := map[string]any{"app.kubernetes.io/name": name}
	return newObject("apps/v1", "DaemonSet", namespace, name, map[string]any{"spec": map[string]any{
		"selector": map[string]any{"matchLabels": selected},
		"template": map[string]any{"metadata": map[string]any{"labels": selected}, "spec": spec},
	}})
}

// hostPath mounts a folder of the node.
func hostPath(spec map[string]any) map[string]any {
	out := maps.Clone(spec)
	out["volumes"] = []any{map[string]any{"name": "logs", "hostPath": map[string]any{"path": "/var/log"}}}
	return out
}

// judge sends a request to the API server without storing the object. It returns nil or the refusal.
func judge(t *testing.T, client *kube.Client, o manifest.Object) error {
	t.Helper()
	_, err := client.DryRun().Create(t.Context(), o)
	return err
}

// wantRefused fails the test unless a policy refused the request.
func wantRefused(t *testing.T, err error, policy string) {
	t.Helper()
	if err == nil {
		t.Errorf("admitted, want refused by %s", policy)
		return
	}
	named := strings.Contains(err.Error(), policy+":") || strings.Contains(err.Error(), "Policy "+policy+" error:") // in CEL, if it cannot be evaluated
	if !strings.Contains(err.Error(), "denied the request") || !named {
		t.Errorf("refused, but not by %s: %v", policy, err)
	}
}

func wantAdmitted(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

func testTiers(t *testing.T, f *fleet) {
	waitServiceAccounts(t, f.Client(), platformNamespace, appsNamespace, "default")
	for _, namespace := range []string{platformNamespace, appsNamespace} {
		t.Run("good Pod in "+namespace, func(t *testing.T) { wantAdmitted(t, judge(t, f.Client(), pod(namespace, "good", goodPodSpec()))) })
	}
	t.Run("bad Pod of the platform", func(t *testing.T) {
		wantRefused(t, judge(t, f.Client(), pod(platformNamespace, "bad", badPodSpec())), badPodPolicy)
	})
	t.Run("bad DaemonSet of the platform", func(t *testing.T) {
		wantRefused(t, judge(t, f.Client(), daemonSet(platformNamespace, "bad", badPodSpec())), badPodPolicy)
	})
	t.Run("bad Pod of an app is reported", func(t *testing.T) {
		bad := pod(appsNamespace, "bad", badPodSpec())
		if _, err := f.Client().Create(t.Context(), bad); err != nil {
			t.Fatal(err)
		}
		eventually(t, 3*time.Minute, "the PolicyReport", func() error { return reported(t, f.Client(), bad, badPodPolicy) })
	})
}

// waitServiceAccounts waits for the ServiceAccounts that Pods need to be admitted.
func waitServiceAccounts(t *testing.T, client *kube.Client, namespaces ...string) {
	t.Helper()
	for _, namespace := range namespaces {
		eventually(t, time.Minute, "the ServiceAccount default of "+namespace, func() error {
			_, err := client.Get(t.Context(), "v1", "ServiceAccount", namespace, "default")
			return err
		})
	}
}

// reported returns nil if a PolicyReport says that the object fails the policy.
func reported(t *testing.T, client *kube.Client, o manifest.Object, policy string) error {
	t.Helper()
	reports, err := client.List(t.Context(), "wgpolicyk8s.io/v1alpha2", "PolicyReport", o.Namespace(), "")
	if err != nil {
		return err
	}
	for _, r := range reports {
		scope, _ := r["scope"].(map[string]any)
		if scope["kind"] != o.Kind() || scope["name"] != o.Name() {
			continue
		}
		results, _ := r["results"].([]any)
		for _, item := range results {
			if result := item.(map[string]any); result["policy"] == policy && result["result"] == "fail" {
				return nil
			}
		}
	}
	return fmt.Errorf("none of %d reports in %s says that %s %s fails %s", len(reports), o.Namespace(), o.Kind(), o.Name(), policy)
}

// testExceptions: examples/acme/exceptions/node-agent-hostpath.yaml.
func testExceptions(t *testing.T, f *fleet) {
	tests := []struct {
		name     string
		object   manifest.Object
		admitted bool
	}{
		{"its DaemonSet", daemonSet("monitoring", "node-agent", hostPath(goodPodSpec())), true},
		{"a Pod with the name of its Pods", pod("monitoring", "node-agent-x7k2p", hostPath(goodPodSpec())), false},
		{"another DaemonSet", daemonSet("monitoring", "node-spy", hostPath(goodPodSpec())), false},
		{"another Pod", pod("monitoring", "spy", hostPath(goodPodSpec())), false},
		{"the same DaemonSet elsewhere", daemonSet("logging", "node-agent", hostPath(goodPodSpec())), false},
		{"its DaemonSet with another fault", daemonSet("monitoring", "node-agent", hostPath(badPodSpec())), false},
	}
	waitServiceAccounts(t, f.Client(), "monitoring", "logging")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := judge(t, f.Client(), tt.object)
			if tt.admitted {
				wantAdmitted(t, err)
				return
			}
			policy := "disallow-host-path"
			if strings.HasSuffix(tt.name, "another fault") {
				policy = badPodPolicy
			}
			wantRefused(t, err, policy)
		})
	}
	t.Run("the DaemonSet's Pod", func(t *testing.T) {
		node := newObject("v1", "Node", "", "node-1", nil)
		apply(t, f.Client(), node)
		spec := hostPath(goodPodSpec())
		spec["tolerations"] = []any{map[string]any{"operator": "Exists"}} // nothing makes the node ready
		set := daemonSet("monitoring", "node-agent", spec)
		if _, err := f.Client().Create(t.Context(), set); err != nil {
			t.Fatal(err)
		}
		waitForPods(t, f.Client(), "monitoring", "DaemonSet", "node-agent", 1)
		for _, o := range []manifest.Object{set, node} {
			if err := f.Client().Delete(t.Context(), o); err != nil {
				t.Error(err)
			}
		}
	})
}

// tenant returns a client of a user who has cluster-admin and is not a deployer. It stores nothing.
func (f *fleet) tenant(t *testing.T) *kube.Client {
	t.Helper()
	apply(t, f.Client(), newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "e2e-tenant", map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "tenant"}},
	}))
	tenant := as(t, f.Client(), "tenant").DryRun()
	eventually(t, time.Minute, "the rights of the tenant", func() error {
		_, err := tenant.List(t.Context(), "v1", "Namespace", "", "")
		return err
	})
	return tenant
}

// testTenant gives a tenant more than RBAC would: only the policies are in the way.
func testTenant(t *testing.T, f *fleet) {
	tenant := f.tenant(t)
	change := func(o manifest.Object, subresource string, patch any) func() error {
		return func() error {
			_, err := tenant.Patch(t.Context(), o, subresource, patch)
			return err
		}
	}
	namespace := newObject("v1", "Namespace", "", platformNamespace, nil)
	policy := newObject("kyverno.io/v1", "ClusterPolicy", "", badPodPolicy, nil)
	waiver := newObject("kyverno.io/v2", "PolicyException", "policy-exceptions", "node-agent-hostpath", nil)
	exception := newObject("kyverno.io/v2", "PolicyException", "policy-exceptions", "mine", map[string]any{"spec": map[string]any{
		"exceptions": []any{map[string]any{"policyName": badPodPolicy, "ruleNames": []any{"*"}}},
		"match":      map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"Pod"}, "namespaces": []any{platformNamespace}}}}},
	}})
	cleanup := newObject("kyverno.io/v2", "ClusterCleanupPolicy", "", "mine", map[string]any{"spec": map[string]any{
		"schedule": "0 0 1 1 *", "match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"ConfigMap"}, "names": []any{"none"}}}}},
	}})
	flux := as(t, f.Client(), deployer).DryRun()
	ofTenant := newObject("kyverno.io/v2", "PolicyException", "policy-exceptions", "mine", map[string]any{"spec": exception["spec"]})
	ofTenant.Metadata()["labels"] = map[string]any{"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": appsNamespace}
	tests := []struct {
		name, policy string
		do           func() error
	}{
		{"lower the tier", "protect-tier-labels", change(namespace, "", labels(map[string]any{"gatehouse.dev/tier": "apps"}))},
		{"remove the tier", "protect-tier-labels", change(namespace, "", labels(map[string]any{"gatehouse.dev/tier": nil}))},
		{"lower the tier through the status", "protect-tier-labels", change(namespace, "status", labels(map[string]any{"gatehouse.dev/tier": "apps"}))},
		{"write an exception", "restrict-policy-exceptions", func() error { return judge(t, tenant, exception) }},
		{"change an exception", "restrict-policy-exceptions", change(waiver, "", map[string]any{"spec": map[string]any{"conditions": nil}})},
		{"delete a policy", "restrict-policy-exceptions", func() error { return tenant.Delete(t.Context(), policy) }},
		{"change a policy", "restrict-policy-exceptions", change(policy, "", map[string]any{"spec": map[string]any{"background": false}})},
		{"lower Pod Security", "protect-tier-labels", change(namespace, "", labels(map[string]any{"pod-security.kubernetes.io/enforce": nil, "pod-security.kubernetes.io/warn": "privileged"}))},
		{"change the owner", "protect-tier-labels", change(namespace, "", labels(map[string]any{"owner": "tenant"}))},
		{"clean policies up", "restrict-policy-exceptions", func() error { return judge(t, tenant, cleanup) }},
		{"write an exception through Flux", "restrict-policy-exceptions", func() error { return judge(t, flux, ofTenant) }},
		{"take a policy over through Flux", "restrict-policy-exceptions", func() error {
			_, err := flux.Patch(t.Context(), policy, "", labels(map[string]any{"kustomize.toolkit.fluxcd.io/namespace": appsNamespace}))
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefused(t, tt.do(), tt.policy) })
	}
	t.Run("break glass", func(t *testing.T) {
		admin, err := f.Client().DryRun().As("admin-by-hand", "system:masters")
		if err != nil {
			t.Fatal(err)
		}
		wantAdmitted(t, admin.Delete(t.Context(), policy))
		wantAdmitted(t, judge(t, admin, exception))
		_, err = admin.Patch(t.Context(), namespace, "", labels(map[string]any{"gatehouse.dev/tier": "apps"}))
		wantAdmitted(t, err)
	})
	t.Run("other labels are free", func(t *testing.T) {
		wantAdmitted(t, change(namespace, "", labels(map[string]any{"team": "mine"}))())
	})
}

// labels is a patch of an object's labels; nil removes one.
func labels(values map[string]any) any {
	return map[string]any{"metadata": map[string]any{"labels": values}}
}
