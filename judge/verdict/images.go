package verdict

import (
	"cmp"
	"encoding/pem"
	"fmt"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

const (
	// maxAttestors is the most attestors for which all combinations are considered.
	maxAttestors = 10
	// maxSets is the most combinations of signers that are tried of each sort.
	maxSets = 12
	// stranger is a subject that no profile names.
	stranger = "https://stranger.gatehouse.invalid/x"
)

// imageTrial is an image rule with the images to check it with.
type imageTrial struct {
	quorum
	image        *plan.Image
	demands      []demand
	tag          string // prefix of the tags of its images
	repositories []string
	without      []string // globs without a repository
	samples      []sample
	untried      int // combinations of signers beyond maxSets
	// inCEL is set if the rule becomes policies in CEL.
	inCEL bool
	// reason why the rule cannot be checked; empty if it can.
	reason string
}

// quorum is a number of signers of which count are enough.
type quorum struct {
	signers []signer
	count   int
}

// signer is an attestor and its signature.
type signer struct {
	plan.Attestor
	key       string // as written in the objects; empty if keyless
	signature engine.Signature
}

// sample is an image that is signed in some way. Each repository has one.
type sample struct {
	name, tag  string
	signatures []engine.Signature
	flaw       engine.Flaw
	// attestations that the image has; nil stands for those that the rule demands.
	attestations []engine.Attestation
	// good is set if the rule should admit the image.
	good bool
	// absent is set if the image is not in the registry, or the registry does not answer.
	absent bool
}

// The indexes of the samples that every trial has.
const (
	sampleUnsigned = iota
	sampleForeign
	sampleAbsent
	sampleUnreachable
	sampleFirst // the first good sample
)

// newImageTrial returns the trial of an image rule. It depends on what the profile says,
// not on what is emitted. known maps keys to the names of signers.
func newImageTrial(env plan.Environment, policy plan.Policy, known map[string]string) *imageTrial {
	t := &imageTrial{image: policy.Image, tag: policy.Name, inCEL: policy.Target != catalog.ClusterPolicy}
	t.repositories, t.without = repositories(policy.Image.References)
	t.quorum = t.newQuorum(env, policy.Target, policy.Image.Count, policy.Image.Attestors, known)
	for _, a := range policy.Image.Attestations {
		t.demands = append(t.demands, demand{t.newQuorum(env, policy.Target, a.Count, a.Attestors, known), a.Type, a.Conditions})
		if _, err := goodPredicate(a.Conditions); err != nil {
			t.reason = err.Error()
		}
	}
	if t.reason == "" && len(t.repositories) > 0 {
		t.sample()
	}
	return t
}

// newQuorum returns the signers of attestors. The trial has a reason if it finds none for one.
func (t *imageTrial) newQuorum(env plan.Environment, target string, count int, attestors []plan.Attestor, known map[string]string) quorum {
	q := quorum{count: count}
	for _, a := range attestors {
		s, err := newSigner(env, target, a, known)
		if err != nil {
			t.reason = err.Error()
		}
		q.signers = append(q.signers, s)
	}
	if len(q.signers) > maxAttestors {
		t.reason = fmt.Sprintf("more than %d attestors have too many combinations", maxAttestors)
	}
	return q
}

// newSigner returns the signer of an attestor, with a made-up identity if it is
// keyless. Attestors that share a key share a signer, wherever the key is stored.
//
// target is the kind of policy.
func newSigner(env plan.Environment, target string, a plan.Attestor, known map[string]string) (signer, error) {
	s := signer{Attestor: a}
	if a.Keyless != nil {
		issuer, subject, err := identity(*a.Keyless)
		s.signature.Identity = &engine.Identity{Issuer: issuer, Subject: subject}
		if err != nil {
			return s, fmt.Errorf("attestor %s: %w", a.Name, err)
		}
		return s, nil
	}
	stored := func(kind, name, key string) string {
		i := slices.IndexFunc(env.Trust, func(t plan.TrustObject) bool { return t.Kind == kind && t.Name == name })
		return env.Trust[i].Data[key]
	}
	same := "" // the same for all forms of one key
	switch {
	case a.ConfigMap != "":
		s.key = stored("ConfigMap", a.ConfigMap, a.ConfigMapKey)
		same = s.key
	case a.Secret != "":
		s.key, same = "k8s://"+env.Kyverno.Namespace+"/"+a.Secret, stored("Secret", a.Secret, "cosign.pub")
		if target != catalog.ClusterPolicy { // policies in CEL hold it
			s.key = same
		}
	default:
		s.key = cmp.Or(a.KMS, a.PublicKeys, a.Notary)
		same = s.key
	}
	if block, _ := pem.Decode([]byte(same)); block != nil && a.Notary == "" {
		same = string(block.Bytes)
	}
	if known[same] == "" {
		known[same] = a.Name
	}
	s.signature.Attestor = known[same]
	return s, nil
}

// identity returns an identity that the keyless attestor accepts and that fits into a
// certificate.
func identity(k plan.Keyless) (issuer, subject string, err error) {
	issuer, subject = k.Issuer, k.Subject
	for text, pattern := range map[*string]string{&issuer: k.IssuerRegExp, &subject: k.SubjectRegExp} {
		if pattern == "" {
			continue
		}
		var ok bool
		if *text, ok = example(pattern); !ok {
			return "", "", fmt.Errorf("no text was found that %s matches", pattern)
		}
	}
	if uri, err := url.Parse(subject); !strings.Contains(subject, "@") && (err != nil || uri.String() != subject) {
		return "", "", fmt.Errorf("the subject %q fits into no certificate", subject)
	}
	return issuer, subject, nil
}

// accepts reports whether the attestor accepts the signature.
func (s signer) accepts(by engine.Signature) bool {
	if s.Keyless == nil {
		return s.signature.Attestor == by.Attestor
	}
	return by.Identity != nil && !by.Identity.Foreign &&
		accepts(s.Keyless.Issuer, s.Keyless.IssuerRegExp, by.Identity.Issuer) && accepts(s.Keyless.Subject, s.Keyless.SubjectRegExp, by.Identity.Subject)
}

func accepts(exact, pattern, text string) bool {
	if pattern == "" {
		return exact == text
	}
	matches, err := regexp.MatchString(pattern, text)
	return matches && err == nil
}

// enough reports whether the signatures satisfy enough attestors.
func (q quorum) enough(signatures []engine.Signature) bool {
	count := 0
	for _, s := range q.signers {
		if slices.ContainsFunc(signatures, s.accepts) {
			count++
		}
	}
	return count >= q.count
}

// by returns the signatures and names of the signers whose bit is set.
func (q quorum) by(set uint) (signatures []engine.Signature, names string) {
	for i, s := range q.signers {
		if set&(1<<i) != 0 {
			signatures = append(signatures, s.signature)
			names += ", " + s.Name
		}
	}
	return signatures, strings.TrimPrefix(names, ", ")
}

// sets returns the smallest sets of signers that are enough and the largest that are not.
func (q quorum) sets() (smallest, largest []uint) {
	enough := func(set uint) bool {
		signatures, _ := q.by(set)
		return q.enough(signatures)
	}
	for set := uint(1); set < 1<<len(q.signers); set++ {
		is, edge := enough(set), true
		for i := range q.signers {
			if bit := uint(1) << i; is == (set&bit != 0) { // one fewer, or one more
				edge = edge && is != enough(set^bit)
			}
		}
		if edge && is {
			smallest = append(smallest, set)
		}
		if edge && !is {
			largest = append(largest, set)
		}
	}
	return smallest, largest
}

// fewSets is sets with at most maxSets of each sort, and how many that leaves out.
func (q quorum) fewSets() (smallest, largest []uint, left int) {
	smallest, largest = q.sets()
	for _, sets := range []*[]uint{&smallest, &largest} {
		if more := len(*sets) - maxSets; more > 0 {
			left += more
			*sets = (*sets)[:maxSets]
		}
	}
	return smallest, largest, left
}

// sample adds the images: signed by enough signers, by too few, and in ways that must
// not count.
func (t *imageTrial) sample() {
	t.add("unsigned", sample{})
	t.add("signed by a key that the profile does not name", sample{signatures: []engine.Signature{{}}})
	t.add("not in the registry", sample{absent: true})
	t.add("in a registry that does not answer", sample{absent: true, flaw: engine.FlawUnreachable})
	smallest, largest, left := t.fewSets()
	t.untried += left
	for _, set := range smallest {
		signatures, names := t.by(set)
		t.add("signed by "+names, sample{signatures: signatures, good: true})
	}
	for _, set := range largest {
		signatures, names := t.by(set)
		t.add("signed only by "+names, sample{signatures: signatures})
	}
	signatures, _ := t.by(smallest[0])
	t.add("with the signatures of another image", sample{signatures: signatures, flaw: engine.FlawOtherImage})
	t.add("attested and not signed", sample{signatures: signatures, flaw: engine.FlawAttestation})
	t.add("attested instead of signed", sample{signatures: signatures, flaw: engine.FlawDisguised})
	t.add("attested in a bundle and not signed", sample{signatures: signatures, flaw: engine.FlawBundle})
	for i, s := range t.signers {
		if n := slices.IndexFunc(smallest, func(set uint) bool { return set&(1<<i) != 0 }); n >= 0 && s.Keyless != nil {
			t.impostors(s, smallest[n], i)
		}
	}
	for i := range t.demands {
		t.attestations(i, sample{signatures: signatures})
	}
}

// impostors adds images on which an impostor replaces one keyless signer of a set that
// is just enough.
func (t *imageTrial) impostors(s signer, set uint, at int) {
	others, _ := t.by(set &^ (1 << at))
	for what, identity := range impostors(*s.signature.Identity) {
		signatures := append(slices.Clone(others), engine.Signature{Identity: &identity})
		if !t.enough(signatures) { // a pattern may be open at its end
			t.add("signed with "+what+" for "+s.Name, sample{signatures: signatures})
		}
	}
}

// impostors returns identities that differ from the right one, in what is said of each.
func impostors(right engine.Identity) iter.Seq2[string, engine.Identity] {
	return func(yield func(string, engine.Identity) bool) {
		_ = yield("another subject", engine.Identity{Issuer: right.Issuer, Subject: stranger}) &&
			yield("a longer subject", engine.Identity{Issuer: right.Issuer, Subject: right.Subject + "x"}) &&
			yield("another issuer", engine.Identity{Issuer: stranger, Subject: right.Subject}) &&
			yield("a longer issuer", engine.Identity{Issuer: right.Issuer + "x", Subject: right.Subject}) &&
			yield("no issuer", engine.Identity{Subject: right.Subject}) &&
			yield("a certificate of another authority", engine.Identity{Issuer: right.Issuer, Subject: right.Subject, Foreign: true})
	}
}

func (t *imageTrial) add(name string, s sample) {
	s.name, s.tag = name, fmt.Sprintf("%s-%d", t.tag, len(t.samples))
	if s.attestations == nil && !s.absent && (s.flaw == "" || s.flaw == engine.FlawOtherImage) {
		s.attestations = t.attested()
	}
	t.samples = append(t.samples, s)
}

// unsigned returns the reference of an unsigned image of the repository.
func (t *imageTrial) unsigned(repository string) string {
	return repository + ":" + t.samples[sampleUnsigned].tag
}

// standIn returns the trials by policy, and the keys and images that the engine needs
// for them, in the order of the plan.
func standIn(env plan.Environment) (map[string]*imageTrial, *engine.StandIn) {
	trials := map[string]*imageTrial{}
	out := &engine.StandIn{}
	known, keys, images := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, policy := range env.Policies {
		if policy.Image == nil {
			continue
		}
		t := newImageTrial(env, policy, known)
		trials[policy.Name] = t
		for _, s := range t.everyone() {
			if key := strings.TrimSpace(s.key); key != "" && !keys[key] {
				keys[key] = true
				out.Attestors = append(out.Attestors, engine.Attestor{Name: s.signature.Attestor, Key: key})
			}
		}
		for _, reference := range exemptImages(env, policy) {
			if !images[reference] {
				images[reference] = true
				out.Images = append(out.Images, engine.Image{Reference: reference})
			}
		}
		for _, repository := range t.repositories {
			for _, s := range append(slices.Clone(t.samples), sample{tag: "latest"}) {
				if reference := repository + ":" + s.tag; (!s.absent || s.flaw != "") && !images[reference] {
					images[reference] = true
					out.Images = append(out.Images, engine.Image{Reference: reference, Signatures: s.signatures, Flaw: s.flaw, Attestations: s.attestations})
				}
			}
		}
	}
	if len(trials) == 0 {
		return nil, nil
	}
	return trials, out
}

// exemptImages returns an unsigned image, by its tag, for each image that an exception from an
// image rule names: without one in the registry, nothing would be refused that it exempts.
func exemptImages(env plan.Environment, policy plan.Policy) []string {
	var all []string
	for _, x := range env.Exceptions {
		if !slices.ContainsFunc(x.Policies, func(p plan.ExceptionPolicy) bool { return p.Name == policy.Name }) {
			continue
		}
		for _, glob := range x.Images {
			if image := concrete(glob); taggedImage.MatchString(image) {
				all = append(all, image)
			}
		}
	}
	return all
}

// taggedImage is an image of a registry by its tag.
var taggedImage = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9._-]*$`)
