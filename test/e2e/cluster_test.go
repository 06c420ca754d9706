//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// long marks a test that CI has no time for: make nightly runs it.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("make nightly runs it")
	}
}

// startCluster starts a control plane that ends with the test.
func startCluster(t *testing.T, options controlplane.Options) *controlplane.ControlPlane {
	t.Helper()
	options.Root, options.Dir, options.Log = repositoryRoot(t), t.TempDir(), t.Output()
	c, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, c)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// keepLogs saves the logs of a failed test in $GATEHOUSE_E2E_LOGS.
func keepLogs(t *testing.T, c *controlplane.ControlPlane) {
	t.Helper()
	target := os.Getenv("GATEHOUSE_E2E_LOGS")
	if target == "" {
		return
	}
	target = filepath.Join(target, t.Name())
	if err := errorsOf(os.RemoveAll(target), os.CopyFS(target, os.DirFS(filepath.Dir(c.Log(controlplane.Etcd))))); err != nil {
		t.Error(err)
	}
	t.Log("logs are in", target)
}

// startBuilt builds a profile of one file, starts a cluster with the Kyverno that it asks
// for, and applies the objects of the environment. Unless it is nil, before is called when
// the namespaces exist and nothing is guarded yet.
func startBuilt(t *testing.T, options controlplane.Options, profile string, before func(*controlplane.ControlPlane)) *controlplane.ControlPlane {
	t.Helper()
	source, output := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "profile.yaml"), []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	gatehouse(t, "build", source, "-o", output)
	c := startCluster(t, options)
	if err := c.InstallKyverno(t.Context(), release(t, output, environment)); err != nil {
		t.Fatal(err)
	}
	waitForPolicyWebhook(t, c.Client())
	files := readObjects(t, output, "environments/"+environment)
	applyKinds := func(namespaces bool) {
		for _, f := range files {
			for _, o := range f.objects {
				if namespaces == (o.Kind() == "Namespace") {
					eventually(t, time.Minute, "applying "+o.ID(), func() error { // as Flux does
						_, err := c.Client().Apply(t.Context(), o, "e2e")
						return err
					})
				}
			}
		}
	}
	applyKinds(true)
	if before != nil {
		before(c)
	}
	applyKinds(false)
	return c
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// gatehouse runs the program, as a user does, and returns what it prints.
func gatehouse(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(repositoryRoot(t), "bin", "gatehouse-e2e")
	build(t, repositoryRoot(t), program, "./cmd/gatehouse")
	return run(t, repositoryRoot(t), program, args...)
}

// building lets one test at a time write the programs that several tests run.
var building sync.Mutex

// build builds a program. A program that is up to date is not written again, so the tests
// that run it are not disturbed.
func build(t *testing.T, module, program, pkg string) {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	run(t, module, "go", "build", "-o", program, pkg)
}

// run runs a command and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String()
}

// file is one generated file with its objects.
type file struct {
	path    string
	objects []manifest.Object
}

// readObjects reads the objects of a folder of the output in the order of the paths. It
// leaves out the indexes of kustomize, which the API server does not know.
func readObjects(t *testing.T, root, folder string) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") || d.Name() == "kustomization.yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		objects, err := manifest.Parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		relative, err := filepath.Rel(root, path)
		files = append(files, file{relative, objects})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("%s holds no objects", folder)
	}
	return files
}

// release returns the HelmRelease of an environment.
func release(t *testing.T, root, environment string) manifest.Object {
	t.Helper()
	for _, f := range readObjects(t, root, "environments/"+environment+"/kyverno") {
		for _, o := range f.objects {
			if o.Kind() == "HelmRelease" {
				return o
			}
		}
	}
	t.Fatalf("%s has no HelmRelease", environment)
	return nil
}

// eventually polls until f returns nil; the test fails with its last error.
func eventually(t *testing.T, timeout time.Duration, what string, f func() error) {
	t.Helper()
	begin := time.Now()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Since(begin) > timeout {
			t.Fatalf("%s: not within %v: %v", what, timeout, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// apply applies an object and fails the test if it is refused.
func apply(t *testing.T, client *kube.Client, o manifest.Object) {
	t.Helper()
	if _, err := client.Apply(t.Context(), o, "e2e"); err != nil {
		t.Fatalf("applying %s: %v", o.ID(), err)
	}
}

// as returns a client that acts as another user, who is in the groups.
func as(t *testing.T, client *kube.Client, user string, groups ...string) *kube.Client {
	t.Helper()
	other, err := client.As(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// newObject returns an object with the given identity and further top-level fields.
func newObject(apiVersion, kind, namespace, name string, fields map[string]any) manifest.Object {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	maps.Copy(o, fields)
	return o
}

// waitForPolicyWebhook waits until Kyverno validates policies. Until then the API server
// accepts any policy.
func waitForPolicyWebhook(t *testing.T, client *kube.Client) {
	t.Helper()
	// A name of more than 63 characters passes the schema and is refused by Kyverno only.
	bad := newObject("kyverno.io/v1", "ClusterPolicy", "", strings.Repeat("x", 64), map[string]any{"spec": map[string]any{"rules": []any{map[string]any{
		"name": "r", "match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"Pod"}}}}},
		"validate": map[string]any{"failureAction": "Audit", "message": "m", "pattern": map[string]any{"metadata": map[string]any{"name": "?*"}}},
	}}}})
	eventually(t, 2*time.Minute, "Kyverno's webhook for policies", func() error {
		_, err := client.DryRun().Apply(t.Context(), bad, "e2e")
		if refusedBy(err, "validate-policy.kyverno.svc") {
			return nil
		}
		if err == nil {
			return errors.New("a bad policy is admitted")
		}
		return err
	})
}

// refusedBy reports whether a webhook answered no; that it could not be called is another error.
func refusedBy(err error, webhook string) bool {
	return err != nil && strings.Contains(err.Error(), fmt.Sprintf("admission webhook %q denied the request", webhook))
}

func names(objects []manifest.Object) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.Name())
	}
	slices.Sort(all)
	return all
}
