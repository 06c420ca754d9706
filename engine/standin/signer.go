package standin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// Signer signs images.
type Signer struct {
	// PublicKey is a PEM block PUBLIC KEY.
	PublicKey string
	// Certificate and Chain are PEM blocks; empty for a signer with a bare key.
	Certificate, Chain string
	key                crypto.Signer
}

// NewSigner returns a signer with a new ECDSA key and no certificate.
func NewSigner() (*Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return &Signer{PublicKey: block("PUBLIC KEY", der), key: key}, nil
}

// Authority is a private certificate authority that replaces Fulcio.
type Authority struct {
	// Roots is the PEM block of its certificate.
	Roots       string
	key         crypto.Signer
	certificate *x509.Certificate
}

// Certificates are always valid: Kyverno compares them with the clock, which tests do not
// control, and their keys are lost with the process. The end is the one that means none
// (RFC 5280, 4.1.2.5).
func validity() (from, to time.Time) {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
}

// NewAuthority returns an authority with a new key.
func NewAuthority() (*Authority, error) {
	signer, err := NewSigner()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	template.NotBefore, template.NotAfter = validity()
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.key.Public(), signer.key)
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	return &Authority{Roots: block("CERTIFICATE", der), key: signer.key, certificate: certificate}, nil
}

// Identity is what a keyless certificate says about its holder; empty fields
// are left out of the certificate.
type Identity struct {
	// Subject is a URI or, with an @ and no scheme, an e-mail address.
	Subject string
	// Issuer is the OIDC issuer, in Fulcio's extensions.
	Issuer string
}

// Fulcio's extensions for the issuer, the old one with the bare text and the
// new one with a DER string (github.com/sigstore/fulcio/docs/oid-info.md).
var (
	issuerV1 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	issuerV2 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
)

// Issue returns a signer with a certificate for the identity. It is an error if
// a certificate cannot hold the subject as it is written.
func (a *Authority) Issue(identity Identity) (*Signer, error) {
	signer, err := NewSigner()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	template.NotBefore, template.NotAfter = validity()
	switch subject := identity.Subject; {
	case subject == "":
	case strings.Contains(subject, "@") && !strings.Contains(subject, ":"):
		template.EmailAddresses = []string{subject}
	default:
		uri, err := url.Parse(subject)
		if err != nil || uri.String() != subject {
			return nil, fmt.Errorf("%q cannot be the subject of a certificate", subject)
		}
		template.URIs = []*url.URL{uri}
	}
	if identity.Issuer != "" {
		text, err := asn1.MarshalWithParams(identity.Issuer, "utf8")
		if err != nil {
			return nil, fmt.Errorf("encoding the issuer %q: %w", identity.Issuer, err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: issuerV1, Value: []byte(identity.Issuer)}, {Id: issuerV2, Value: text}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, signer.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %q: %w", identity.Subject, err)
	}
	signer.Certificate, signer.Chain = block("CERTIFICATE", der), a.Roots
	return signer, nil
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
