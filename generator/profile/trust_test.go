package profile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckPublicKey(t *testing.T) {
	const key = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6RRIckrIFB3zJi0jjPWPC+ZJN5/W
ZzhV0wE+cuIpJsAKqo/+qhdKFG3peFy+IfrFzV6MD9J/9sHpnmR1lM3ULg==
-----END PUBLIC KEY-----
`
	for name, c := range map[string]struct{ text, want string }{
		"a key":              {key, ""},
		"with blank lines":   {"\n" + key + "\n\n", ""},
		"two keys":           {key + key, "holds several keys"},
		"a key and a secret": {key + "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "holds a private key"},
		"a comment":          {"# release key\n" + key, "has text before the PEM block"},
		"a tail":             {key + "x", "has text after the PEM block"},
		"PKCS 1":             {"-----BEGIN RSA PUBLIC KEY-----\nAA==\n-----END RSA PUBLIC KEY-----\n", `holds a PEM block "RSA PUBLIC KEY", not PUBLIC KEY`},
		"a certificate":      {"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", `holds a PEM block "CERTIFICATE", not PUBLIC KEY`},
		"nonsense":           {"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", "is not a public key"},
		"X25519":             {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAe66Bm0sGtnCO8y3xYBOuQVNfcnXpg0B0M3XJ2UqoLD0=\n-----END PUBLIC KEY-----\n", "neither ECDSA nor RSA nor Ed25519"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := errorText(checkPublicKey([]byte(c.text))); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestExpandReference checks that no other spelling of a reference bypasses a rule.
func TestExpandReference(t *testing.T) {
	for ref, want := range map[string][]string{
		"ghcr.io/acme/*":     {"ghcr.io/acme/*"},
		"ghcr.io/acme/app":   {"ghcr.io/acme/app:*", "ghcr.io/acme/app@*"},
		"ghcr.io/acme/app:*": {"ghcr.io/acme/app:*", "ghcr.io/acme/app@*"},
		"ghcr.io/acme/app@*": {"ghcr.io/acme/app:*", "ghcr.io/acme/app@*"},
		"ghcr.io/*/app":      {"ghcr.io/*/app:*", "ghcr.io/*/app@*"},
		"localhost:5000/app": {"localhost:5000/app:*", "localhost:5000/app@*"},
		"*":                  {"*"},
		"acme/*":             {"docker.io/acme/*", "index.docker.io/acme/*", "registry-1.docker.io/acme/*"},
		"nginx": {
			"docker.io/nginx:*", "docker.io/nginx@*", "docker.io/library/nginx:*", "docker.io/library/nginx@*",
			"index.docker.io/nginx:*", "index.docker.io/nginx@*", "index.docker.io/library/nginx:*", "index.docker.io/library/nginx@*",
			"registry-1.docker.io/nginx:*", "registry-1.docker.io/nginx@*", "registry-1.docker.io/library/nginx:*", "registry-1.docker.io/library/nginx@*",
		},
	} {
		got, err := expandReference(ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ref, diff)
		}
	}
	for _, ref := range []string{"ghcr.io/acme/app:v1", "ghcr.io/acme/app@sha256:00", "GHCR.io/acme/app", "https://ghcr.io/acme", "ghcr.io//app", "/app", "app/", "a b", "", "app:v*"} {
		if got, err := expandReference(ref); err == nil {
			t.Errorf("%q gives %q", ref, got)
		}
	}
}
