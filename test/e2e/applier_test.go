//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const reconciler = "system:serviceaccount:flux-system:flux-reconciler"

// testApplier switches Flux to impersonation in the two steps that the documentation
// names, and takes the second one back. No layer is refused at any step: each of them
// applies the whole repository, policies that guard themselves included.
func testApplier(t *testing.T, f *fleet) {
	for _, o := range documentedRights(t) {
		apply(t, f.Client(), o)
	}
	saved := f.source
	f.source = filepath.Join(t.TempDir(), "source")
	if err := os.CopyFS(f.source, os.DirFS(saved)); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(f.source, "profile.yaml")

	replaceIn(t, profile, "  flux:\n", "  deployers: ["+reconciler+"]\n  flux:\n")
	f.commitAll(t, "Let the new account in")

	// The layers are applied again, with a change, under the guard that knows the new account.
	replaceIn(t, profile, "  flux:\n", "  flux:\n    serviceAccountName: flux-reconciler\n")
	replaceIn(t, profile, "  controls:\n", "  controls:\n    restrict-nodeport: {enabled: false}\n")
	f.commitAll(t, "Apply as the new account")
	wantApplier(t, f, "flux-reconciler")

	f.git(t, "revert", "--no-edit", "HEAD")
	f.waitForAll(t, f.push(t))
	wantApplier(t, f, "")

	f.source = saved
	f.commitAll(t, "Go back")
}

// documentedRights returns the account and the binding that docs/deployers.md shows.
func documentedRights(t *testing.T) []manifest.Object {
	t.Helper()
	page, err := os.ReadFile("../../docs/deployers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "### The rights of the account\n")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	block, _, _ := strings.Cut(rest, "```")
	objects, err := manifest.Parse([]byte(block))
	if err != nil || len(objects) != 2 {
		t.Fatalf("docs/deployers.md shows %d objects: %v", len(objects), err)
	}
	return objects
}

// commitAll builds, commits, pushes, and waits until every layer is applied.
func (f *fleet) commitAll(t *testing.T, message string) {
	t.Helper()
	f.build(t, message)
	f.waitForAll(t, f.push(t))
}

func (f *fleet) waitForAll(t *testing.T, commit string) {
	t.Helper()
	begin := time.Now()
	f.waitFor(t, "flux-system", commit)
	for name := range f.layers(t) {
		if name == "gatehouse-kyverno" {
			f.upgrade(t, commit)
		}
	}
	for name := range f.layers(t) {
		f.waitFor(t, name, commit)
	}
	t.Logf("all layers are at %.8s after %v", commit, time.Since(begin).Round(time.Second))
}

// upgrade stands in for helm-controller until the layer of Kyverno is ready: the HelmRelease
// names the account that installs it.
func (f *fleet) upgrade(t *testing.T, commit string) {
	t.Helper()
	eventually(t, layerTimeout, "the HelmRelease", func() error {
		release := f.get(t, newObject("helm.toolkit.fluxcd.io/v2", "HelmRelease", "flux-system", "kyverno", nil))
		if release.Metadata()["generation"] != release.Value("status", "observedGeneration") {
			f.markInstalled(t, release)
		}
		layer := f.get(t, newObject(kustomizationAPI, "Kustomization", "flux-system", "gatehouse-kyverno", nil))
		if at, _ := layer.Value("status", "lastAppliedRevision").(string); !strings.HasSuffix(at, commit) {
			return fmt.Errorf("the layer is at %s", at)
		}
		return nil
	})
}

// wantApplier fails the test unless every layer is applied as the account.
func wantApplier(t *testing.T, f *fleet, account string) {
	t.Helper()
	for name := range f.layers(t) {
		layer := f.get(t, newObject(kustomizationAPI, "Kustomization", "flux-system", name, nil))
		if spec, _ := layer["spec"].(map[string]any); manifest.Object(spec).String("serviceAccountName") != account {
			t.Errorf("%s is applied as %q, want %q", name, manifest.Object(spec).String("serviceAccountName"), account)
		}
	}
}
