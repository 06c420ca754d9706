package imagetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"
)

// Signer signs images.
type Signer struct {
	Key *ecdsa.PrivateKey
	// PublicKey is a PEM block PUBLIC KEY.
	PublicKey string
	// Certificate and Chain are PEM blocks; empty for a signer with a bare key.
	Certificate, Chain string
}

// NewSigner returns a signer with a new key and no certificate.
func NewSigner(t testing.TB) Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Key: key, PublicKey: block("PUBLIC KEY", der)}
}

// Authority is a private certificate authority in the place of Fulcio.
type Authority struct {
	// Roots is the PEM block of its certificate.
	Roots       string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// yesterday begins what is valid: Kyverno compares with the clock, so a test cannot choose the time.
func yesterday() time.Time { return time.Now().Add(-24 * time.Hour) } //nolint:forbidigo // see above

// NewAuthority returns an authority that is valid for a day.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	signer := NewSigner(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: yesterday(), NotAfter: yesterday().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &signer.Key.PublicKey, signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{Roots: block("CERTIFICATE", der), key: signer.Key, certificate: certificate}
}

// Identity is what a keyless certificate says about its holder; empty fields
// are left out of the certificate.
type Identity struct {
	// URI and Email are subject alternative names.
	URI, Email string
	// Issuer is the OIDC issuer, in Fulcio's extensions.
	Issuer string
}

// Fulcio's extensions for the issuer, the old one with the bare text and the
// new one with a DER string (fulcio docs/oid-info.md).
var (
	issuerV1 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	issuerV2 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
)

// Issue returns a signer with a certificate for the identity.
func (a *Authority) Issue(t testing.TB, identity Identity) Signer {
	t.Helper()
	signer := NewSigner(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: yesterday(), NotAfter: yesterday().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if identity.URI != "" {
		uri, err := url.Parse(identity.URI)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = []*url.URL{uri}
	}
	if identity.Email != "" {
		template.EmailAddresses = []string{identity.Email}
	}
	if identity.Issuer != "" {
		text, err := asn1.MarshalWithParams(identity.Issuer, "utf8")
		if err != nil {
			t.Fatal(err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: issuerV1, Value: []byte(identity.Issuer)}, {Id: issuerV2, Value: text}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &signer.Key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	signer.Certificate, signer.Chain = block("CERTIFICATE", der), a.Roots
	return signer
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
