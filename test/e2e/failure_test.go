//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
)

// testBrokenCommit pushes a policy that Kyverno refuses: nothing that works
// changes, and the Kustomization says what is wrong.
func testBrokenCommit(t *testing.T, f *fleet) {
	stop := f.neverAdmitted(t)
	path := filepath.Join(f.repository, "environments", environment, "policies", badPodPolicy+".yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(data), "failureAction: Enforce", "failureAction: Enfroce", 1)
	if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	f.git(t, "commit", "-q", "-a", "-m", "Break a policy")
	f.push(t)
	eventually(t, layerTimeout, "the Kustomization to fail", func() error {
		k, err := f.Client().Get(t.Context(), kustomizationAPI, "Kustomization", "flux-system", "gatehouse-policies")
		if err != nil {
			return err
		}
		if status := fmt.Sprint(k["status"]); k.Condition("Ready").String("status") != "False" || !strings.Contains(status, badPodPolicy) {
			return fmt.Errorf("its status is %s", status)
		}
		return nil
	})
	wantRefused(t, judge(t, f.Client(), pod(platformNamespace, "bad", badPodSpec())), badPodPolicy)
	wantAdmitted(t, judge(t, f.Client(), pod(appsNamespace, "good", goodPodSpec())))
	f.git(t, "revert", "--no-edit", "HEAD")
	f.waitFor(t, "gatehouse-policies", f.push(t))
	stop(t)
}

// testKyvernoDown shows what docs/safety.md#kyverno-down says.
func testKyvernoDown(t *testing.T, f *fleet) {
	waitServiceAccounts(t, f.Client(), systemNamespaces()...)
	stop := f.neverAdmitted(t)
	restart := f.stopKyverno(t)
	for _, namespace := range systemNamespaces() {
		t.Run("Pods of "+namespace, func(t *testing.T) { wantAdmitted(t, judge(t, f.Client(), pod(namespace, "recover", badPodSpec()))) })
	}
	for _, namespace := range []string{platformNamespace, appsNamespace, "default"} {
		t.Run("fails closed in "+namespace, func(t *testing.T) {
			err := judge(t, f.Client(), pod(namespace, "good", goodPodSpec()))
			if err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
				t.Errorf("want an error of calling the webhook, got %v", err)
			}
		})
	}
	restart()
	stop(t)
	wantRefused(t, judge(t, f.Client(), pod(platformNamespace, "bad", badPodSpec())), badPodPolicy)
}

// stopKyverno kills Kyverno's controllers, and returns what starts them again and waits until
// Pods are admitted.
func (f *fleet) stopKyverno(t *testing.T) (restart func()) {
	t.Helper()
	components := []string{controlplane.KyvernoAdmission, controlplane.KyvernoBackground, controlplane.KyvernoCleanup, controlplane.KyvernoReports}
	for _, name := range components {
		if err := f.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		for _, name := range components {
			if err := f.Restart(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, time.Minute, "Kyverno to judge again", func() error {
			return judge(t, f.Client(), pod(platformNamespace, "good", goodPodSpec()))
		})
	}
}

// testRestarts lets everything crash while a commit is on its way: it arrives,
// and a bad Pod is admitted at no moment.
func testRestarts(t *testing.T, f *fleet) {
	stop := f.neverAdmitted(t)
	f.git(t, "commit", "-q", "--allow-empty", "-m", "Change nothing, with crashes")
	commit := f.push(t)
	for _, name := range []string{
		controlplane.KustomizeController, controlplane.SourceController, controlplane.KyvernoAdmission, controlplane.APIServer, controlplane.Etcd,
	} {
		if err := f.Crash(name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	eventually(t, layerTimeout, "the API server", func() error { return f.Ready(t.Context(), controlplane.APIServer) })
	for name := range f.layers(t) {
		f.waitFor(t, name, commit)
	}
	stop(t)
	wantRefused(t, judge(t, f.Client(), pod(platformNamespace, "bad", badPodSpec())), badPodPolicy)
}
