package cel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// signatureType is the type that cosign gives to a signature in the format of bundles. In
// that format signatures and attestations are the same to Kyverno but for their type.
const signatureType = "https://sigstore.dev/cosign/sign/v1"

// bundled ends the name of an attestor that only accepts bundles.
const bundled = "b"

// attestors returns Kyverno's form of the attestors. Those of cosign's signatures are there twice: as
// they are, and so that they only accept bundles. What is signed in the older format has a
// signature in an annotation, what is in a bundle has an empty one there.
func (o imageObject) attestors() []any {
	image := o.check.policy.Image
	var all []any
	for i, a := range image.Attestors {
		if a.Notary != "" {
			all = append(all, map[string]any{"name": attestorName(i), "notary": map[string]any{"certs": map[string]any{"value": a.Notary}}})
			continue
		}
		all = append(all, attestor(attestorName(i), o.cosign(a)))
		only := o.cosign(a)
		only["annotations"] = map[string]any{"dev.cosignproject.cosign/signature": ""}
		all = append(all, attestor(attestorName(i)+bundled, only))
	}
	for i, demand := range image.Attestations {
		for j, a := range demand.Attestors {
			all = append(all, attestor(attesterName(i, j), o.cosign(a)))
		}
	}
	return all
}

// attestations returns what Kyverno is asked for: the type of signatures in bundles, and
// those that the rule demands.
func (o imageObject) attestations() []any {
	if o.check.policy.Image.Notary() {
		return nil
	}
	all := []any{attestation("signature", signatureType)}
	for i, demand := range o.check.policy.Image.Attestations {
		all = append(all, attestation(attestationName(i), demand.Type))
	}
	return all
}

func attestation(name, predicate string) map[string]any {
	return map[string]any{"name": name, "intoto": map[string]any{"type": predicate}}
}

func attestationName(i int) string { return fmt.Sprintf("t%d", i+1) }

// attesterName is the name of an attestor of a demanded attestation.
func attesterName(i, j int) string { return attestationName(i) + attestorName(j) }

func attestor(name string, cosign map[string]any) any {
	return map[string]any{"name": name, "cosign": cosign}
}

func attestorName(i int) string { return fmt.Sprintf("a%d", i+1) }

// cosign returns Kyverno's form of an attestor. Keys from files are in the policy itself:
// nothing is looked up at admission. A key has no certificate to be logged.
func (o imageObject) cosign(a plan.Attestor) map[string]any {
	if a.Keyless != nil {
		return map[string]any{"keyless": map[string]any{"identities": []any{identity(*a.Keyless)}}, "ctlog": map[string]any{"url": a.RekorURL}}
	}
	key := map[string]any{"hashAlgorithm": "sha256"}
	if a.KMS != "" {
		key["kms"] = a.KMS
	} else {
		key["data"] = o.publicKey(a)
	}
	log := map[string]any{"insecureIgnoreSCT": true, "insecureIgnoreTlog": true}
	if a.RekorURL != "" {
		log = map[string]any{"insecureIgnoreSCT": true, "url": a.RekorURL}
	}
	return map[string]any{"key": key, "ctlog": log}
}

// identity is Kyverno's form of an identity. There is one for each attestor: for a bundle,
// Kyverno refuses to look for one of several.
func identity(k plan.Keyless) map[string]any {
	out := map[string]any{}
	for field, value := range map[string]string{
		"issuer": k.Issuer, "issuerRegExp": k.IssuerRegExp,
		"subject": k.Subject, "subjectRegExp": k.SubjectRegExp,
	} {
		if value != "" {
			out[field] = value
		}
	}
	return out
}

// publicKey returns the key of an attestor, wherever it is stored.
func (o imageObject) publicKey(a plan.Attestor) string {
	for _, t := range o.env.Trust {
		switch {
		case t.Kind == "ConfigMap" && t.Name == a.ConfigMap:
			return t.Data[a.ConfigMapKey]
		case t.Kind == "Secret" && t.Name == a.Secret:
			for _, key := range t.Data {
				return key
			}
		}
	}
	return a.PublicKeys
}

