package engine

import "encoding/json"

// StandIn makes the engine stand in for registries and signers, so that image rules can
// be evaluated without the network and without private keys. The engine answers for
// every host name from memory, with the Images and nothing else.
//
// The key material of image rules is replaced after the objects were validated,
// and nothing else of them: each key of an attestor by one that the engine signs
// with, and for keyless entries the certificate authority of sigstore by one of
// the engine; in an ImageValidatingPolicy by way of sigstore's trust root, which the
// engine serves. Transparency logs are not asked.
//
// A key that cannot be replaced is a [Problem] of severity error: an attestor whose key
// is in none of the objects, or a policy with a key that belongs to no attestor.
type StandIn struct {
	// Attestors with a key. Keyless ones need none: their certificates are made for an [Identity].
	Attestors []Attestor `json:"attestors,omitempty"`
	// Images that exist.
	Images []Image `json:"images,omitempty"`
}

// Attestor is a key of image rules. A key that the objects have in several forms, such as
// a text and a Secret, is listed once per form with the same name.
type Attestor struct {
	// Name for [Signature].Attestor.
	Name string `json:"name"`
	// Key as written in the loaded objects: the text of a public key in a policy or in a ConfigMap, k8s://NAMESPACE/NAME
	// for a Secret, the URI of a key in a KMS, or PEM certificates, with which the Notary Project verifies.
	Key string `json:"key"`
}

// Image is one image of the registries. [LoadResult].Digests has its digest,
// which is the same in every run.
type Image struct {
	// Reference is host/repository:tag.
	Reference string `json:"reference"`
	// Signatures of the image; an image without any is unsigned.
	Signatures []Signature `json:"signatures,omitempty"`
	// Flaw is what is wrong with the image, or with all its signatures.
	Flaw Flaw `json:"flaw,omitempty"`
	// Attestations of the image. An image that has some is signed in both formats, and has them
	// in both, in this order: some kinds of policies read the one, some the other.
	Attestations []Attestation `json:"attestations,omitempty"`
}

// Attestation is a signed statement about an image.
type Attestation struct {
	// Type of the predicate.
	Type string `json:"type"`
	// Predicate is JSON.
	Predicate json.RawMessage `json:"predicate"`
	// By is who attests.
	By Signature `json:"by"`
	// OtherImage is set if the statement is about another image.
	OtherImage bool `json:"otherImage,omitempty"`
}

// Flaw is what is wrong with an image although the signer is right.
type Flaw string

// The flaws.
const (
	// FlawOtherImage: the signatures are of another image.
	FlawOtherImage Flaw = "other-image"
	// FlawAttestation: they are attestations, not signatures.
	FlawAttestation Flaw = "attestation"
	// FlawDisguised: they are attestations, stored where signatures belong.
	FlawDisguised Flaw = "disguised-attestation"
	// FlawBundle: they are attestations in the format of bundles.
	FlawBundle Flaw = "attestation-bundle"
	// FlawUnreachable: the registry does not answer when asked for the tag. The image has no digest.
	FlawUnreachable Flaw = "unreachable"
)

// Signature names the signer. Without an attestor or an identity, the signature is made
// with an unknown key.
type Signature struct {
	// Attestor is the name of an attestor with a key.
	Attestor string `json:"attestor,omitempty"`
	// Identity in a certificate, for a keyless signature.
	Identity *Identity `json:"identity,omitempty"`
}

// Identity is what a certificate says about the signer. Empty fields are left out of it.
type Identity struct {
	// Issuer of the identity.
	Issuer string `json:"issuer,omitempty"`
	// Subject is a URI or an e-mail address.
	Subject string `json:"subject,omitempty"`
	// Foreign is set if the certificate is issued by an untrusted authority.
	Foreign bool `json:"foreign,omitempty"`
}
