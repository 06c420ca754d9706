package standin

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"github.com/digitorus/timestamp"
)

// clock stamps signatures with a time (RFC 3161). It always has the same time: a bundle needs
// one at which its certificate is valid, and nothing depends on which.
type clock struct {
	key               crypto.Signer
	root, certificate *x509.Certificate
}

// stamped is the time of each stamp.
func stamped() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// newClock returns a clock with a new key. Only its certificate may stamp times, and for
// nothing else may it be used.
func newClock() (*clock, error) {
	issuer, err := NewSigner()
	if err != nil {
		return nil, err
	}
	signer, err := NewSigner()
	if err != nil {
		return nil, err
	}
	top, err := selfSigned("stand-in clock", issuer.key)
	if err != nil {
		return nil, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}) // id-kp-timeStamping
	if err != nil {
		return nil, fmt.Errorf("making a clock: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "stand-in clock"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	template.NotBefore, template.NotAfter = validity()
	certificate, err := issued(template, top, signer.key.Public(), issuer.key)
	if err != nil {
		return nil, fmt.Errorf("making a clock: %w", err)
	}
	return &clock{signer.key, top, certificate}, nil
}

// stamp returns the stamp of a signature.
func (c *clock) stamp(signature []byte) ([]byte, error) {
	request, err := timestamp.CreateRequest(bytes.NewReader(signature), &timestamp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		return nil, fmt.Errorf("stamping a signature: %w", err)
	}
	asked, err := timestamp.ParseRequest(request)
	if err != nil {
		return nil, fmt.Errorf("stamping a signature: %w", err)
	}
	answer := timestamp.Timestamp{
		HashAlgorithm: asked.HashAlgorithm, HashedMessage: asked.HashedMessage, Time: stamped(),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}
	text, err := answer.CreateResponseWithOpts(c.certificate, c.key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("stamping a signature: %w", err)
	}
	return text, nil
}

// selfSigned returns the certificate of an authority.
func selfSigned(name string, key crypto.Signer) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	template.NotBefore, template.NotAfter = validity()
	certificate, err := issued(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	return certificate, nil
}

// issued returns a certificate.
func issued(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
