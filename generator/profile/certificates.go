package profile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// certificate returns the public key in a certificate. Kyverno compares nothing else of a
// certificate without a chain, and with a chain it accepts every signer of an authority
// (docs/adr/0023-certificates-are-keys.md).
func (p *parser) certificate(field, file string) string {
	all := p.certificates(field, file)
	if len(all) == 0 {
		return ""
	}
	c := all[0]
	switch {
	case len(all) > 1:
		p.Report(field, "certificate-invalid", "keep that of the signer", "%s holds %d certificates: only that of the signer is compared", file, len(all))
	case c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		p.Report(field, "certificate-invalid", "give the certificate that signs", "%s: %s is an authority, whose key signs no images", file, title(c))
	}
	p.ending(field, file, c, "Kyverno refuses signatures that it lies beside, and admits others by its key")
	der, err := x509.MarshalPKIXPublicKey(c.PublicKey)
	if err != nil {
		p.Report(field, "certificate-invalid", "", "%s: %v", file, err)
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// notary returns the certificates in a file, and nothing else that it holds, in an order that
// does not depend on the file: theirs means nothing.
func (p *parser) notary(field, file string) string {
	all := p.certificates(field, file)
	slices.SortFunc(all, func(a, b *x509.Certificate) int { return bytes.Compare(a.Raw, b.Raw) })
	var out strings.Builder
	for _, c := range all {
		if fault := notaryFault(c); fault != "" {
			p.Report(field, "certificate-invalid", "see the certificate requirements of the Notary Project", "%s: %s %s, so nothing that depends on it is admitted", file, title(c), fault)
		}
		p.ending(field, file, c, "Kyverno refuses what it signs")
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return out.String()
}

// notaryFault returns why a certificate can verify nothing, by the requirements of the Notary
// Project (notaryproject/specifications, signature-specification.md#certificate-requirements).
func notaryFault(c *x509.Certificate) string {
	usage := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 15}) })
	excluded := func(u x509.ExtKeyUsage) bool {
		return slices.Contains([]x509.ExtKeyUsage{
			x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageOCSPSigning,
		}, u)
	}
	_, edwards := c.PublicKey.(ed25519.PublicKey)
	switch {
	case edwards:
		return "has an Ed25519 key"
	case usage < 0:
		return "does not say what its key is for (keyUsage)"
	case !c.Extensions[usage].Critical:
		return "has a key usage that is not critical"
	case c.IsCA && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return "is an authority that may not sign certificates (keyCertSign)"
	case c.IsCA:
		return ""
	case c.KeyUsage != x509.KeyUsageDigitalSignature && c.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment:
		return "is not for digital signatures alone"
	case slices.ContainsFunc(c.ExtKeyUsage, excluded):
		return "is not for signing code"
	}
	return ""
}

// ending warns of a certificate that has ended, or ends soon.
func (p *parser) ending(field, file string, c *x509.Certificate, then string) {
	end := c.NotAfter.UTC().Format(time.DateOnly)
	switch left := c.NotAfter.Sub(p.now); {
	case p.now.Before(c.NotBefore):
		p.Warn(field, "certificate-early", "sign with another one until then", "%s: %s is valid from %s; before that, Kyverno refuses what it signs", file, title(c), c.NotBefore.UTC().Format(time.DateOnly))
	case left < 0:
		p.Warn(field, "certificate-expired", "renew it", "%s: %s expired on %s; %s", file, title(c), end, then)
	case left < certificateWarning:
		p.Warn(field, "certificate-expires", "renew it", "%s: %s expires on %s; after that, %s", file, title(c), end, then)
	}
}

// certificateWarning is how long before its end a certificate is warned of. A new one needs
// a change that is audited first.
const certificateWarning = 30 * 24 * time.Hour

// title names a certificate.
func title(c *x509.Certificate) string {
	if name := c.Subject.String(); name != "" {
		return name
	}
	return "certificate " + c.SerialNumber.Text(16)
}

// certificates reads the certificates in a file. It returns none if one is not usable.
func (p *parser) certificates(field, file string) []*x509.Certificate {
	data, err := p.input.ReadFile(file)
	if err != nil {
		p.Report(field, "file-unreadable", "", "%s", plainError(err))
		return nil
	}
	all, err := parseCertificates(data)
	if err != nil {
		p.Report(field, "certificate-invalid", "", "%s: %v", file, err)
	}
	return all
}

// parseCertificates parses one or more PEM certificates with strong keys. Between them there
// may be text, as openssl writes it.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	blocks := bytes.Count(data, []byte("-----BEGIN"))
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks--
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errors.New("holds a private key; remove it and rotate the key")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a PEM block %q, not CERTIFICATE", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("is not a certificate: %w", err)
		}
		if err := checkStrength(c.PublicKey); err != nil {
			return nil, fmt.Errorf("%s %w", title(c), err)
		}
		if !slices.ContainsFunc(all, c.Equal) {
			all = append(all, c)
		}
	}
	switch {
	case blocks > 0:
		return nil, errors.New("holds a broken PEM block")
	case len(all) == 0:
		return nil, errors.New("holds no PEM block (openssl x509 -inform DER -in FILE converts a certificate)")
	}
	return all, nil
}
