//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestBootstrap installs the example in an empty cluster with gatehouse bootstrap, Flux
// included, and removes it with gatehouse uninstall. Each part depends on the ones before.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	f := newFleetOn(t, controlplane.Options{FluxLater: true})
	f.installFluxBy(t, "cli")
	f.build(t, "Build")
	f.git(t, "push", "-q", "origin", "HEAD:main")
	parts := []struct {
		name string
		test func(*testing.T, *fleet)
	}{
		{"without Flux it says how to get one", testBootstrapWithoutFlux},
		{"a dry run stores nothing", testBootstrapDryRun},
		{"it becomes ready", testBootstrapReady},
		{"a second run changes nothing", testBootstrapAgain},
		{"objects of another manager are not taken over", testBootstrapConflict},
		{"an existing Kyverno is checked", testBootstrapKyverno},
		{"uninstall leaves nothing that blocks", testUninstall},
	}
	for _, part := range parts {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, f) }) {
			return
		}
	}
}

// installFluxBy sets spec.flux.install in the profile.
func (f *fleet) installFluxBy(t *testing.T, how string) {
	t.Helper()
	name := filepath.Join(f.source, "profile.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(data), "\n  flux:\n", "\n  flux:\n    install: "+how+"\n", 1)
	if edited == string(data) {
		t.Fatal("the profile of the example has no flux:")
	}
	if err := os.WriteFile(name, []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fluxFile returns a file with the output of `flux install --export`, and its number of objects.
func (f *fleet) fluxFile(t *testing.T) (name string, objects int) {
	t.Helper()
	export, err := f.FluxExport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := manifest.Parse(export)
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), "flux.yaml")
	if err := os.WriteFile(name, export, 0o644); err != nil {
		t.Fatal(err)
	}
	return name, len(all)
}

// inCluster is a gatehouse command about the cluster; it runs in the background.
type inCluster struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan error
}

func (f *fleet) begin(t *testing.T, command string, args ...string) *inCluster {
	t.Helper()
	return f.beginWith(t, append([]string{command, f.repository, "--cluster", cluster}, args...)...)
}

func (f *fleet) beginWith(t *testing.T, args ...string) *inCluster {
	t.Helper()
	args = append(args, "--kubeconfig", f.Kubeconfig())
	c := &inCluster{cmd: exec.CommandContext(t.Context(), filepath.Join(repositoryRoot(t), "bin", "gatehouse-e2e"), args...), ended: make(chan error, 1)}
	c.cmd.Stderr = &c.stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c
}

// end waits for the command and returns its output.
func (c *inCluster) end(t *testing.T) string {
	t.Helper()
	err := <-c.ended
	t.Log(c.stderr.String())
	if err != nil {
		t.Fatalf("gatehouse %s: %v", c.cmd.Args[1], err)
	}
	return c.stderr.String()
}

func (f *fleet) root() manifest.Object {
	return newObject(kustomizationAPI, "Kustomization", "flux-system", "gatehouse", nil)
}

// refused waits for the command, which must end with an error, and returns its output.
func (c *inCluster) refused(t *testing.T) string {
	t.Helper()
	if err := <-c.ended; err == nil {
		t.Errorf("gatehouse %s did not fail: %s", c.cmd.Args[1], c.stderr.String())
	}
	return c.stderr.String()
}

func testBootstrapWithoutFlux(t *testing.T, f *fleet) {
	said := f.begin(t, "bootstrap", "--source-url", f.GitURL()).refused(t)
	if !strings.Contains(said, "does not serve kustomize.toolkit.fluxcd.io/v1 Kustomization, ") || !strings.Contains(said, "`flux install --export --version=") {
		t.Errorf("it says: %s", said)
	}
}

