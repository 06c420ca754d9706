package engine

// StandIn has the engine answer for registries and sign by itself, so that
// image rules can be evaluated without the network and without anybody's private
// key. Every host name is answered from memory and holds the Images, nothing else.
//
// The key material of image rules is replaced after the objects were validated,
// and nothing else of them: each key of an attestor by one that the engine signs
// with, and for keyless entries the certificate authority of sigstore by one of
// the engine. Transparency logs are not asked.
//
// What cannot be replaced is a [Problem] of severity error: an attestor whose key
// is in none of the objects, and a policy with a key that is of no attestor.
type StandIn struct {
	// Attestors with a key. Keyless ones need none: their certificates are made for an [Identity].
	Attestors []Attestor `json:"attestors,omitempty"`
	// Images that exist.
	Images []Image `json:"images,omitempty"`
}

// Attestor is a key of image rules. One that the objects have in several forms,
// as a text and in a Secret, is given several times by the same name.
type Attestor struct {
	// Name for [Signature].Attestor.
	Name string `json:"name"`
	// Key is what the loaded objects have: the text of a public key in a policy or in a ConfigMap, k8s://NAMESPACE/NAME
	// for a Secret, or the URI of a key in a KMS.
	Key string `json:"key"`
}

// Image is one image of the registries. [LoadResult].Digests has its digest,
// which is the same in every run.
type Image struct {
	// Reference is host/repository:tag.
	Reference string `json:"reference"`
	// Signatures of the image; none: it is unsigned.
	Signatures []Signature `json:"signatures,omitempty"`
	// Flaw is what is wrong with the image, or with all its signatures.
	Flaw Flaw `json:"flaw,omitempty"`
}

// Flaw is what can be wrong although who signs is right.
type Flaw string

// The flaws.
const (
	// FlawOtherImage: the signatures are of another image.
	FlawOtherImage Flaw = "other-image"
	// FlawAttestation: they are attestations and no signatures.
	FlawAttestation Flaw = "attestation"
	// FlawDisguised: they are attestations, in the place of signatures.
	FlawDisguised Flaw = "disguised-attestation"
	// FlawUnreachable: the registry does not answer when asked for the tag. The image has no digest.
	FlawUnreachable Flaw = "unreachable"
)

// Signature says who signs. Without an attestor and an identity it is somebody
// with a key that nobody knows.
type Signature struct {
	// Attestor is the name of one with a key.
	Attestor string `json:"attestor,omitempty"`
	// Identity in a certificate, for a keyless signature.
	Identity *Identity `json:"identity,omitempty"`
}

// Identity is what a certificate says about who signs. Empty fields are not in it.
type Identity struct {
	// Issuer of the identity.
	Issuer string `json:"issuer,omitempty"`
	// Subject is a URI or an e-mail address.
	Subject string `json:"subject,omitempty"`
	// Foreign: the certificate is of an authority that nobody trusts.
	Foreign bool `json:"foreign,omitempty"`
}
