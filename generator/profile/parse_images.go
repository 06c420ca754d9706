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
	if len(rule.Attestors.Of) == 0 {
		p.Report(field+".attestors", "image-attestors", "", "without attestors, nothing is verified")
	}
	p.distinct(field+".attestors", rule.Attestors.Of)
	for i, name := range rule.Attestors.Of {
		if !p.known(fmt.Sprintf("%s.attestors[%d]", field, i), "attestor-unknown", "attestor", name, names) {
			continue
		}
		a := attestors[name]
		out.Attestors = append(out.Attestors, a.Attestor)
		if a.object != nil {
			out.Trust = append(out.Trust, *a.object)
		}
	}
	if count := *rule.Attestors.Count; len(rule.Attestors.Of) > 0 && (count < 1 || count > len(rule.Attestors.Of)) {
		p.Report(field+".attestors.count", "out-of-range", "", "count is %d, but the rule has %d attestors", count, len(rule.Attestors.Of))
	}
	if len(rule.Tiers) == 0 {
		p.Report(field+".tiers", "required", "leave the field out for all tiers", "at least one tier is needed")
	}
	p.distinct(field+".tiers", rule.Tiers)
	for i, t := range rule.Tiers {
		p.known(fmt.Sprintf("%s.tiers[%d]", field, i), "tier-unknown", "tier", t, p.spec.Tiers)
	}
	p.out.Images = append(p.out.Images, out)
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
