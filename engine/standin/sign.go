package standin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Where cosign looks for signatures and for attestations, as the end of a tag.
const (
	SignatureTag   = "sig"
	AttestationTag = "att"
)

// Sign stores signatures as cosign does: for each signer the "simple signing"
// payload as a layer of an image tagged sha256-….sig, the signature over it,
// and the certificate if the signer has one, in annotations of the layer
// (cosign specs/SIGNATURE_SPEC.md). They are found for the image of the digest
// and speak of the one that is signed, usually the same. They replace those
// that the image had.
func (r *Registry) Sign(repository string, digest, signed v1.Hash, signers ...*Signer) error {
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, signed)
	var layers []mutate.Addendum
	for _, signer := range signers {
		signature, err := signer.sign(payload)
		if err != nil {
			return err
		}
		annotations := map[string]string{"dev.cosignproject.cosign/signature": signature}
		if signer.Certificate != "" {
			annotations["dev.sigstore.cosign/certificate"], annotations["dev.sigstore.cosign/chain"] = signer.Certificate, signer.Chain
		}
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json"), Annotations: annotations})
	}
	return r.attach(repository, digest, SignatureTag, layers...)
}

// Attest stores signed in-toto statements about the image under the tag
// sha256-….TAG (in-toto/attestation, DSSE). cosign's own is [AttestationTag];
// with [SignatureTag] they lie where signatures are looked for.
func (r *Registry) Attest(repository string, digest v1.Hash, tag string, signers ...*Signer) error {
	const payloadType = "application/vnd.in-toto+json"
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":%q,"subject":[{"name":"","digest":{"sha256":%q}}],"predicate":{}}`, VulnerabilityScan, digest.Hex)
	var layers []mutate.Addendum
	for _, signer := range signers {
		signature, err := signer.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement))
		if err != nil {
			return err
		}
		envelope, err := json.Marshal(map[string]any{
			"payloadType": payloadType,
			"payload":     base64.StdEncoding.EncodeToString([]byte(statement)),
			"signatures":  []any{map[string]any{"sig": signature}},
		})
		if err != nil {
			return fmt.Errorf("encoding an attestation: %w", err)
		}
		annotations := map[string]string{"dev.cosignproject.cosign/signature": ""}
		if signer.Certificate != "" {
			annotations["dev.sigstore.cosign/certificate"], annotations["dev.sigstore.cosign/chain"] = signer.Certificate, signer.Chain
		}
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(envelope, "application/vnd.dsse.envelope.v1+json"), Annotations: annotations})
	}
	return r.attach(repository, digest, tag, layers...)
}

// sign returns the signature over a text in base64.
func (s *Signer) sign(text []byte) (string, error) {
	sum := sha256.Sum256(text)
	raw, err := s.key.Sign(rand.Reader, sum[:], nil)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// The types of statements: cosign's of a signature, and of a scan for vulnerabilities.
const (
	CosignSignature   = "https://sigstore.dev/cosign/sign/v1"
	VulnerabilityScan = "https://cosign.sigstore.dev/attestation/vuln/v1"
)

// bundleType is the media type of a bundle of sigstore.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// Bundle stores a signed statement of a type about the image as a bundle, which is how newer
// versions of cosign store both signatures and attestations: an image that refers to the
// other one, listed under the tag sha256-… (OCI distribution, referrers). It replaces those
// that the image had.
func (r *Registry) Bundle(repository string, digest v1.Hash, predicateType string, signers ...*Signer) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, signer := range signers {
		text, err := signer.bundle(digest, predicateType)
		if err != nil {
			return err
		}
		image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), bundleType),
			mutate.Addendum{Layer: static.NewLayer(text, bundleType)})
		if err != nil {
			return fmt.Errorf("making a bundle: %w", err)
		}
		name, err := image.Digest()
		if err != nil {
			return fmt.Errorf("making a bundle: %w", err)
		}
		if err := r.write(repository+"@"+name.String(), image); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{ArtifactType: bundleType}})
	}
	return r.writeIndex(repository+":sha256-"+digest.Hex, index)
}

// bundle returns a bundle with a statement about an image.
func (s *Signer) bundle(digest v1.Hash, predicateType string) ([]byte, error) {
	const payloadType = "application/vnd.in-toto+json"
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","predicateType":%q,"subject":[{"name":"","digest":{"sha256":%q}}],"predicate":{}}`, predicateType, digest.Hex)
	signature, err := s.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement))
	if err != nil {
		return nil, err
	}
	material, err := s.material(signature)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{
		"mediaType":            bundleType,
		"verificationMaterial": material,
		"dsseEnvelope": map[string]any{
			"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(statement)),
			"signatures": []any{map[string]any{"sig": signature}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a bundle: %w", err)
	}
	return text, nil
}

// material is what a bundle says about the signer: nothing about a bare key, or the
// certificate and a time at which it was valid.
func (s *Signer) material(signature string) (map[string]any, error) {
	if s.der == nil {
		return map[string]any{"publicKey": map[string]any{"hint": ""}}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return nil, fmt.Errorf("reading a signature: %w", err)
	}
	stamp, err := s.clock.stamp(raw)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"certificate": map[string]any{"rawBytes": base64.StdEncoding.EncodeToString(s.der)},
		"timestampVerificationData": map[string]any{
			"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": base64.StdEncoding.EncodeToString(stamp)}},
		},
	}, nil
}
