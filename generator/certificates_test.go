package generator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// certified returns a self-signed certificate for signing code, with something changed.
func certified(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) string {
	t.Helper()
	return issued(t, key.Public(), key, "", change)
}

// issued returns a certificate for signing code by the authority of a text, or by itself
// without one, with something changed.
func issued(t *testing.T, of crypto.PublicKey, by crypto.Signer, authority string, change func(*x509.Certificate)) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "acme"}, BasicConstraintsValid: true,
		NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	change(template)
	parent := template
	if block, _ := pem.Decode([]byte(authority)); block != nil {
		var err error
		if parent, err = x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of, by)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func ecdsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// withAttestors compiles a profile with attestors of a kind, which have files, and rules for
// images.
func withAttestors(kind, rules string, files map[string]string) (*Bundle, diag.List) {
	fsys := fstest.MapFS{}
	var attestors []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fsys[name+".pem"] = &fstest.MapFile{Data: []byte(files[name])}
		attestors = append(attestors, "{name: "+name+", "+kind+": {file: "+name+".pem}}")
	}
	fsys["all.yaml"] = &fstest.MapFile{Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  controls: {verify-images: {}}
  trust:
    attestors: [` + strings.Join(attestors, ", ") + `]
    images: [` + rules + `]
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: audit}
`)}
	return Compile(fsys, ".", Options{Version: "test", Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
}

// withAttestor compiles a profile whose only attestor has the file c.pem.
func withAttestor(kind, file string) (*Bundle, diag.List) {
	return withAttestors(kind, "{name: all, references: [ghcr.io/acme/*], attestors: [c]}", map[string]string{"c": file})
}

func TestCertificateFiles(t *testing.T) {
	key := ecdsaKey(t)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := certified(t, key, func(*x509.Certificate) {})
	other := certified(t, ecdsaKey(t), func(c *x509.Certificate) { c.Subject.CommonName = "other" })
	authority := certified(t, key, func(c *x509.Certificate) { c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil })
	ended := certified(t, key, func(c *x509.Certificate) { c.NotAfter = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) })
	ending := certified(t, key, func(c *x509.Certificate) { c.NotAfter = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) })
	early := certified(t, key, func(c *x509.Certificate) { c.NotBefore = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) })
	own := certified(t, key, func(c *x509.Certificate) { c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, 0, nil }) // as openssl req -x509 makes it
	anything := certified(t, key, func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	encrypts := certified(t, key, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment })
	server := certified(t, key, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	curve := certified(t, edwards, func(*x509.Certificate) {})
	// Each file with what is said about it, as the certificate of a signer and with the Notary Project.
	for name, c := range map[string]struct{ file, certificates, notary string }{
		"one":                  {good, "", ""},
		"twice":                {good + good, "", ""},
		"with text":            {"Certificate:\n    Data: x\n" + good + "\n", "", ""},
		"two":                  {good + other, "c.pem holds 2 certificates: only that of the signer is compared", ""},
		"authority":            {authority, "CN=acme is an authority, whose key signs no images", ""},
		"ended":                {ended, "expired on 2026-11-20; Kyverno refuses signatures that it lies beside", "expired on 2026-11-20; Kyverno refuses what it signs"},
		"ending":               {ending, "expires on 2026-12-01; after that, Kyverno refuses signatures", "expires on 2026-12-01; after that, Kyverno refuses"},
		"early":                {early, "CN=acme is valid from 2026-12-01; before that, Kyverno refuses", "CN=acme is valid from 2026-12-01; before that, Kyverno refuses"},
		"self-signed":          {own, "", "CN=acme does not say what its key is for"},
		"for anything":         {anything, "", ""},
		"that encrypts":        {encrypts, "", "CN=acme is not for digital signatures alone"},
		"with a mark":          {"\ufeff" + good, "", ""},
		"of a server":          {server, "", "CN=acme is not for signing code"},
		"Ed25519":              {curve, "", "CN=acme has an Ed25519 key"},
		"a public key":         {"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", `holds a PEM block "PUBLIC KEY", not CERTIFICATE`, `holds a PEM block "PUBLIC KEY", not CERTIFICATE`},
		"a private key":        {good + "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "holds a private key", "holds a private key"},
		"no PEM":               {"hello", "holds no PEM block", "holds no PEM block"},
		"cut short":            {good + good[:len(good)/2], "holds a broken PEM block", "holds a broken PEM block"},
		"other than it claims": {"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "is not a certificate", "is not a certificate"},
	} {
		for kind, want := range map[string]string{"certificates": c.certificates, "notary": c.notary} {
			_, problems := withAttestor(kind, c.file)
			var got string
			for _, p := range problems {
				got += p.Summary
			}
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s: %s: %q, want %q", name, kind, got, want)
			}
		}
	}
}

// TestCertificateIsItsKey compares a profile with a certificate and one with its key.
func TestCertificateIsItsKey(t *testing.T) {
	key := ecdsaKey(t)
	bundle, problems := withAttestor("certificates", certified(t, key, func(*x509.Certificate) {}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Attestor{Name: "c", PublicKeys: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	for _, p := range bundle.Plan.Environments[0].Policies {
		if p.Image != nil && p.Image.Attestors[0] != want {
			t.Errorf("%+v, want %+v", p.Image.Attestors[0], want)
		}
	}
}

// TestSharedAttestors has rules that ask for two signatures, which one may satisfy.
func TestSharedAttestors(t *testing.T) {
	root, other, leaf := ecdsaKey(t), ecdsaKey(t), ecdsaKey(t)
	authority := func(c *x509.Certificate) { c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil }
	roots, others := certified(t, root, authority), certified(t, other, authority)
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.SerialNumber, c.Subject.CommonName = big.NewInt(2), name }
	}
	signer, rival := issued(t, leaf.Public(), root, roots, named("signer")), issued(t, leaf.Public(), other, others, named("rival"))
	renewed := issued(t, leaf.Public(), root, roots, named("renewed"))
	between := issued(t, leaf.Public(), root, roots, func(c *x509.Certificate) {
		named("between")(c)
		authority(c)
	})
	const same, maybe = "trust the same signers: one signature would count for both", "may trust the same signers"
	for name, c := range map[string]struct{ kind, a, b, want string }{
		"two roots":                  {"notary", roots, others, ""},
		"two signers":                {"notary", signer, rival, ""},
		"one root":                   {"notary", roots, roots, same},
		"one root of several":        {"notary", roots + others, others, same},
		"a root and its signer":      {"notary", roots, signer, same},
		"a root and a signer":        {"notary", others, signer, maybe},
		"an intermediate and a root": {"notary", others, between, maybe},
		"one key":                    {"certificates", signer, renewed, "a and b have the same key: one signature counts for both"},
	} {
		_, problems := withAttestors(c.kind, "{name: all, references: [ghcr.io/acme/*], attestors: [a, b]}, {name: any, references: [quay.io/acme/*], attestors: {count: 1, of: [a, b]}}",
			map[string]string{"a": c.a, "b": c.b})
		var got string
		for _, p := range problems {
			got += p.Path + " " + p.Summary
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Contains(got, "images[1]") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
