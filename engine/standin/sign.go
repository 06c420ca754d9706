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

// Statement says something about an image (in-toto/attestation).
type Statement struct {
	// Type of the predicate, and the predicate, which is JSON.
	Type, Predicate string
	// Subject is the digest of the image.
	Subject v1.Hash
	Signer  *Signer
}

// Statements are empty statements of a type about an image, one by each signer.
func Statements(subject v1.Hash, predicateType string, signers ...*Signer) []Statement {
	out := make([]Statement, len(signers))
	for i, s := range signers {
		out[i] = Statement{Type: predicateType, Predicate: "{}", Subject: subject, Signer: s}
	}
	return out
}

// envelope returns the statement, signed (DSSE), and its signature. schema is the version of
// the statement.
func (s Statement) envelope(schema string) (envelope map[string]any, signature string, err error) {
	const payloadType = "application/vnd.in-toto+json"
	statement := fmt.Sprintf(`{"_type":%q,"predicateType":%q,"subject":[{"name":"","digest":{"sha256":%q}}],"predicate":%s}`, schema, s.Type, s.Subject.Hex, s.Predicate)
	signature, err = s.Signer.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement))
	return map[string]any{
		"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(statement)),
		"signatures": []any{map[string]any{"sig": signature}},
	}, signature, err
}

// Attest stores signed statements under the tag sha256-….TAG, where they are found for the
// image of the digest. cosign's own is [AttestationTag]; with [SignatureTag] they lie where
// signatures are looked for. They replace those that the image had.
func (r *Registry) Attest(repository string, digest v1.Hash, tag string, statements ...Statement) error {
	var layers []mutate.Addendum
	for _, s := range statements {
		envelope, _, err := s.envelope("https://in-toto.io/Statement/v0.1")
		if err != nil {
			return err
		}
		text, err := json.Marshal(envelope)
		if err != nil {
			return fmt.Errorf("encoding an attestation: %w", err)
		}
		annotations := map[string]string{"dev.cosignproject.cosign/signature": ""}
		if s.Signer.Certificate != "" {
			annotations["dev.sigstore.cosign/certificate"], annotations["dev.sigstore.cosign/chain"] = s.Signer.Certificate, s.Signer.Chain
		}
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(text, "application/vnd.dsse.envelope.v1+json"), Annotations: annotations})
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

// Bundle stores signed statements as bundles, which is how newer versions of cosign store
// both signatures and attestations: images that refer to the one of the digest, listed under
// the tag sha256-… (OCI distribution, referrers). They replace those that the image had.
func (r *Registry) Bundle(repository string, digest v1.Hash, statements ...Statement) error {
	bundles := make([]v1.Layer, len(statements))
	for i, s := range statements {
		text, err := s.bundle()
		if err != nil {
			return err
		}
		bundles[i] = static.NewLayer(text, bundleType)
	}
	_, err := r.refer(repository, digest, bundleType, bundles...)
	return err
}

// refer stores artifacts of a type that refer to the image of the digest, one for each layer,
// and returns their digests. They replace those that the image had.
func (r *Registry) refer(repository string, digest v1.Hash, artifactType types.MediaType, layers ...v1.Layer) ([]v1.Hash, error) {
	names := make([]v1.Hash, len(layers))
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, layer := range layers {
		artifact, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), artifactType), mutate.Addendum{Layer: layer})
		if err != nil {
			return nil, fmt.Errorf("making an artifact of type %s: %w", artifactType, err)
		}
		if names[i], err = artifact.Digest(); err != nil {
			return nil, fmt.Errorf("making an artifact of type %s: %w", artifactType, err)
		}
		if err := r.write(repository+"@"+names[i].String(), artifact); err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: artifact, Descriptor: v1.Descriptor{ArtifactType: string(artifactType)}})
	}
	return names, r.writeIndex(repository+":sha256-"+digest.Hex, index)
}

// bundle returns the statement in a bundle.
func (s Statement) bundle() ([]byte, error) {
	envelope, signature, err := s.envelope("https://in-toto.io/Statement/v1")
	if err != nil {
		return nil, err
	}
	material, err := s.Signer.material(signature)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{"mediaType": bundleType, "verificationMaterial": material, "dsseEnvelope": envelope})
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
