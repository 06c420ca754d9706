// Package imagetest serves the stand-in registry on loopback to tests.
package imagetest

import (
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/gatehouse-dev/gatehouse/engine/standin"
)

// Registry is a registry with an address. Repositories are named without it.
type Registry struct {
	// Host is its address, such as 127.0.0.1:40000.
	Host     string
	server   *httptest.Server
	registry standin.Registry
	pushed   int
}

// NewRegistry starts an empty registry that ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{}
	r.server = httptest.NewServer(&r.registry)
	t.Cleanup(r.server.Close)
	r.Host = strings.TrimPrefix(r.server.URL, "http://")
	return r
}

// Close ends the registry before the test does.
func (r *Registry) Close() { r.server.Close() }

// Push pushes a new image under repository:v1 and returns its digest.
func (r *Registry) Push(t testing.TB, repository string) v1.Hash {
	t.Helper()
	r.pushed++
	return must(r.registry.Push(r.Host+"/"+repository+":v1", fmt.Sprint(r.pushed)))(t)
}

// Sign signs an image.
func (r *Registry) Sign(t testing.TB, repository string, digest v1.Hash, signers ...*standin.Signer) {
	t.Helper()
	r.SignFor(t, repository, digest, digest, signers...)
}

// SignFor stores signatures of one image, signed, where those of another, digest, are looked for.
func (r *Registry) SignFor(t testing.TB, repository string, digest, signed v1.Hash, signers ...*standin.Signer) {
	t.Helper()
	if err := r.registry.Sign(r.Host+"/"+repository, digest, signed, signers...); err != nil {
		t.Fatal(err)
	}
}

// Attest attests something of an image; see [standin.Registry.Attest].
func (r *Registry) Attest(t testing.TB, repository string, digest v1.Hash, tag string, signers ...*standin.Signer) {
	t.Helper()
	r.State(t, repository, digest, tag, standin.Statements(digest, standin.VulnerabilityScan, signers...)...)
}

// State stores statements about an image; see [standin.Registry.Attest].
func (r *Registry) State(t testing.TB, repository string, digest v1.Hash, tag string, statements ...standin.Statement) {
	t.Helper()
	if err := r.registry.Attest(r.Host+"/"+repository, digest, tag, statements...); err != nil {
		t.Fatal(err)
	}
}

// Bundle stores a statement about an image as bundles; see [standin.Registry.Bundle].
func (r *Registry) Bundle(t testing.TB, repository string, digest v1.Hash, predicateType string, signers ...*standin.Signer) {
	t.Helper()
	r.Bundles(t, repository, digest, standin.Statements(digest, predicateType, signers...)...)
}

// Bundles stores statements about an image as bundles; see [standin.Registry.Bundle].
func (r *Registry) Bundles(t testing.TB, repository string, digest v1.Hash, statements ...standin.Statement) {
	t.Helper()
	if err := r.registry.Bundle(r.Host+"/"+repository, digest, statements...); err != nil {
		t.Fatal(err)
	}
}

// Notarize stores signatures of the Notary Project; see [standin.Registry.Notarize].
func (r *Registry) Notarize(t testing.TB, repository string, digest v1.Hash, signatures ...standin.Notation) {
	t.Helper()
	if err := r.registry.Notarize(r.Host+"/"+repository, digest, signatures...); err != nil {
		t.Fatal(err)
	}
}

// NotarizeBillOfMaterials signs something about an image; see [standin.Registry.NotarizeBillOfMaterials].
func (r *Registry) NotarizeBillOfMaterials(t testing.TB, repository string, digest v1.Hash, signers ...*standin.Signer) {
	t.Helper()
	if err := r.registry.NotarizeBillOfMaterials(r.Host+"/"+repository, digest, signers...); err != nil {
		t.Fatal(err)
	}
}

// NewSigner returns a signer with a new key.
func NewSigner(t testing.TB) *standin.Signer {
	t.Helper()
	return must(standin.NewSigner())(t)
}

// NewAuthority returns a new certificate authority.
func NewAuthority(t testing.TB) *standin.Authority {
	t.Helper()
	return must(standin.NewAuthority())(t)
}

// Issue returns a signer with a certificate of the authority.
func Issue(t testing.TB, authority *standin.Authority, identity standin.Identity) *standin.Signer {
	t.Helper()
	return must(authority.Issue(identity))(t)
}

// IssueChanged returns a signer with something else changed in its certificate.
func IssueChanged(t testing.TB, authority *standin.Authority, change func(*x509.Certificate)) *standin.Signer {
	t.Helper()
	return must(authority.IssueChanged(standin.Identity{}, change))(t)
}

// must ends the test if there is an error.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
