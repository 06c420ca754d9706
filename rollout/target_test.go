package rollout

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func TestOpen(t *testing.T) {
	acme := exampleTarget(t, "acme", "prod-eu")
	if acme.Environment != "prod" || acme.Namespace != "flux-system" || acme.SourceKind != "GitRepository" || acme.SourceName != "flux-system" {
		t.Errorf("%+v", acme)
	}
	if len(acme.Releases) != 1 || len(acme.Kustomizations) != 7 {
		t.Errorf("%d releases, %d Kustomizations", len(acme.Releases), len(acme.Kustomizations))
	}
	existing := exampleTarget(t, "existing-kyverno", "prod")
	want := Kyverno{Version: "1.19", SystemNamespaces: []string{"flux-system", "kube-node-lease", "kube-public", "kube-system", "kyverno"}, ExceptionNamespace: "policy-exceptions"}
	if diff := cmp.Diff(want, existing.Kyverno); diff != "" {
		t.Error(diff)
	}
	want.Release = identity(helmAPI, "HelmRelease", "flux-system", "kyverno")
	if diff := cmp.Diff(want, acme.Kyverno); diff != "" {
		t.Error(diff)
	}
	if got := existing.root().String("spec", "path"); got != "./policies/clusters/prod/gatehouse" {
		t.Errorf("the path is %s", got)
	}
}

// changed is an example's output with another lock. The README says nothing any more.
func changed(t *testing.T, example string, change func(*manifest.Lock)) fs.FS {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples/"+example+"/policy-repo")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, layout.Lock))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := manifest.DecodeLock(data)
	if err != nil {
		t.Fatal(err)
	}
	change(lock)
	if data, err = lock.Encode(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{layout.Lock: data, "README.md": []byte("# Policies\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return os.DirFS(dir)
}

// withSecondRelease adds another chart to the layer trust of each environment.
func withSecondRelease(l *manifest.Lock) {
	for env := range l.Environments {
		layer := "environments/" + env + "/trust"
		l.Files = append(l.Files, manifest.LockedFile{Path: layer + "/external-secrets.yaml", Layer: layer,
			Objects: []string{"helm.toolkit.fluxcd.io/HelmRelease/flux-system/external-secrets"}})
	}
}

func TestOpenRewordedReadme(t *testing.T) {
	target, err := Open(changed(t, "existing-kyverno", func(*manifest.Lock) {}), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exampleTarget(t, "existing-kyverno", "prod").Kyverno, target.Kyverno); diff != "" {
		t.Error(diff)
	}
}

// Environments may differ in how Flux and Kyverno come into their clusters.
func TestOpenPerEnvironment(t *testing.T) {
	repository := changed(t, "acme", func(l *manifest.Lock) {
		dev := l.Environments["dev"]
		dev.FluxInstall, dev.Kyverno = FluxByCLI, &manifest.LockedKyverno{SystemNamespaces: []string{"kube-system"}, ExceptionNamespace: "waivers"}
		l.Environments["dev"] = dev
	})
	dev, err := Open(repository, "dev-eu")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Kyverno{Version: "1.19", SystemNamespaces: []string{"kube-system"}, ExceptionNamespace: "waivers"}, dev.Kyverno); diff != "" || dev.FluxInstall != FluxByCLI {
		t.Errorf("dev: install %q %s", dev.FluxInstall, diff)
	}
	prod, err := Open(repository, "prod-eu")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exampleTarget(t, "acme", "prod-eu").Kyverno, prod.Kyverno); diff != "" || prod.FluxInstall != "" {
		t.Errorf("prod: install %q %s", prod.FluxInstall, diff)
	}
}

// A release is Kyverno only where the lock says so.
func TestOpenSecondRelease(t *testing.T) {
	for example, cluster := range map[string]string{"acme": "prod-eu", "existing-kyverno": "prod"} {
		before := exampleTarget(t, example, cluster)
		target, err := Open(changed(t, example, withSecondRelease), cluster)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before.Kyverno, target.Kyverno); diff != "" {
			t.Errorf("%s: %s", example, diff)
		}
		second := identity(helmAPI, "HelmRelease", "flux-system", "external-secrets")
		if diff := cmp.Diff(append(before.Releases, second), target.Releases); diff != "" {
			t.Errorf("%s: %s", example, diff)
		}
	}
}

func TestOpenKyvernoUnknown(t *testing.T) {
	cases := []struct {
		name   string
		change func(*manifest.Lock)
		wrong  string
	}{
		{"by an older gatehouse", func(l *manifest.Lock) {
			l.Environments["prod"] = manifest.LockedEnvironment{Stages: []string{"audit"}}
		}, "an older gatehouse wrote it; build again"},
		{"a release that is not there", func(l *manifest.Lock) { l.Environments["prod"].Kyverno.Release.Name = "other" },
			"no layer of environment prod holds the release of Kyverno, HelmRelease flux-system/other; build again"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Open(changed(t, "acme", c.change), "prod-eu"); err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("got %v, want %q", err, c.wrong)
			}
		})
	}
}

