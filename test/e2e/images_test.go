//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// imagePolicy judges the images of the registry; imageAudit is its second half, for the tier in which it is audited.
const (
	imagePolicy = "verify-images-local"
	imageAudit  = imagePolicy + "-audit"
)

// imageRegistry is engine/cmd/standin-registry as a process.
type imageRegistry struct {
	Host      string            `json:"host"`
	PublicKey string            `json:"publicKey"`
	Digests   map[string]string `json:"digests"`
	cmd       *exec.Cmd
}

// startRegistry starts a registry that ends with the test at the latest.
func startRegistry(t *testing.T) *imageRegistry {
	t.Helper()
	program := filepath.Join(repositoryRoot(t), "bin", "standin-registry")
	build(t, filepath.Join(repositoryRoot(t), "engine"), program, "./cmd/standin-registry")
	r := &imageRegistry{cmd: exec.Command(program)}
	if _, err := r.cmd.StdinPipe(); err != nil { // it ends when this is closed
		t.Fatal(err)
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = t.Output()
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.kill() })
	if err := json.NewDecoder(stdout).Decode(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// kill ends the registry. It may be called twice.
func (r *imageRegistry) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// byTag and byDigest are references of signed, foreign or unsigned.
func (r *imageRegistry) byTag(name string) string { return r.Host + "/" + name + ":v1" }
func (r *imageRegistry) byDigest(name string) string {
	return r.Host + "/" + name + "@" + r.Digests[name]
}

// imagePod returns a Pod with one image.
func imagePod(namespace, name, image string) manifest.Object {
	spec := goodPodSpec()
	container(spec)["image"] = image
	return pod(namespace, name, spec)
}

// TestImages verifies signatures with Kyverno's admission controller and a
// registry, for an image rule that is enforced for the platform and audited for apps.
func TestImages(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ClusterPolicy", "ValidatingPolicy"} {
		t.Run(kind, func(t *testing.T) { testImages(t, kind) })
	}
}

func testImages(t *testing.T, kind string) {
	r := startRegistry(t)
	client := startImageCluster(t, r, kind)
	t.Run("a signed image of the platform gets its digest", func(t *testing.T) {
		admitted, err := client.DryRun().Create(t.Context(), imagePod(platformNamespace, "signed", r.byTag("signed")))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := container(admitted["spec"].(map[string]any))["image"], r.byTag("signed")+"@"+r.Digests["signed"]; got != want {
			t.Errorf("its image is %s, want %s", got, want)
		}
		wantAdmitted(t, judge(t, client, imagePod(platformNamespace, "signed", r.byDigest("signed"))))
	})
	for _, name := range []string{"unsigned", "foreign"} {
		t.Run(name+" image of the platform", func(t *testing.T) {
			wantRefused(t, judge(t, client, imagePod(platformNamespace, "bad", r.byTag(name))), imagePolicy)
			wantRefused(t, judge(t, client, imagePod(platformNamespace, "bad", r.byDigest(name))), imagePolicy)
			daemon := imagePod(platformNamespace, "bad", r.byTag(name))["spec"].(map[string]any)
			wantRefused(t, judge(t, client, daemonSet(platformNamespace, "bad", daemon)), imagePolicy)
		})
		t.Run(name+" image of an app is reported", func(t *testing.T) {
			bad := imagePod(appsNamespace, name, r.byTag(name))
			admitted, err := client.Create(t.Context(), bad)
			if err != nil {
				t.Fatal(err)
			}
			if got := container(admitted["spec"].(map[string]any))["image"]; got != r.byTag(name) {
				t.Errorf("audited, and its image is now %s", got)
			}
			eventually(t, 3*time.Minute, "the PolicyReport", func() error { return reported(t, client, bad, imageAudit) })
		})
	}
	t.Run("unsigned image of a system namespace", func(t *testing.T) {
		wantAdmitted(t, judge(t, client, imagePod("kube-system", "unsigned", r.byTag("unsigned"))))
	})
	t.Run("registry down", func(t *testing.T) {
		r.kill()
		for _, image := range []string{r.byTag("signed"), r.byDigest("signed"), r.byTag("unsigned")} {
			wantRefused(t, judge(t, client, imagePod(platformNamespace, "down", image)), imagePolicy)
			wantAdmitted(t, judge(t, client, imagePod(appsNamespace, "down", image)))
			wantAdmitted(t, judge(t, client, imagePod("kube-system", "down", image)))
		}
	})
}

// startImageCluster applies a profile that trusts the registry's key for all of
// its images, and waits until it is enforced.
func startImageCluster(t *testing.T, r *imageRegistry, kind string) *kube.Client {
	t.Helper()
	key, err := json.Marshal(r.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	profile := fmt.Sprintf(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: images}
spec:
  kyverno: {policyType: %s}
  controls: {verify-images: {}}
  namespaces: [{name: %s, tier: platform}, {name: %s, tier: apps}]
  trust:
    attestors: [{name: key, keys: {publicKeys: %s}}]
    images: [{name: local, references: ["%s/*"], attestors: [key]}]
---
kind: Environment
metadata: {name: %s}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
`, kind, platformNamespace, appsNamespace, key, r.Host, environment)
	client := startBuilt(t, controlplane.Options{WithoutFlux: true}, profile, nil).Client()
	waitServiceAccounts(t, client, platformNamespace, appsNamespace, "kube-system")
	eventually(t, 2*time.Minute, "the image policies", func() error {
		err := judge(t, client, imagePod(platformNamespace, "early", r.byTag("unsigned")))
		if err == nil || !strings.Contains(err.Error(), imagePolicy+":") {
			return errors.Join(errors.New("an unsigned image is not refused"), err)
		}
		return nil
	})
	return client
}
