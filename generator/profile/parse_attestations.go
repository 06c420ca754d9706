package profile

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// attestations parses what a rule demands besides signatures. Without attestors of its own,
// an attestation is by those of the rule.
func (p *parser) attestations(field string, rule v1alpha1.ImageRule, names []string, attestors map[string]attestor, out *Image) {
	types := make([]string, len(rule.Attestations))
	for i, a := range rule.Attestations {
		at := fmt.Sprintf("%s[%d]", field, i)
		types[i] = a.Type
		p.predicateType(at+".type", a.Type)
		demand := plan.Attestation{Type: a.Type, Count: out.Count, Attestors: out.Attestors}
		if a.Attestors != nil {
			demand.Count, demand.Attestors = *a.Attestors.Count, p.attestorSet(at+".attestors", *a.Attestors, names, attestors, out)
		}
		demand.Conditions = p.conditions(at+".conditions", a.Conditions)
		out.Attestations = append(out.Attestations, demand)
	}
	p.distinct(field, types)
}

// signatureType is the type that cosign gives to signatures in bundles.
const signatureType = "https://sigstore.dev/cosign/sign/v1"

// predicateType refuses what is not the type of a predicate. Short names such as slsaprovenance
// are cosign's: only some kinds of policies would know them.
func (p *parser) predicateType(field, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || !slices.Contains([]string{"https", "http"}, u.Scheme) || u.Host == "" || strings.ContainsAny(text, " *\n\t"):
		p.Report(field, "attestation-type", "such as https://slsa.dev/provenance/v1", "%q is not the URL of a predicate type", text)
	case text == signatureType:
		p.Report(field, "attestation-type", "", "signatures have this type: every signed image would have the attestation")
	}
}

// conditions parses conditions on a predicate.
func (p *parser) conditions(field string, given []v1alpha1.Condition) []plan.Condition {
	var out []plan.Condition
	for i, c := range given {
		at := fmt.Sprintf("%s[%d]", field, i)
		condition := plan.Condition{Path: p.conditionPath(at+".path", c.Path), AtLeast: c.AtLeast, AtMost: c.AtMost}
		for j, other := range out {
			short := min(len(other.Path), len(condition.Path))
			if short > 0 && slices.Equal(other.Path[:short], condition.Path[:short]) {
				p.Report(at+".path", "condition-path", "use in for several values, and atLeast with atMost for a range", "conditions[%d] is already about this field, or one in it or around it", j)
			}
		}
		p.conditionValue(at, c, &condition)
		out = append(out, condition)
	}
	return out
}

// conditionPath parses the path of a field. Kyverno puts a predicate among its own variables:
// a field that the predicate lacks must not be taken for one of them.
func (p *parser) conditionPath(field, path string) []string {
	names := strings.Split(path, ".")
	word, own := regexp.MustCompile(`^[A-Za-z_@][-A-Za-z0-9_@]*$`), regexp.MustCompile(`^(request|images?|target|serviceAccountName|serviceAccountNamespace|element.*|keys[0-9]+)$`)
	switch {
	case slices.ContainsFunc(names, func(name string) bool { return !word.MatchString(name) }):
		p.Report(field, "condition-path", "write names of fields with dots between them, such as runDetails.builder.id", "%q is not the path of a field", path)
	case own.MatchString(names[0]):
		p.Report(field, "condition-path", "", "%s is a variable of Kyverno: a predicate without this field could satisfy the condition", names[0])
	}
	return names
}

// conditionValue parses what a condition says about the value.
func (p *parser) conditionValue(field string, c v1alpha1.Condition, out *plan.Condition) {
	if set := given(c.Equals != nil, c.In != nil, c.Matches != nil, c.AtLeast != nil || c.AtMost != nil); set != 1 {
		p.Report(field, "condition-value", "", "set exactly one of equals, in, matches and a bound (atLeast, atMost, or both), not %d", set)
	}
	switch {
	case c.Equals != nil:
		out.In = []any{p.conditionText(field+".equals", c.Equals)}
	case c.In != nil:
		if len(c.In) == 0 {
			p.Report(field+".in", "required", "", "at least one value is needed")
		}
		for i, value := range c.In {
			out.In = append(out.In, p.conditionText(fmt.Sprintf("%s.in[%d]", field, i), value))
		}
	case c.Matches != nil:
		out.Matches = *c.Matches
		p.conditionPattern(field+".matches", *c.Matches)
	case c.AtLeast != nil && c.AtMost != nil && *c.AtLeast > *c.AtMost:
		p.Report(field+".atMost", "out-of-range", "", "no number is at least %d and at most %d", *c.AtLeast, *c.AtMost)
	}
}

// maxNumber is the largest whole number up to which JSON numbers are exact.
const maxNumber = 1 << 53

// conditionText parses a value that a field may have.
func (p *parser) conditionText(field string, value any) any {
	switch v := value.(type) {
	case string, bool:
		return v
	case int64:
		if -maxNumber <= v && v <= maxNumber {
			return float64(v)
		}
	}
	p.Report(field, "condition-value", "quote it if it is a text", "must be a text, a whole number of at most 16 digits, true or false")
	return ""
}

// conditionPattern refuses a pattern that is not anchored, or that says nothing.
func (p *parser) conditionPattern(field, pattern string) {
	if re, err := regexp.Compile(pattern); pattern == "" || err == nil && re.MatchString("") && re.MatchString("https://attacker.invalid/x") {
		p.Report(field, "regexp-open", "name what is allowed", "%q matches any text", pattern)
		return
	}
	p.identityPattern(field, pattern)
}
