package controlplane

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// tokenLifetime is the lifetime of the tokens of ServiceAccounts. It is longer than a
// local control plane runs, because nothing renews the tokens.
const tokenLifetime = 30 * 24 * time.Hour

// startKubernetes starts etcd, the API server and the controller manager, and
// writes the kubeconfig of cluster-admin.
func (c *ControlPlane) startKubernetes(ctx context.Context) error {
	ports, err := c.ports.take(4)
	if err != nil {
		return err
	}
	etcd := "http://" + address(ports[0])
	err = c.run(ctx, &process{
		name: Etcd, program: c.programs.paths[etcdProgram],
		args: []string{
			"--data-dir=" + c.path("etcd"), "--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=http://" + address(ports[1]), "--unsafe-no-fsync",
		},
		ready: probe(etcd + "/health"),
	})
	if err != nil {
		return err
	}
	token, err := c.writeKeys()
	if err != nil {
		return err
	}
	server := "https://" + address(ports[2])
	err = c.run(ctx, &process{
		name: APIServer, program: c.programs.paths[apiServerProgram],
		args: []string{
			"--etcd-servers=" + etcd, "--cert-dir=" + c.path("apiserver"), "--bind-address=" + loopback, fmt.Sprintf("--secure-port=%d", ports[2]),
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + c.path("sa.pub"),
			"--service-account-signing-key-file=" + c.path("sa.key"), "--service-cluster-ip-range=10.96.0.0/16",
			"--token-auth-file=" + c.path("tokens.csv"), "--authorization-mode=RBAC", "--allow-privileged=true",
		},
		ready: probe(server + "/readyz"),
	})
	if err != nil {
		return err
	}
	if err := c.connect(server, token); err != nil {
		return err
	}
	return c.run(ctx, &process{
		name: ControllerManager, program: c.programs.paths[controllerManagerProgram],
		args: []string{
			"--kubeconfig=" + c.Kubeconfig(), "--bind-address=" + loopback, fmt.Sprintf("--secure-port=%d", ports[3]), "--cert-dir=" + c.path("controller-manager"),
			"--leader-elect=false", "--use-service-account-credentials=true", "--service-account-private-key-file=" + c.path("sa.key"), "--root-ca-file=" + c.caFile(),
		},
		ready: probe("https://" + address(ports[3]) + "/healthz"),
	})
}

// caFile holds the certificate that the API server made for itself, and its CA.
func (c *ControlPlane) caFile() string { return c.path("apiserver", "apiserver.crt") }

// writeKeys makes the key of the ServiceAccounts and the token of cluster-admin.
func (c *ControlPlane) writeKeys() (token string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", err
	}
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	token = hex.EncodeToString(raw)
	return token, errors.Join(
		os.WriteFile(c.path("sa.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600),
		os.WriteFile(c.path("sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600),
		os.WriteFile(c.path("tokens.csv"), []byte(token+`,admin,admin,"system:masters"`+"\n"), 0o600),
	)
}

// connect makes the client of cluster-admin and its kubeconfig.
func (c *ControlPlane) connect(server, token string) error {
	ca, err := os.ReadFile(c.caFile())
	if err != nil {
		return err
	}
	admin, err := kube.New(&rest.Config{Host: server, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: ca}, WarningHandler: rest.NoWarnings{}})
	if err != nil {
		return err
	}
	c.admin = admin.Force()
	return c.writeKubeconfig(c.Kubeconfig(), token)
}

func (c *ControlPlane) writeKubeconfig(path, token string) error {
	ca, err := os.ReadFile(c.caFile())
	if err != nil {
		return err
	}
	file := manifest.File{Objects: []manifest.Object{{
		"apiVersion": "v1", "kind": "Config", "current-context": "gatehouse",
		"clusters": []any{map[string]any{"name": "gatehouse", "cluster": map[string]any{
			"server": c.admin.Server(), "certificate-authority-data": base64.StdEncoding.EncodeToString(ca),
		}}},
		"users":    []any{map[string]any{"name": "gatehouse", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "gatehouse", "context": map[string]any{"cluster": "gatehouse", "user": "gatehouse"}}},
	}}}
	data, err := file.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// serviceAccountKubeconfig writes a kubeconfig with which a controller logs in as
// its ServiceAccount, which must exist.
func (c *ControlPlane) serviceAccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	token, err := c.admin.Token(ctx, namespace, name, tokenLifetime)
	if err != nil {
		return "", err
	}
	file := c.path("kubeconfigs", namespace+"_"+name)
	return file, c.writeKubeconfig(file, token)
}
