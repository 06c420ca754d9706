package profile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// checkPublicKey accepts exactly one PEM block PUBLIC KEY with a strong key.
func checkPublicKey(data []byte) error {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return errors.New("holds no PEM block")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return errors.New("holds a private key; remove it and rotate the key")
	case block.Type != "PUBLIC KEY":
		return fmt.Errorf("holds a PEM block %q, not PUBLIC KEY", block.Type)
	}
	if before, _, _ := bytes.Cut(data, []byte("-----BEGIN")); len(bytes.TrimSpace(before)) > 0 {
		return errors.New("has text before the PEM block")
	}
	if next, _ := pem.Decode(rest); next != nil {
		if strings.Contains(next.Type, "PRIVATE KEY") {
			return errors.New("holds a private key; remove it and rotate the key")
		}
		return errors.New("holds several keys; define an attestor for each, and set count in the image rule")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return errors.New("has text after the PEM block")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("is not a public key: %w", err)
	}
	return checkStrength(key)
}

func checkStrength(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Errorf("is an RSA key of %d bits; at least 2048 are needed", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return fmt.Errorf("is an ECDSA key of %d bits; at least 256 are needed", k.Curve.Params().BitSize)
		}
	case ed25519.PublicKey:
	default:
		return errors.New("has a key that is neither ECDSA nor RSA nor Ed25519")
	}
	return nil
}
