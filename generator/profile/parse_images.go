package profile

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// image parses one rule. attestors are the parsed attestors by name; names lists
// them in the order of the profile.
func (p *parser) image(field string, rule v1alpha1.ImageRule, names []string, attestors map[string]attestor) {
	written := p.references(field, rule.References)
	out := Image{
		Image:  plan.Image{Count: *rule.Attestors.Count, MutateDigest: *rule.MutateDigest, RequireDigest: *rule.RequireDigest, References: globs(written)},
		Policy: imagePolicy(rule.Name), Tiers: rule.Tiers, Written: written, Field: field, At: p.Positions.At(field),
	}
	p.name(field+".name", rule.Name, 40)
	out.Attestors = p.attestorSet(field+".attestors", rule.Attestors, names, attestors, &out)
	p.notaryRule(field, rule, attestors)
	p.attestations(field+".attestations", rule, names, attestors, &out)
	if len(rule.Tiers) == 0 {
		p.Report(field+".tiers", "required", "leave the field out for all tiers", "at least one tier is needed")
	}
	p.distinct(field+".tiers", rule.Tiers)
	for i, t := range rule.Tiers {
		p.known(fmt.Sprintf("%s.tiers[%d]", field, i), "tier-unknown", "tier", t, p.spec.Tiers)
	}
	p.out.Images = append(p.out.Images, out)
}

// attestorSet parses the attestors of a rule, or of an attestation that it demands. What they
// refer to is added to the rule.
func (p *parser) attestorSet(field string, set v1alpha1.AttestorSet, names []string, attestors map[string]attestor, rule *Image) []plan.Attestor {
	if len(set.Of) == 0 {
		p.Report(field, "image-attestors", "", "without attestors, nothing is verified")
	}
	p.distinct(field, set.Of)
	var out []plan.Attestor
	for i, name := range set.Of {
		if !p.known(fmt.Sprintf("%s[%d]", field, i), "attestor-unknown", "attestor", name, names) {
			continue
		}
		a := attestors[name]
		out = append(out, a.Attestor)
		if a.object != nil {
			rule.Trust = append(rule.Trust, *a.object)
		}
	}
	if *set.Count > 1 {
		p.sharedKeys(field, out)
	}
	if count := *set.Count; len(set.Of) > 0 && (count < 1 || count > len(set.Of)) {
		p.Report(field+".count", "out-of-range", "", "count is %d, but %d attestors are named", count, len(set.Of))
	}
	return out
}

// sharedKeys says which attestors one signature satisfies together, although a rule asks for
// several signatures.
func (p *parser) sharedKeys(field string, attestors []plan.Attestor) {
	for i, a := range attestors {
		for _, b := range attestors[:i] {
			switch {
			case a.PublicKeys != "" && a.PublicKeys == b.PublicKeys:
				p.Warn(field, "attestor-shared", "name one of them, or lower count", "%s and %s have the same key: one signature counts for both", b.Name, a.Name)
			case a.Notary != "" && b.Notary != "":
				p.sharedTrust(field, a, b)
			}
		}
	}
}

// sharedTrust is sharedKeys for two attestors of the Notary Project. A signature brings one
// signer and a chain to one root, so two roots, and two signers, are never in one.
func (p *parser) sharedTrust(field string, a, b plan.Attestor) {
	first, _ := parseCertificates([]byte(a.Notary)) // they were parsed before
	second, _ := parseCertificates([]byte(b.Notary))
	root := func(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }
	unsure := false
	for _, x := range first {
		for _, y := range second {
			switch {
			case x.Equal(y), x.CheckSignatureFrom(y) == nil, y.CheckSignatureFrom(x) == nil:
				p.Report(field, "attestor-shared", "give each attestor an authority or a signer of its own", "%s and %s trust the same signers: one signature would count for both", b.Name, a.Name)
				return
			case root(x) && root(y), !x.IsCA && !y.IsCA:
			default:
				unsure = true
			}
		}
	}
	if unsure {
		p.Warn(field, "attestor-shared", "give each attestor a root of its own, or a signer", "%s and %s may trust the same signers, through certificates that are not in their files: one signature would count for both", b.Name, a.Name)
	}
}

// notaryRule refuses a rule that mixes signatures of the Notary Project with others: Kyverno
// asks for those of one project.
func (p *parser) notaryRule(field string, rule v1alpha1.ImageRule, attestors map[string]attestor) {
	others := func(set v1alpha1.AttestorSet, notary bool) []string {
		return slices.DeleteFunc(slices.Clone(set.Of), func(name string) bool {
			a, known := attestors[name]
			return !known || a.notary == notary
		})
	}
	notary, cosign := others(rule.Attestors, false), others(rule.Attestors, true)
	if len(notary) > 0 && len(cosign) > 0 {
		p.Report(field+".attestors", "attestor-notary", "write a rule for each kind", "%s verifies signatures of the Notary Project, and %s others: a rule asks for one kind", notary[0], cosign[0])
	}
	for i, a := range rule.Attestations {
		set := rule.Attestors
		if a.Attestors != nil {
			set = *a.Attestors
		}
		if notary := others(set, false); len(notary) > 0 || len(cosign) == 0 && len(rule.Attestors.Of) > 0 {
			p.Report(fmt.Sprintf("%s.attestations[%d]", field, i), "attestor-notary", "use attestors with keys, certificates or keyless for the rule and its attestations", "attestations are verified with cosign, not with the Notary Project")
		}
	}
}

// references parses the references of a rule.
func (p *parser) references(field string, given []string) []Reference {
	if len(given) == 0 {
		p.Report(field+".references", "required", "", "at least one reference is needed")
	}
	p.distinct(field+".references", given)
	all := make([]Reference, len(given))
	for i, ref := range given {
		globs, err := expandReference(ref)
		if err != nil {
			p.Report(fmt.Sprintf("%s.references[%d]", field, i), "image-reference", "write a repository such as ghcr.io/acme/app, or a glob such as ghcr.io/acme/*", "%v", err)
		}
		all[i] = Reference{Text: ref, Globs: globs}
	}
	return all
}

// globs returns what the references stand for, sorted.
func globs(references []Reference) []string {
	var all []string
	for _, ref := range references {
		all = append(all, ref.Globs...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
