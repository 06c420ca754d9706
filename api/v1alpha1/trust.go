package v1alpha1

// Trust says whose signatures images must carry.
type Trust struct {
	// Attestors are identities that sign.
	Attestors []Attestor `json:"attestors,omitempty"`
	// Images says which images need which attestors.
	Images []ImageRule `json:"images,omitempty"`
}

// Attestor is one identity that signs. Exactly one of keys, certificates,
// keyless and notary is set.
type Attestor struct {
	// Name of the attestor.
	Name string `json:"name"`
	// Keys verifies with public keys.
	Keys *Keys `json:"keys,omitempty"`
	// Certificates verifies with the key of an X.509 certificate.
	Certificates *Certificates `json:"certificates,omitempty"`
	// Keyless verifies a short-lived certificate by the identity in it.
	Keyless *Keyless `json:"keyless,omitempty"`
	// Notary verifies Notary Project signatures.
	Notary *Notary `json:"notary,omitempty"`
}

// Keys are public keys. Exactly one of publicKeys, configMap, secret and kms is set.
type Keys struct {
	// PublicKeys is one PEM block PUBLIC KEY.
	PublicKeys *string `json:"publicKeys,omitempty"`
	// ConfigMap that holds the key in the cluster.
	ConfigMap *KeyObject `json:"configMap,omitempty"`
	// Secret that holds the key in the cluster.
	Secret *KeyObject `json:"secret,omitempty"`
	// KMS is the URI of a key in a key management service.
	KMS *string `json:"kms,omitempty"`
	// Rekor is the transparency log. Default: not consulted.
	Rekor *Rekor `json:"rekor,omitempty"`
}

// KeyObject is a ConfigMap or Secret with a public key. It is generated from a
// file of the source, in the namespace of Kyverno.
type KeyObject struct {
	// Name of the object.
	Name string `json:"name"`
	// Key in the data of the object. In a Secret it is cosign.pub, the only one that Kyverno reads.
	Key *string `json:"key,omitempty"`
	// File with the PEM block, relative to the source.
	File string `json:"file"`
}

// Rekor is a transparency log.
type Rekor struct {
	// URL of the log, such as https://rekor.sigstore.dev.
	URL string `json:"url"`
}

// Certificates is the certificate of a signer, which stands for its key. A signature that
// carries a certificate is refused after the end of that.
type Certificates struct {
	// File with one certificate, relative to the source. It is not that of an authority.
	File string `json:"file"`
}

// Keyless is an identity in a Fulcio certificate. It needs an issuer and a subject.
type Keyless struct {
	// Issuer of the identity, such as https://token.actions.githubusercontent.com.
	Issuer *string `json:"issuer,omitempty"`
	// IssuerRegExp is a regular expression that the issuer must match.
	IssuerRegExp *string `json:"issuerRegExp,omitempty"`
	// Subject of the certificate.
	Subject *string `json:"subject,omitempty"`
	// SubjectRegExp is a regular expression that the subject must match.
	SubjectRegExp *string `json:"subjectRegExp,omitempty"`
	// Rekor is the transparency log. Default: https://rekor.sigstore.dev.
	Rekor *Rekor `json:"rekor,omitempty"`
}

// Notary is what signatures of the Notary Project are verified with
// (docs/image-traps.md#certificates-and-the-notary-project). A rule has attestors of this kind
// only, or none.
type Notary struct {
	// File with certificates, relative to the source: of authorities, all of whose signers are
	// trusted, or of signers.
	File string `json:"file"`
}

// ImageRule says which attestors must have signed some images.
type ImageRule struct {
	// Name of the rule; the policy is verify-images-<name>.
	Name string `json:"name"`
	// References are globs over image references, such as ghcr.io/acme/*. A
	// repository without a wildcard includes all its tags and digests.
	References []string `json:"references"`
	// Attestors that must all have signed, or {count: 1, of: [...]}.
	Attestors AttestorSet `json:"attestors"`
	// Tiers to which the rule applies. Default: all.
	Tiers []string `json:"tiers,omitempty"`
	// MutateDigest adds the digest to a verified tag where the rule is enforced. Default: true.
	MutateDigest *bool `json:"mutateDigest,omitempty"`
	// RequireDigest refuses references without a digest where the rule is enforced. Default: false.
	RequireDigest *bool `json:"requireDigest,omitempty"`
	// Attestations that images must have besides signatures.
	Attestations []Attestation `json:"attestations,omitempty"`
}

// Attestation is a signed statement about an image (in-toto) that a rule demands. Each
// attestor that counts has attested the type at least once.
type Attestation struct {
	// Type of the predicate, such as https://slsa.dev/provenance/v1.
	Type string `json:"type"`
	// Attestors that must all have attested, or {count: 1, of: [...]}. Default: those of the rule.
	Attestors *AttestorSet `json:"attestors,omitempty"`
	// Conditions on the predicate. All must hold, for every attestation of the type by an
	// attestor that counts. A rule with conditions stays a ClusterPolicy. Default: none.
	Conditions []Condition `json:"conditions,omitempty"`
}

// Condition is about one field of a predicate, which must be there. Set one of equals, in
// and matches, or a bound.
type Condition struct {
	// Path of the field: the names of fields that lead to it, with dots between them, such as
	// runDetails.builder.id.
	Path string `json:"path"`
	// Equals is the value: a text, a whole number, true or false.
	Equals any `json:"equals,omitempty"`
	// In lists values; the field has one of them.
	In []any `json:"in,omitempty"`
	// Matches is a regular expression for a text. It begins with ^ and ends with $.
	Matches *string `json:"matches,omitempty"`
	// AtLeast is the lower bound of a number.
	AtLeast *int `json:"atLeast,omitempty"`
	// AtMost is the upper bound of a number.
	AtMost *int `json:"atMost,omitempty"`
}

// AttestorSet is a list of attestors that must all have signed, or an object that
// says how many of them are enough.
type AttestorSet struct {
	// Count of signatures that are enough. Default: all.
	Count *int `json:"count,omitempty"`
	// Of are the names of attestors.
	Of []string `json:"of"`
}

// ListField names the field that a bare list stands for.
func (AttestorSet) ListField() string { return "of" }
