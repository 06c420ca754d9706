package standin

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/notaryproject/notation-core-go/signature"
	"github.com/notaryproject/notation-core-go/signature/cose"
	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-go/registry"
)

// The media types of envelopes of the Notary Project.
const (
	JWS  = jws.MediaTypeEnvelope
	COSE = cose.MediaTypeEnvelope
)

// notaryPayload is the media type of what the Notary Project signs.
const notaryPayload = "application/vnd.cncf.notary.payload.v1+json"

// Notation is a signature of the Notary Project.
type Notation struct {
	// Signed is the digest of the image that it is a signature of.
	Signed v1.Hash
	// Signer has a certificate.
	Signer *Signer
	// Format is the media type of its envelope. Default: [JWS].
	Format string
	// Payload is the media type of what is signed. Default: that of the project; with another
	// it does not sign an image.
	Payload string
}

// Notarize stores signatures of the Notary Project: artifacts that refer to the image of the
// digest (notaryproject/specifications, signature-specification.md). They replace those that
// the image had.
func (r *Registry) Notarize(repository string, digest v1.Hash, signatures ...Notation) error {
	envelopes := make([]v1.Layer, len(signatures))
	for i, n := range signatures {
		image, err := r.describe(repository, digest)
		if err != nil {
			return err
		}
		image.Digest = n.Signed
		text, err := n.envelope(image)
		if err != nil {
			return fmt.Errorf("signing %s@%s: %w", repository, digest, err)
		}
		envelopes[i] = static.NewLayer(text, types.MediaType(cmp.Or(n.Format, JWS)))
	}
	_, err := r.refer(repository, digest, registry.ArtifactTypeNotation, envelopes...)
	return err
}

// NotarizeBillOfMaterials stores a bill of materials of an image, which is signed where the
// image is not. It replaces what referred to the image.
func (r *Registry) NotarizeBillOfMaterials(repository string, digest v1.Hash, signers ...*Signer) error {
	const spdx types.MediaType = "application/spdx+json"
	names, err := r.refer(repository, digest, spdx, static.NewLayer([]byte("{}"), spdx))
	if err != nil {
		return err
	}
	signatures := make([]Notation, len(signers))
	for i, s := range signers {
		signatures[i] = Notation{Signed: names[0], Signer: s}
	}
	return r.Notarize(repository, names[0], signatures...)
}

// describe returns the descriptor of what has a digest.
func (r *Registry) describe(repository string, digest v1.Hash) (*v1.Descriptor, error) {
	ref, err := name.NewDigest(repository + "@" + digest.String())
	if err != nil {
		return nil, err
	}
	found, err := remote.Head(ref, remote.WithTransport(r))
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", ref, err)
	}
	return found, nil
}

// envelope returns the signature of an image.
func (n Notation) envelope(image *v1.Descriptor) ([]byte, error) {
	payload, err := json.Marshal(map[string]any{"targetArtifact": map[string]any{"mediaType": image.MediaType, "digest": image.Digest, "size": image.Size}})
	if err != nil {
		return nil, err
	}
	chain, err := n.Signer.chain()
	if err != nil {
		return nil, err
	}
	signer, err := signature.NewLocalSigner(chain, n.Signer.key)
	if err != nil {
		return nil, err
	}
	envelope, err := signature.NewEnvelope(cmp.Or(n.Format, JWS))
	if err != nil {
		return nil, err
	}
	return envelope.Sign(&signature.SignRequest{
		Payload: signature.Payload{ContentType: cmp.Or(n.Payload, notaryPayload), Content: payload},
		Signer:  signer, SigningTime: stamped(), SigningScheme: signature.SigningSchemeX509, SigningAgent: "gatehouse stand-in",
	})
}

// chain returns the certificate of the signer, and the one of its authority.
func (s *Signer) chain() ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode([]byte(s.Certificate + s.Chain)); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