// repository is an expression for an image with a digest without its tag and digest.
func repository(image string) string {
	return fmt.Sprintf(`[%[1]s.substring(0, %[1]s.indexOf("@"))].map(n, n.lastIndexOf(":") > n.lastIndexOf("/") ? n.substring(0, n.lastIndexOf(":")) : n)[0]`, image)
}

// signedBy is an expression that is true if the image d has a signature of an attestor. In a
// bundle it has the type of one. Kyverno also finds no bundle when the registry does not
// answer, so none must be found twice, and the place of the older format must be there.
func signedBy(name string) string {
	bundle := fmt.Sprintf("verifyImageSignatures(d, [%s%s])", name, bundled)
	place := repository("d") + ` + ":" + d.substring(d.indexOf("@") + 1).replace(":", "-") + ".sig"`
	return fmt.Sprintf(`(%s > 0 ? verifyAttestationSignatures(d, attestations.signature, [%s]) > 0 :
image.getMetadata(%s).digest != "" && verifyImageSignatures(d, [%s]) > 0 && %s == 0)`, bundle, name, place, name, bundle)
}

// attested is an expression that is true if the image d has the attestations that the rule
// demands. Kyverno finds none when the registry does not answer.
func (o imageObject) attested() string {
	var all []string
	for i, demand := range o.check.policy.Image.Attestations {
		var names []string
		for j := range demand.Attestors {
			names = append(names, "attestors."+attesterName(i, j))
		}
		all = append(all, fmt.Sprintf("verifyAttestationSignatures(d, attestations.%s, [%s]) >= %d", attestationName(i), strings.Join(names, ", "), demand.Count))
	}
	return strings.Join(all, " && ")
}

// signatures are variables: the images that must be signed, their digests, and those that
// are not signed.
//
// Kyverno remembers for an hour which reference passed, and waits without end if it is asked
// about an image that it has looked up, and then about one that it has not. So it is asked
// about digests, all once before any is asked about again, and under a tag that no other
// request has: beside a digest, a tag is not read. Signatures of the Notary Project have one
// format, in which attestations are no signatures: what was asked is enough.
func (o imageObject) signatures() []any {
	image := o.check.policy.Image
	var all, each []string
	for i := range image.Attestors {
		name := "attestors." + attestorName(i)
		all = append(all, name)
		each = append(each, signedBy(name))
	}
	unsigned, attested := `variables.images.filter(i, !variables.resolved.exists(r, r.image == i && r.digest in variables.signed))`, []any(nil)
	if len(image.Attestations) > 0 {
		attested = []any{variable("attested", "variables.signed.filter(d, "+o.attested()+")")}
		unsigned = fmt.Sprintf(`(%s + variables.images.filter(i, variables.resolved.exists(r, r.image == i && r.digest in variables.signed && !(r.digest in variables.attested)))
.map(i, i + " (it lacks an attestation)"))`, unsigned)
	}
	signed := fmt.Sprintf("variables.asked.filter(d, [%s].filter(s, s).size() >= %d)", strings.Join(each, ",\n"), image.Count)
	if image.Notary() {
		signed = "variables.asked"
	}
	if o.digests() {
		unsigned = fmt.Sprintf(`(%s + variables.images.filter(i, !i.contains("@")).map(i, i + " (it has no digest)"))`, unsigned)
	}
	return slices.Concat([]any{
		variable("images", `variables.remaining.map(p, p.image).distinct()`),
		variable("once", `random("[a-z0-9]{16}")`),
		variable("resolved", `variables.images.map(i, {"image": i, "full": string(image.getMetadata(i).resolvedImage)})
.map(r, {"image": r.image, "digest": `+repository("r.full")+` + ":" + variables.once + r.full.substring(r.full.indexOf("@"))})`),
		variable("asked", fmt.Sprintf(`variables.resolved.map(r, r.digest).distinct().filter(d, verifyImageSignatures(d, [%s]) >= %d)`, strings.Join(all, ", "), image.Count)),
		variable("signed", signed),
	}, attested, []any{variable("unsigned", unsigned)})
}