func testBootstrapDryRun(t *testing.T, f *fleet) {
	file, objects := f.fluxFile(t)
	said := f.begin(t, "bootstrap", "--source-url", f.GitURL(), "--flux-install", file, "--dry-run").end(t)
	if !strings.Contains(said, fmt.Sprintf("%d created, 0 configured, 0 unchanged (dry run", objects+2)) {
		t.Error("it does not say what it would do")
	}
	for kind, apiVersion := range map[string]string{"CustomResourceDefinition": "apiextensions.k8s.io/v1", "Namespace": "v1"} {
		for _, name := range names(f.list(t, apiVersion, kind)) {
			if strings.Contains(name, "flux") {
				t.Errorf("it created %s %s", kind, name)
			}
		}
	}
}

func testBootstrapReady(t *testing.T, f *fleet) {
	file, objects := f.fluxFile(t)
	c := f.begin(t, "bootstrap", "--source-url", f.GitURL(), "--flux-install", file, "--timeout", "15m")
	f.runFlux(t)
	f.installKyverno(t)
	said := c.end(t)
	for _, want := range []string{"ok       Kubernetes v1.", fmt.Sprintf("%d created, 0 configured, 0 unchanged\n", objects+2)} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	for name := range f.layers(t) {
		if !strings.Contains(said, "ready    Kustomization flux-system/"+name+"\n") {
			t.Errorf("%s was not said to be ready", name)
		}
	}
	commit := strings.TrimSpace(f.git(t, "rev-parse", "HEAD"))
	for name := range f.layers(t) {
		f.waitFor(t, name, commit) // which it must be by now
	}
	testPoliciesReady(t, f)
}

