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
	der                []byte // of the certificate
	clock              *clock
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
	clock       *clock
}

// Certificates are always valid: Kyverno compares them with the clock, which tests do not
// control, and their keys are lost with the process. The end is the one that means none
// (RFC 5280, 4.1.2.5).
func validity() (from, to time.Time) {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
}

// NewAuthority returns an authority with a new key.
func NewAuthority() (*Authority, error) {
	clock, err := newClock()
	if err != nil {
		return nil, err
	}
	return newAuthority(clock)
}

// Rival returns another authority, of which only the key differs. What it signs is stamped
// by the same clock.
func (a *Authority) Rival() (*Authority, error) { return newAuthority(a.clock) }

func newAuthority(clock *clock) (*Authority, error) {
	signer, err := NewSigner()
	if err != nil {
		return nil, err
	}
	certificate, err := selfSigned("stand-in authority", signer.key)
	if err != nil {
		return nil, err
	}
	return &Authority{Roots: block("CERTIFICATE", certificate.Raw), key: signer.key, certificate: certificate, clock: clock}, nil
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
	return a.IssueChanged(identity, func(*x509.Certificate) {})
}

// IssueChanged is Issue with something else changed in the certificate.
func (a *Authority) IssueChanged(identity Identity, change func(*x509.Certificate)) (*Signer, error) {
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
	change(template)
	certificate, err := issued(template, a.certificate, signer.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %q: %w", identity.Subject, err)
	}
	signer.Certificate, signer.Chain = block("CERTIFICATE", certificate.Raw), a.Roots
	signer.der, signer.clock = certificate.Raw, a.clock
	return signer, nil
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
