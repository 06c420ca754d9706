//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	fluxAccountPolicy = "require-flux-service-account"
	authorPolicy      = "restrict-policy-exceptions"
	tierPolicy        = "protect-tier-labels"
)

// TestTenants lets tenants use Flux to write what only the repository may write, and lets
// the break-glass group write it, while Kyverno enforces.
func TestTenants(t *testing.T) {
	t.Parallel()
	tenant := newTenant(t)
	c := startBuilt(t, controlplane.Options{}, fmt.Sprintf(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: tenants}
spec:
  controls: {%s: {}, %s: {}, %s: {}}
  namespaces: [{name: %s, labels: {owner: team-shop}}]
---
kind: Environment
metadata: {name: %s}
spec: {ring: 1, stage: enforce, allowSkip: true}
`, fluxAccountPolicy, authorPolicy, tierPolicy, appsNamespace, environment), func(c *controlplane.ControlPlane) {
		tenant.push(t, c.GitURL(), newObject("v1", "ConfigMap", appsNamespace, "mine", nil))
		apply(t, c.Client(), newObject(sourceAPI, "GitRepository", appsNamespace, "mine", map[string]any{"spec": map[string]any{
			"interval": "10m", "url": c.GitURL(), "ref": map[string]any{"branch": "main"},
		}}))
		// It is older than the control that asks for an account.
		apply(t, c.Client(), tenantKustomization("old", nil))
		clusterAdmin(t, c.Client(), "User", "dev")
		apply(t, c.Client(), newObject("v1", "ServiceAccount", appsNamespace, "team", nil))
		clusterAdmin(t, c.Client(), "ServiceAccount", "team")
		waitForStatus(t, c.Client(), "old", "Applied revision")
	})
	dev := as(t, c.Client(), "dev", "system:authenticated")
	eventually(t, 2*time.Minute, "the policies", func() error {
		if err := judge(t, dev, tenantKustomization("early", nil)); !refusedOnlyBy(err, fluxAccountPolicy) {
			return errors.Join(errors.New("an object without an account is not refused"), err)
		}
		return nil
	})
	t.Run("ways to write as a deployer", func(t *testing.T) { testWays(t, dev) })
	t.Run("break glass", func(t *testing.T) { testBreakGlass(t, c.Client(), dev) })

	waiver := newObject("kyverno.io/v2", "PolicyException", "policy-exceptions", "free", map[string]any{"spec": map[string]any{
		"exceptions": []any{map[string]any{"policyName": fluxAccountPolicy, "ruleNames": []any{"*"}}},
		"match":      map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"Kustomization"}, "namespaces": []any{appsNamespace}}}}},
	}})
	namespace := newObject("v1", "Namespace", "", appsNamespace, nil)
	namespace.Metadata()["labels"] = map[string]any{"gatehouse.dev/tier": "none", "owner": "team-shop"}
	if _, err := dev.Create(t.Context(), tenantKustomization("own", map[string]any{"serviceAccountName": "team"})); err != nil {
		t.Fatalf("a Kustomization with an account: %v", err)
	}
	waitForStatus(t, c.Client(), "own", "Applied revision")
	for policy, o := range map[string]manifest.Object{authorPolicy: waiver, tierPolicy: namespace} {
		t.Run("through Flux: "+policy, func(t *testing.T) {
			commit := tenant.push(t, c.GitURL(), o)
			source := newObject(sourceAPI, "GitRepository", appsNamespace, "mine", nil)
			if _, err := c.Client().Patch(t.Context(), source, "", requestReconcile()); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"own", "old"} {
				waitForStatus(t, c.Client(), name, policy, commit)
			}
		})
	}
}

// tenant is the work tree of a tenant's repository.
type tenant struct{ dir string }

func newTenant(t *testing.T) tenant {
	t.Helper()
	w := tenant{dir: t.TempDir()}
	run(t, w.dir, "git", "init", "-q", "--initial-branch=main")
	run(t, w.dir, "git", "config", "user.name", "dev")
	run(t, w.dir, "git", "config", "user.email", "dev@example.com")
	return w
}

// push makes the object all that the repository holds, and returns the commit.
func (w tenant) push(t *testing.T, url string, o manifest.Object) string {
	t.Helper()
	data, err := manifest.File{Objects: []manifest.Object{o}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "all.yaml"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, w.dir, "git", "add", "--all")
	run(t, w.dir, "git", "commit", "-q", "-m", "Change "+o.ID())
	run(t, w.dir, "git", "push", "-q", url, "HEAD:main")
	return strings.TrimSpace(run(t, w.dir, "git", "rev-parse", "HEAD"))
}

// tenantKustomization applies the repository of the tenant.
func tenantKustomization(name string, more map[string]any) manifest.Object {
	spec := map[string]any{"interval": "10m", "retryInterval": "5s", "prune": false, "path": "./", "sourceRef": map[string]any{"kind": "GitRepository", "name": "mine"}}
	maps.Copy(spec, more)
	return newObject(kustomizationAPI, "Kustomization", appsNamespace, name, map[string]any{"spec": spec})
}

func helmRelease(name string, more map[string]any) manifest.Object {
	spec := map[string]any{"interval": "10m", "chart": map[string]any{"spec": map[string]any{"chart": "./", "sourceRef": map[string]any{"kind": "GitRepository", "name": "mine"}}}}
	maps.Copy(spec, more)
	return newObject("helm.toolkit.fluxcd.io/v2", "HelmRelease", appsNamespace, name, map[string]any{"spec": spec})
}

func clusterAdmin(t *testing.T, client *kube.Client, kind, name string) {
	t.Helper()
	subject := map[string]any{"kind": kind, "name": name}
	if kind == "ServiceAccount" {
		subject["namespace"] = appsNamespace
	} else {
		subject["apiGroup"] = "rbac.authorization.k8s.io"
	}
	apply(t, client, newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "e2e-"+name, map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{subject},
	}))
}

// waitForStatus waits until the condition Ready of a tenant's Kustomization says all of the texts.
func waitForStatus(t *testing.T, client *kube.Client, name string, texts ...string) {
	t.Helper()
	eventually(t, 2*time.Minute, "the status of the Kustomization "+name, func() error {
		k, err := client.Get(t.Context(), kustomizationAPI, "Kustomization", appsNamespace, name)
		if err != nil {
			return err
		}
		status, _ := k["status"].(map[string]any)
		said := fmt.Sprint(k.Condition("Ready").String("message"), " ", status["lastAttemptedRevision"])
		for _, text := range texts {
			if !strings.Contains(said, text) {
				return fmt.Errorf("it says %q, not %q", said, text)
			}
		}
		return nil
	})
}

// testWays tries each way by which an object of Flux is applied with more than the
// rights of the tenant.
func testWays(t *testing.T, dev *kube.Client) {
	account := map[string]any{"serviceAccountName": "team"}
	with := func(key string, value any) map[string]any {
		out := maps.Clone(account)
		out[key] = value
		return out
	}
	config := map[string]any{"secretRef": map[string]any{"name": "elsewhere"}}
	for name, o := range map[string]manifest.Object{
		"kustomization-without-account": tenantKustomization("x", nil),
		"kustomization-elsewhere":       tenantKustomization("x", with("targetNamespace", "kube-system")),
		"kustomization-other-cluster":   tenantKustomization("x", with("kubeConfig", config)),
		"helmrelease-without-account":   helmRelease("x", nil),
		"helmrelease-elsewhere":         helmRelease("x", with("targetNamespace", "kube-system")),
		"helmrelease-storage-elsewhere": helmRelease("x", with("storageNamespace", "kube-system")),
		"helmrelease-other-cluster":     helmRelease("x", with("kubeConfig", config)),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, judge(t, dev, o), fluxAccountPolicy) })
	}
	wantAdmitted(t, judge(t, dev, tenantKustomization("x", account)))
	wantAdmitted(t, judge(t, dev, helmRelease("x", account)))
}

// testBreakGlass: the API server's own administrators may change and delete everything of
// gatehouse, and other administrators may not.
func testBreakGlass(t *testing.T, admin, dev *kube.Client) {
	policy := newObject("kyverno.io/v1", "ClusterPolicy", "", authorPolicy, nil)
	namespace := newObject("v1", "Namespace", "", appsNamespace, nil)
	for name, tt := range map[string]struct {
		policy string
		do     func(*kube.Client) error
	}{
		"delete a policy": {authorPolicy, func(c *kube.Client) error { return c.Delete(t.Context(), policy) }},
		"change a policy": {authorPolicy, func(c *kube.Client) error {
			_, err := c.Patch(t.Context(), policy, "", map[string]any{"spec": map[string]any{"emitWarning": true}})
			return err
		}},
		"change a tier": {tierPolicy, func(c *kube.Client) error {
			_, err := c.Patch(t.Context(), namespace, "", labels(map[string]any{"gatehouse.dev/tier": "none"}))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, tt.do(dev.DryRun()), tt.policy)
			wantAdmitted(t, tt.do(admin.DryRun()))
		})
	}
}
