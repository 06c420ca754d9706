package profile

import (
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
	if count := *set.Count; len(set.Of) > 0 && (count < 1 || count > len(set.Of)) {
		p.Report(field+".count", "out-of-range", "", "count is %d, but %d attestors are named", count, len(set.Of))
	}
	return out
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
