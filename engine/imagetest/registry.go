// Package imagetest is a registry and a signer for tests: images, signatures,
// attestations and certificates as cosign makes them, on loopback, without any
// service of sigstore.
package imagetest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Registry is a registry in this process.
type Registry struct {
	// Host is its address, such as 127.0.0.1:40000.
	Host   string
	server *httptest.Server
}

// NewRegistry starts an empty registry that ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return &Registry{Host: strings.TrimPrefix(server.URL, "http://"), server: server}
}

// Close ends the registry before the test does.
func (r *Registry) Close() { r.server.Close() }

// Push pushes a new image under repository:v1 and returns its digest. What had
// the tag before keeps its digest.
func (r *Registry) Push(t testing.TB, repository string) v1.Hash {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, repository+":v1", image)
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func (r *Registry) write(t testing.TB, tag string, image v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(r.Host + "/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
}

// Sign stores signatures as cosign does: for each signer the "simple signing"
// payload as a layer of an image tagged sha256-….sig, the signature over it,
// and the certificate if the signer has one, in annotations of the layer
// (cosign specs/SIGNATURE_SPEC.md).
func (r *Registry) Sign(t testing.TB, repository string, digest v1.Hash, signers ...Signer) {
	t.Helper()
	r.SignFor(t, repository, digest, digest, signers...)
}

// SignFor stores signatures of one image, signed, where those of another, digest, are looked for.
func (r *Registry) SignFor(t testing.TB, repository string, digest, signed v1.Hash, signers ...Signer) {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, signed)
	var layers []mutate.Addendum
	for _, signer := range signers {
		annotations := map[string]string{"dev.cosignproject.cosign/signature": signature(t, payload, signer.Key)}
		if signer.Certificate != "" {
			annotations["dev.sigstore.cosign/certificate"], annotations["dev.sigstore.cosign/chain"] = signer.Certificate, signer.Chain
		}
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json"), Annotations: annotations})
	}
	r.attach(t, repository, digest, "sig", layers...)
}

// Attest stores a signed in-toto statement about the image under the tag
// sha256-….<suffix>; cosign's own suffix is att (in-toto/attestation, DSSE).
func (r *Registry) Attest(t testing.TB, repository string, digest v1.Hash, signer Signer, suffix string) {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://cosign.sigstore.dev/attestation/vuln/v1","subject":[{"name":"","digest":{"sha256":%q}}],"predicate":{}}`, digest.Hex)
	encoded := fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement)
	envelope, err := json.Marshal(map[string]any{
		"payloadType": payloadType,
		"payload":     base64.StdEncoding.EncodeToString([]byte(statement)),
		"signatures":  []any{map[string]any{"sig": signature(t, []byte(encoded), signer.Key)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.attach(t, repository, digest, suffix, mutate.Addendum{
		Layer:       static.NewLayer(envelope, "application/vnd.dsse.envelope.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": ""},
	})
}

// attach stores layers under the tag that cosign derives from a digest.
func (r *Registry) attach(t testing.TB, repository string, digest v1.Hash, suffix string, layers ...mutate.Addendum) {
	t.Helper()
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, repository+":"+strings.ReplaceAll(digest.String(), ":", "-")+"."+suffix, image)
}

func signature(t testing.TB, payload []byte, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum := sha256.Sum256(payload)
	raw, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}
