package evaluator

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/engine/standin"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
)

// standIn is the engine's side of a [protocol.StandIn].
type standIn struct {
	registry  standin.Registry
	signers   map[string]*standin.Signer // by what stands in the objects
	attestors map[string]*standin.Signer // by name
	found     map[string]bool            // of signers
	stranger  *standin.Signer
	notary    map[*standin.Signer]bool // those that sign for the Notary Project
	impostor  *standin.Signer          // signs for it with another authority
	sigstore  *standin.Sigstore
	authority *standin.Authority // instead of sigstore's
	foreign   *standin.Authority
	digests   map[string]string
}

// newStandIn creates the keys and fills the registries.
func newStandIn(params protocol.StandIn) (*standIn, error) {
	s := &standIn{
		signers: map[string]*standin.Signer{}, attestors: map[string]*standin.Signer{}, found: map[string]bool{},
		notary: map[*standin.Signer]bool{}, digests: map[string]string{},
	}
	var errs [3]error
	s.stranger, errs[0] = standin.NewSigner()
	s.sigstore, errs[1] = standin.TheSigstore()
	if errs[1] == nil {
		s.authority = s.sigstore.Authority
		s.foreign, errs[2] = s.authority.Rival()
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, a := range params.Attestors {
		var err error
		key := strings.TrimSpace(a.Key)
		if a.Name == "" || key == "" || s.signers[key] != nil {
			return nil, fmt.Errorf("standIn: attestor %q has no name, no key or the key of another", a.Name)
		}
		if s.attestors[a.Name] == nil {
			if s.attestors[a.Name], err = s.newSigner(key); err != nil {
				return nil, err
			}
		}
		s.signers[key] = s.attestors[a.Name]
	}
	for _, image := range params.Images {
		if err := s.push(image); err != nil {
			return nil, fmt.Errorf("standIn: image %s: %w", image.Reference, err)
		}
	}
	return s, nil
}

// newSigner returns a signer whose key stands in for one of the objects. For certificates of
// the Notary Project, it is a signer of an authority of its own.
func (s *standIn) newSigner(key string) (*standin.Signer, error) {
	if !strings.HasPrefix(key, "-----BEGIN CERTIFICATE-----") {
		return standin.NewSigner()
	}
	signer, err := s.notarySigner()
	if err == nil && s.impostor == nil {
		s.impostor, err = s.notarySigner()
	}
	if err != nil {
		return nil, err
	}
	s.notary[signer] = true
	return signer, nil
}

// notarySigner returns a signer of a new authority. Only the keys of two of them differ.
func (s *standIn) notarySigner() (*standin.Signer, error) {
	authority, err := s.authority.Rival()
	if err != nil {
		return nil, err
	}
	return authority.IssueChanged(standin.Identity{}, func(c *x509.Certificate) { c.Subject.CommonName = "stand-in signer" })
}

// push creates an image with its signatures.
func (s *standIn) push(image protocol.Image) error {
	if s.digests[image.Reference] != "" {
		return errors.New("is given twice")
	}
	if image.Flaw == protocol.FlawUnreachable {
		return s.registry.Break(image.Reference)
	}
	ref, err := name.ParseReference(image.Reference)
	if err != nil {
		return err
	}
	digest, err := s.registry.Push(image.Reference, ref.Name()) // docker.io/nginx and docker.io/library/nginx are one
	if err != nil {
		return err
	}
	s.digests[image.Reference] = digest.String()
	signers := make([]*standin.Signer, len(image.Signatures))
	for i, signature := range image.Signatures {
		if signers[i], err = s.signer(signature); err != nil {
			return err
		}
	}
	repository := image.Reference[:strings.LastIndex(image.Reference, ":")]
	if len(image.Attestations) > 0 {
		return s.attest(image, repository, digest, signers)
	}
	notary, cosign := s.projects(signers)
	if err := s.notarize(image, repository, digest, notary); err != nil {
		return err
	}
	if len(cosign) == 0 {
		return nil
	}
	return s.sign(image, repository, digest, cosign)
}

// projects tells those who sign for the Notary Project from those who sign with cosign. An
// unknown key does both.
func (s *standIn) projects(signers []*standin.Signer) (notary, cosign []*standin.Signer) {
	for _, signer := range signers {
		if s.notary[signer] {
			notary = append(notary, signer)
			continue
		}
		cosign = append(cosign, signer)
		if signer == s.stranger && s.impostor != nil {
			notary = append(notary, s.impostor)
		}
	}
	return notary, cosign
}

// notarize stores signatures of the Notary Project with the flaw of an image.
func (s *standIn) notarize(image protocol.Image, repository string, digest v1.Hash, signers []*standin.Signer) error {
	if len(signers) == 0 {
		return nil
	}
	notation := standin.Notation{Signed: digest}
	switch image.Flaw {
	case "":
	case protocol.FlawOtherImage:
		notation.Signed = other(digest)
	case protocol.FlawDisguised:
		notation.Payload = "application/vnd.in-toto+json"
	case protocol.FlawAttestation:
		return s.registry.NotarizeBillOfMaterials(repository, digest, signers...)
	case protocol.FlawBundle:
		return s.registry.Bundle(repository, digest, standin.Statements(digest, standin.CosignSignature, signers...)...)
	default:
		return fmt.Errorf("the flaw %q is not known", image.Flaw)
	}
	signatures := make([]standin.Notation, len(signers))
	for i, signer := range signers {
		signatures[i] = notation
		signatures[i].Signer = signer
	}
	return s.registry.Notarize(repository, digest, signatures...)
}

// sign stores signatures of cosign with the flaw of an image.
func (s *standIn) sign(image protocol.Image, repository string, digest v1.Hash, signers []*standin.Signer) error {
	switch image.Flaw {
	case "":
		return s.registry.Sign(repository, digest, digest, signers...)
	case protocol.FlawOtherImage:
		return s.registry.Sign(repository, digest, other(digest), signers...)
	case protocol.FlawAttestation:
		return s.registry.Attest(repository, digest, standin.AttestationTag, standin.Statements(digest, standin.VulnerabilityScan, signers...)...)
	case protocol.FlawBundle:
		return s.registry.Bundle(repository, digest, standin.Statements(digest, standin.VulnerabilityScan, signers...)...)
	case protocol.FlawDisguised:
		return s.registry.Attest(repository, digest, standin.SignatureTag, standin.Statements(digest, standin.VulnerabilityScan, signers...)...)
	}
	return fmt.Errorf("the flaw %q is not known", image.Flaw)
}

// other returns the digest of another image.
func other(digest v1.Hash) v1.Hash {
	return v1.Hash{Algorithm: digest.Algorithm, Hex: strings.Repeat("0", len(digest.Hex))}
}

// attest stores the signatures and the attestations of an image in both formats.
func (s *standIn) attest(image protocol.Image, repository string, digest v1.Hash, signers []*standin.Signer) error {
	signed := digest
	switch image.Flaw {
	case "":
	case protocol.FlawOtherImage:
		signed = other(digest)
	default:
		return fmt.Errorf("an image with attestations cannot have the flaw %q", image.Flaw)
	}
	var statements []standin.Statement
	for _, a := range image.Attestations {
		signer, err := s.signer(a.By)
		if err != nil {
			return err
		}
		statement := standin.Statement{Type: a.Type, Predicate: string(a.Predicate), Subject: digest, Signer: signer}
		if a.OtherImage {
			statement.Subject = other(digest)
		}
		statements = append(statements, statement)
	}
	if len(signers) > 0 {
		if err := s.registry.Sign(repository, digest, signed, signers...); err != nil {
			return err
		}
	}
	if err := s.registry.Attest(repository, digest, standin.AttestationTag, statements...); err != nil {
		return err
	}
	return s.registry.Bundle(repository, digest, append(standin.Statements(signed, standin.CosignSignature, signers...), statements...)...)
}

// signer returns the signer of a signature.
func (s *standIn) signer(signature protocol.Signature) (*standin.Signer, error) {
	if identity := signature.Identity; identity != nil {
		authority := s.authority
		if identity.Foreign {
			authority = s.foreign
		}
		return authority.Issue(standin.Identity{Issuer: identity.Issuer, Subject: identity.Subject})
	}
	if signature.Attestor == "" {
		return s.stranger, nil
	}
	if s.attestors[signature.Attestor] == nil {
		return nil, fmt.Errorf("attestor %q is not given", signature.Attestor)
	}
	return s.attestors[signature.Attestor], nil
}

// replace returns the stand-in for a key of the objects: a public key, or for certificates of
// the Notary Project the certificate of an authority.
func (s *standIn) replace(key string) (standIn string, found bool) {
	key = strings.TrimSpace(key)
	signer, found := s.signers[key]
	if !found {
		return "", false
	}
	s.found[key] = true
	return cmp.Or(signer.Chain, signer.PublicKey), true
}

// configMaps replaces the keys in ConfigMaps by stand-ins.
func (s *standIn) configMaps(index configMaps) {
	for _, cm := range index {
		for name, text := range cm.Data {
			if publicKey, found := s.replace(text); found {
				cm.Data[name] = publicKey
			}
		}
	}
}

// policy replaces all keys and authorities of image rules by stand-ins.
func (s *standIn) policy(policy kyvernov1.PolicyInterface) error {
	for _, rule := range policy.GetSpec().Rules {
		for i, entry := range rule.VerifyImages {
			at := fmt.Sprintf("rule %s: verifyImages[%d]", rule.Name, i)
			if entry.Type != "" && entry.Type != kyvernov1.Cosign && entry.Type != kyvernov1.Notary {
				return fmt.Errorf("%s: nothing stands in for signatures of type %s", at, entry.Type)
			}
			if entry.UseCache && entry.FailureAction != nil && entry.FailureAction.Enforce() {
				return fmt.Errorf("%s: enforced with useCache: a signed tag would still be admitted when it is moved to another image", at)
			}
			notary := entry.Type == kyvernov1.Notary
			if err := s.attestorSets(at, notary, entry.Attestors); err != nil {
				return err
			}
			for j, a := range entry.Attestations {
				if len(a.Attestors) == 0 {
					return fmt.Errorf("%s.attestations[%d]: without attestors, anyone may attest", at, j)
				}
				if err := s.attestorSets(fmt.Sprintf("%s.attestations[%d]", at, j), notary, a.Attestors); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// attestorSets replaces the keys and authorities of attestors.
func (s *standIn) attestorSets(at string, notary bool, sets []kyvernov1.AttestorSet) error {
	for i := range sets {
		for j := range sets[i].Entries {
			if err := s.attestor(notary, &sets[i].Entries[j]); err != nil {
				return fmt.Errorf("%s.attestors[%d].entries[%d]: %w", at, i, j, err)
			}
		}
	}
	return nil
}

// attestor replaces the key or authority of one entry. It removes the log, and the keys of sigstore's logs, which
// Kyverno would fetch.
func (s *standIn) attestor(notary bool, a *kyvernov1.Attestor) error {
	switch {
	case notary && a.Certificates != nil && a.Certificates.CertificateChain == "":
		return s.certificates(&a.Certificates.Certificate)
	case notary: // Kyverno needs certificates
	case a.Keyless != nil && a.Keyless.Roots == "":
		a.Keyless.Roots = s.authority.Roots
		a.Keyless.Rekor, a.Keyless.CTLog = withoutLog(a.Keyless.Rekor, a.Keyless.CTLog)
		return nil
	case a.Keys != nil:
		a.Keys.Rekor, a.Keys.CTLog = withoutLog(a.Keys.Rekor, a.Keys.CTLog)
		return s.keys(a.Keys)
	}
	return errors.New("nothing stands in for an attestor of this kind")
}

// imagePolicy replaces all keys of an ImageValidatingPolicy, and the trust root of sigstore, by stand-ins, and removes
// the logs. Of a keyless attestor nothing else changes: Kyverno compares identities, and finds the authority, as in a
// cluster.
func (s *standIn) imagePolicy(policy *policiesv1beta1.ImageValidatingPolicy) error {
	for i := range policy.Spec.Attestors {
		a := &policy.Spec.Attestors[i]
		replace := func() error { return s.cosign(a.Cosign) }
		if n := a.Notary; n != nil && n.Certs != nil && n.Certs.Expression == "" && n.TSACerts == nil {
			replace = func() error { return s.certificates(&n.Certs.Value) }
		}
		if err := replace(); err != nil {
			return fmt.Errorf("attestors[%d]: %w", i, err)
		}
	}
	return nil
}

// certificates replaces certificates of the Notary Project.
func (s *standIn) certificates(certificates *string) error {
	authority, found := s.replace(*certificates)
	if !found {
		return errors.New("the certificates are of no attestor")
	}
	*certificates = authority
	return nil
}

// cosign replaces the key or the trust root of one attestor of an ImageValidatingPolicy.
func (s *standIn) cosign(a *policiesv1beta1.Cosign) error {
	switch {
	case a != nil && a.Keyless != nil && a.Key == nil && a.Keyless.Roots == "" && a.TUF == nil && a.TrustedRoot == nil:
		if err := s.sigstore.Serve(); err != nil {
			return err
		}
		a.TUF = &policiesv1beta1.TUF{Mirror: standin.Mirror}
		a.TUF.Root.Data = base64.StdEncoding.EncodeToString(s.sigstore.Root)
	case a != nil && a.Key != nil && a.Keyless == nil:
		key := cmp.Or(a.Key.KMS, a.Key.Data)
		publicKey, found := s.replace(key)
		if !found {
			return fmt.Errorf("the key %q is of no attestor", key)
		}
		a.Key.Data, a.Key.KMS = publicKey, ""
	default:
		return errors.New("nothing stands in for an attestor of this kind")
	}
	a.CTLog = &policiesv1beta1.CTLog{InsecureIgnoreSCT: true, InsecureIgnoreTlog: true}
	return nil
}

// keys replaces the key of an entry. A variable reads a ConfigMap.
func (s *standIn) keys(keys *kyvernov1.StaticKeyAttestor) error {
	key := keys.PublicKeys
	switch {
	case keys.Secret != nil:
		key = "k8s://" + keys.Secret.Namespace + "/" + keys.Secret.Name
	case keys.KMS != "":
		key = keys.KMS
	case strings.HasPrefix(key, "{{"):
		return nil
	}
	publicKey, found := s.replace(key)
	if !found {
		return fmt.Errorf("the key %q is of no attestor", key)
	}
	keys.PublicKeys, keys.Secret, keys.KMS = publicKey, nil, ""
	return nil
}

// withoutLog returns settings that use no transparency log.
func withoutLog(rekor *kyvernov1.Rekor, ctlog *kyvernov1.CTLog) (*kyvernov1.Rekor, *kyvernov1.CTLog) {
	if rekor == nil {
		rekor = &kyvernov1.Rekor{}
	}
	if ctlog == nil {
		ctlog = &kyvernov1.CTLog{}
	}
	rekor.IgnoreTlog, ctlog.IgnoreSCT = true, true
	return rekor, ctlog
}

// missing returns the attestors whose key is in none of the objects.
func (s *standIn) missing(attestors []protocol.Attestor) []protocol.Attestor {
	var out []protocol.Attestor
	for _, a := range attestors {
		if !s.found[strings.TrimSpace(a.Key)] {
			out = append(out, a)
		}
	}
	return out
}