// After a merge, the files may be any mixture of two outputs until a build completes it.
func TestOpenMerged(t *testing.T) {
	for name, merge := range map[string]func(lock string) string{
		"by union":        func(lock string) string { return lock + "{\"environment\":\"prod\",\"stage\":\"enforce\"}\n" },
		"with a conflict": func(lock string) string { return lock + "<<<<<<< HEAD\n=======\n>>>>>>> theirs\n" },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../examples/acme/policy-repo")); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "gatehouse.lock")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(merge(string(data))), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err = Open(os.DirFS(dir), "prod-eu")
			if err == nil || !strings.Contains(err.Error(), "branches were merged") || !strings.Contains(err.Error(), "run gatehouse build") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenEdited(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples/acme/policy-repo")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "clusters/prod-eu/gatehouse/gatehouse-policies.yaml")
	if err := os.WriteFile(name, []byte("a: b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(os.DirFS(dir), "prod-eu")
	if err == nil || !strings.Contains(err.Error(), "gatehouse-policies.yaml is not what gatehouse wrote") {
		t.Errorf("got %v", err)
	}
}

func TestOpenUnknownInstall(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples/quickstart/policy-repo")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, layout.Lock)
	lock, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(lock, `{"environment":"dev","fluxInstall":"helm"}`...), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Open(os.DirFS(dir), "dev")
	if err == nil || !strings.Contains(err.Error(), `fluxInstall "helm" is not known`) {
		t.Errorf("got %v", err)
	}
}

func TestAccess(t *testing.T) {
	key, hosts, token, ca := []byte("key"), []byte("hosts"), []byte("token\n"), []byte("ca")
	cases := []struct {
		name   string
		kind   string
		access Access
		want   map[string]map[string]string // data of the Secrets
		wrong  string
	}{
		{"public", "GitRepository", Access{URL: "https://host/repo"}, nil, ""},
		{"there already", "Bucket", Access{}, nil, ""},
		{"deploy key", "GitRepository", Access{URL: "ssh://git@host/repo", SSHKey: key, KnownHosts: hosts},
			map[string]map[string]string{"policies": {"identity": "key", "known_hosts": "hosts"}}, ""},
		{"token and certificate", "GitRepository", Access{URL: "https://host/repo", Username: "git", Token: token, CA: ca},
			map[string]map[string]string{"policies": {"username": "git", "password": "token", "ca.crt": "ca"}}, ""},
		{"registry", "OCIRepository", Access{URL: "oci://host:5000/repo", Username: "u", Token: token, CA: ca}, map[string]map[string]string{
			"policies": {".dockerconfigjson": `{"auths":{"host:5000":{"password":"token","username":"u"}}}`}, "policies-ca": {"ca.crt": "ca"},
		}, ""},
		{"no known hosts", "GitRepository", Access{URL: "ssh://git@host/repo", SSHKey: key}, nil, "--known-hosts-file"},
		{"scp syntax", "GitRepository", Access{URL: "git@host:repo"}, nil, "is not a URL"},
		{"a password in the URL", "GitRepository", Access{URL: "https://u:p@host/repo"}, nil, "credentials go into a Secret"},
		{"a token over http", "GitRepository", Access{URL: "http://host/repo", Token: token}, nil, "not sent over http"},
		{"a key for https", "GitRepository", Access{URL: "https://host/repo", SSHKey: key}, nil, "--ssh-key-file is for ssh://"},
		{"another kind", "OCIRepository", Access{URL: "https://host/repo"}, nil, "takes oci://"},
		{"a bucket", "Bucket", Access{URL: "https://host/repo"}, nil, "does not create a Bucket"},
		{"a token for nothing", "GitRepository", Access{Token: token}, nil, "need --source-url"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			target := exampleTarget(t, "acme", "prod-eu")
			target.SourceKind, target.SourceName = c.kind, "policies"
			objects, err := target.Objects(c.access)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]map[string]string
			for _, o := range objects {
				if o.Kind() != "Secret" {
					continue
				}
				if got == nil {
					got = map[string]map[string]string{}
				}
				got[o.Name()] = map[string]string{}
				for key, value := range asMap(o["data"]) {
					plain, err := base64.StdEncoding.DecodeString(value.(string))
					if err != nil {
						t.Fatal(err)
					}
					got[o.Name()][key] = string(plain)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