// runFlux stands in for the kubelet of Flux's Deployments.
func (f *fleet) runFlux(t *testing.T) {
	t.Helper()
	eventually(t, layerTimeout, "Flux's Deployments", func() error {
		for _, name := range []string{controlplane.SourceController, controlplane.KustomizeController} {
			for kind, apiVersion := range map[string]string{"Deployment": "apps/v1", "ServiceAccount": "v1"} {
				if _, err := f.Client().Get(t.Context(), apiVersion, kind, "flux-system", name); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := f.RunFlux(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testBootstrapAgain(t *testing.T, f *fleet) {
	before := f.get(t, f.root())
	file, objects := f.fluxFile(t)
	said := f.begin(t, "bootstrap", "--source-url", f.GitURL(), "--flux-install", file).end(t)
	if !strings.Contains(said, fmt.Sprintf("0 created, 0 configured, %d unchanged\n", objects+2)) {
		t.Error("the second run says that it changed something")
	}
	if was, is := before.Metadata()["generation"], f.get(t, f.root()).Metadata()["generation"]; was != is {
		t.Errorf("the root is of generation %v, not %v", is, was)
	}
}

func testBootstrapConflict(t *testing.T, f *fleet) {
	source := newObject(sourceAPI, "GitRepository", "flux-system", "flux-system", nil)
	url := func(url string) any { return map[string]any{"spec": map[string]any{"url": url}} }
	if _, err := f.Client().Patch(t.Context(), source, "", url(f.GitURL()+"/")); err != nil {
		t.Fatal(err)
	}
	c := f.begin(t, "bootstrap", "--source-url", f.GitURL(), "--no-wait")
	if said := c.refused(t); !strings.Contains(said, ".spec.url (conflict with ") {
		t.Errorf("it says: %s", said)
	}
	if got := f.get(t, source)["spec"].(map[string]any)["url"]; got != f.GitURL()+"/" {
		t.Errorf("the URL was taken back to %v", got)
	}
	if _, err := f.Client().Patch(t.Context(), source, "", url(f.GitURL())); err != nil {
		t.Fatal(err)
	}
}

// testBootstrapKyverno treats the Kyverno of the example as an existing one. It has the
// values that a repository without Kyverno requires.
func testBootstrapKyverno(t *testing.T, f *fleet) {
	repository := filepath.Join(repositoryRoot(t), "examples", "existing-kyverno", "policy-repo")
	args := []string{"bootstrap", repository, "--source-url", "oci://example.com/policies", "--dry-run"}
	said := f.beginWith(t, args...).refused(t) // the cluster follows the other example
	for _, want := range []string{"error    the cluster follows ./clusters/" + cluster, "ok       Kyverno v1.19.", "ok       Kyverno: exceptions count in policy-exceptions only\n", "ok       Kyverno: its webhooks leave out the system namespaces\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	config := newObject("v1", "ConfigMap", "kyverno", "kyverno", nil)
	webhooks := f.get(t, config)["data"].(map[string]any)["webhooks"].(string)
	set := func(value string) {
		if _, err := f.Client().Patch(t.Context(), config, "", map[string]any{"data": map[string]any{"webhooks": value}}); err != nil {
			t.Fatal(err)
		}
	}
	set(strings.ReplaceAll(webhooks, `"flux-system"`, `"elsewhere"`))
	defer set(webhooks)
	if said := f.beginWith(t, args...).refused(t); !strings.Contains(said, "its webhooks are called for flux-system: ") {
		t.Errorf("it says: %s", said)
	}
}

func testUninstall(t *testing.T, f *fleet) {
	namespaces := names(f.list(t, "v1", "Namespace"))
	c := f.begin(t, "uninstall", "--yes", "--timeout", "10m")
	f.removeKyverno(t)
	c.end(t)
	for _, kind := range []struct{ apiVersion, kind string }{
		{kustomizationAPI, "Kustomization"}, {sourceAPI, "GitRepository"}, {"helm.toolkit.fluxcd.io/v2", "HelmRelease"},
		{"kyverno.io/v1", "ClusterPolicy"}, {"kyverno.io/v2", "PolicyException"}, {"networking.k8s.io/v1", "NetworkPolicy"},
	} {
		if left := f.list(t, kind.apiVersion, kind.kind); len(left) > 0 {
			t.Errorf("left of %s: %v", kind.kind, names(left))
		}
	}
	for _, kind := range []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"} {
		for _, name := range names(f.list(t, "admissionregistration.k8s.io/v1", kind)) {
			if strings.Contains(name, "kyverno") {
				t.Errorf("left behind: %s %s", kind, name)
			}
		}
	}
	if after := names(f.list(t, "v1", "Namespace")); fmt.Sprint(after) != fmt.Sprint(namespaces) {
		t.Errorf("namespaces: %v, before: %v", after, namespaces)
	}
	workload := newObject("v1", "ConfigMap", "shop", "workload", nil)
	f.get(t, workload) // is still there
	waitServiceAccounts(t, f.Client(), appsNamespace)
	wantAdmitted(t, judge(t, f.Client(), pod(appsNamespace, "bad", badPodSpec())))
}

// removeKyverno stands in for helm-controller and the kubelet: once the HelmRelease is
// gone, it removes Kyverno's Deployments and processes.
func (f *fleet) removeKyverno(t *testing.T) {
	t.Helper()
	eventually(t, layerTimeout, "the HelmRelease to go", func() error {
		_, err := f.Client().Get(t.Context(), "helm.toolkit.fluxcd.io/v2", "HelmRelease", "flux-system", "kyverno")
		if err == nil {
			return fmt.Errorf("it is there")
		}
		return nil
	})
	if left := f.list(t, "kyverno.io/v1", "ClusterPolicy"); len(left) > 0 {
		t.Errorf("Kyverno went before the policies %v", names(left))
	}
	for _, name := range []string{controlplane.KyvernoAdmission, controlplane.KyvernoBackground, controlplane.KyvernoCleanup, controlplane.KyvernoReports} {
		if err := f.Kill(name); err != nil {
			t.Fatal(err)
		}
		if err := f.Client().Delete(t.Context(), newObject("apps/v1", "Deployment", "kyverno", name, nil)); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fleet) list(t *testing.T, apiVersion, kind string) []manifest.Object {
	t.Helper()
	all, err := f.Client().List(t.Context(), apiVersion, kind, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (f *fleet) get(t *testing.T, o manifest.Object) manifest.Object {
	t.Helper()
	live, err := f.Client().Get(t.Context(), o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
	if err != nil {
		t.Fatal(err)
	}
	return live
}
