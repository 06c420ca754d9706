package rollout

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Access is how Flux reads the repository. The zero value is a source that
// exists already.
type Access struct {
	// URL of the repository: https://, ssh:// or http:// for a GitRepository,
	// oci:// for an OCIRepository. Empty if the source exists already.
	URL string
	// Branch of a GitRepository and Tag of an OCIRepository.
	Branch, Tag string
	// SSHKey is a private key in PEM, KnownHosts the host's public keys.
	SSHKey, KnownHosts []byte
	// Username and Token are for HTTPS and OCI.
	Username string
	Token    []byte
	// CA is a certificate in PEM that the server's is signed by.
	CA []byte
}

// hasSecret reports whether something must go into a Secret.
func (a Access) hasSecret() bool { return len(a.SSHKey)+len(a.Token)+len(a.CA) > 0 }

// check reports the first option that does not fit the others or the kind of source.
func (a Access) check(kind string) error {
	if a.URL == "" {
		if a.hasSecret() {
			return errors.New("credentials need --source-url: the Secret belongs to the source that gatehouse creates")
		}
		return nil
	}
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("--source-url: %q is not a URL such as https://github.com/acme/policies (ssh://git@host/path for SSH)", a.URL)
	}
	if u.User != nil && u.Scheme != "ssh" {
		return errors.New("--source-url holds a user: credentials go into a Secret, by --token-file")
	}
	allowed := map[string][]string{"GitRepository": {"https", "ssh", "http"}, "OCIRepository": {"oci"}}[kind]
	if allowed == nil {
		return fmt.Errorf("--source-url: gatehouse does not create a %s, which the profile names; create it yourself and omit the flag", kind)
	}
	if !slices.Contains(allowed, u.Scheme) {
		return fmt.Errorf("--source-url: the profile's source is of kind %s, which takes %s://, not %q", kind, strings.Join(allowed, ":// or "), a.URL)
	}
	switch {
	case u.Scheme == "ssh" && (len(a.SSHKey) == 0 || len(a.KnownHosts) == 0):
		return fmt.Errorf("--source-url %s needs --ssh-key-file and --known-hosts-file (ssh-keyscan %s, compared with what the host publishes)", a.URL, u.Hostname())
	case u.Scheme != "ssh" && len(a.SSHKey) > 0:
		return fmt.Errorf("--ssh-key-file is for ssh://, not for %s", a.URL)
	case u.Scheme == "http" && len(a.Token) > 0:
		return errors.New("--token-file: a token is not sent over http://")
	case u.Scheme == "ssh" && len(a.Token)+len(a.CA) > 0:
		return errors.New("--token-file and --ca-file are not for ssh://")
	}
	return nil
}

// Objects returns what the cluster needs to start, in the order in which it is
// applied: the namespace, credentials, the source, and the root Kustomization. A source
// that exists already has its namespace; to apply that as well would only get in the way
// of a repository that holds it, such as one of `flux bootstrap`.
func (t *Target) Objects(a Access) ([]manifest.Object, error) {
	if err := a.check(t.SourceKind); err != nil {
		return nil, err
	}
	if a.URL == "" {
		return []manifest.Object{t.root()}, nil
	}
	secrets, err := t.secrets(a)
	if err != nil {
		return nil, err
	}
	objects := append([]manifest.Object{identity("v1", "Namespace", "", t.Namespace)}, secrets...)
	return append(objects, t.source(a), t.root()), nil
}

// The names of the source's Secrets. `flux bootstrap` uses the first name, too. The
// certificate of a registry has a Secret of its own, because Flux wants type Opaque.
func (t *Target) secretName() string { return t.SourceName }
func (t *Target) caName() string     { return t.SourceName + "-ca" }

// secrets returns the Secrets, with the keys that source-controller documents for
// each kind of source.
func (t *Target) secrets(a Access) ([]manifest.Object, error) {
	if !a.hasSecret() {
		return nil, nil
	}
	token := strings.TrimSpace(string(a.Token))
	if t.SourceKind == "GitRepository" {
		data := map[string][]byte{"identity": a.SSHKey, "known_hosts": a.KnownHosts, "ca.crt": a.CA}
		if token != "" {
			data["username"], data["password"] = []byte(a.Username), []byte(token)
		}
		return []manifest.Object{t.secret(t.secretName(), "Opaque", data)}, nil
	}
	var secrets []manifest.Object
	if token != "" {
		host, _, _ := strings.Cut(strings.TrimPrefix(a.URL, "oci://"), "/")
		config, err := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]any{"username": a.Username, "password": token}}})
		if err != nil {
			return nil, fmt.Errorf("encoding the credentials: %w", err)
		}
		secrets = append(secrets, t.secret(t.secretName(), "kubernetes.io/dockerconfigjson", map[string][]byte{".dockerconfigjson": config}))
	}
	if len(a.CA) > 0 {
		secrets = append(secrets, t.secret(t.caName(), "Opaque", map[string][]byte{"ca.crt": a.CA}))
	}
	return secrets, nil
}

func (t *Target) secret(name, kind string, values map[string][]byte) manifest.Object {
	data := map[string]any{}
	for key, value := range values {
		if len(value) > 0 {
			data[key] = base64.StdEncoding.EncodeToString(value)
		}
	}
	o := identity("v1", "Secret", t.Namespace, name)
	o["type"], o["data"] = kind, data
	return o
}

func (t *Target) source(a Access) manifest.Object {
	spec := map[string]any{"interval": t.layer().Value("spec", "interval"), "url": a.URL}
	secret := map[string]any{"name": t.secretName()}
	if t.SourceKind == "OCIRepository" {
		spec["ref"] = map[string]any{"tag": a.Tag}
		if len(a.CA) > 0 {
			spec["certSecretRef"] = map[string]any{"name": t.caName()}
		}
		if len(a.Token) > 0 {
			spec["secretRef"] = secret
		}
	} else {
		spec["ref"] = map[string]any{"branch": a.Branch}
		if a.hasSecret() {
			spec["secretRef"] = secret
		}
	}
	o := identity(sourceAPI, t.SourceKind, t.Namespace, t.SourceName)
	o["spec"] = spec
	return o
}

// layer returns the Kustomization of a layer: the root gets its source, intervals
// and service account.
func (t *Target) layer() manifest.Object {
	for _, k := range t.Kustomizations {
		if _, ok := layout.ParseKustomization(k.Name()); ok {
			return k
		}
	}
	panic("settle found a layer")
}

// root returns the Kustomization that applies those of the cluster. It does not
// wait for them: while it waited for a layer that fails, Flux would not apply a fix
// (docs/flux-traps.md#parents-that-wait). If it is deleted, also because its file left a
// repository, the others stay: Flux would delete them, and what they applied, in no order.
func (t *Target) root() manifest.Object {
	spec := map[string]any{
		"path":           "./" + path.Join(t.Path, layout.Of(t.Cluster).String()),
		"prune":          true,
		"deletionPolicy": "Orphan",
	}
	for _, key := range []string{"interval", "retryInterval", "sourceRef", "serviceAccountName"} {
		if v := t.layer().Value("spec", key); v != nil {
			spec[key] = v
		}
	}
	o := identity(kustomizationAPI, "Kustomization", t.Namespace, layout.Root)
	o["spec"] = spec
	return o
}
