package profile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// Parse parses an input with defaults (see [Default]). It reports everything that is
// wrong with single fields, and every name that is used but not defined. The source
// is complete only if no problem is an error. Expiries are compared with now.
func Parse(in *Input, now time.Time) (*Source, diag.List) {
	if problems := in.tooLarge(); len(problems) > 0 {
		return &Source{Catalog: in.Catalog}, problems
	}
	p := newParser(in, in.Profile, &Source{Catalog: in.Catalog}, now)
	p.fleet()
	environments := p.environmentNames()
	p.parse(environments)
	clusters := map[string]string{}
	for _, e := range in.Environments {
		own := p.in(e.Value.Metadata.Name, environments)
		p.Problems = append(p.Problems, own.environment(e, clusters)...)
	}
	slices.SortStableFunc(p.src.Environments, func(a, b Environment) int { return cmp.Compare(a.Ring, b.Ring) })
	for _, e := range in.Exceptions {
		p.exception(e, environments)
	}
	return p.src, in.withoutFollowUps(p.Problems.Sort())
}

// parser parses a profile, as it is in one environment or in all without overrides,
// into out. What is the same in all environments is in src.
type parser struct {
	reporter
	input *Input
	now   time.Time
	spec  v1alpha1.ProfileSpec
	src   *Source
	out   *Spec
	named map[string]bool // see namedNamespaces
}

func newParser(in *Input, profile Loaded[v1alpha1.Profile], src *Source, now time.Time) *parser {
	return &parser{
		input: in, now: now, spec: profile.Value.Spec, src: src, reporter: reporterOf(profile.Positions),
		out: &Spec{Document: Document{profile.Value.Metadata.Name, profile.Positions}},
	}
}

// fleet parses what is the same in all environments.
func (p *parser) fleet() {
	p.src.Name, p.src.Tiers, p.src.Owners, p.src.ExceptionNamespace = p.out.Name, p.spec.Tiers, p.spec.Owners, *p.spec.Exceptions.Namespace
	p.src.KyvernoTests = *p.spec.Output.KyvernoTests
	p.name("metadata.name", p.src.Name, 40)
	p.name("spec.exceptions.namespace", p.src.ExceptionNamespace, 63)
	p.ladder()
	p.owners("spec.owners", p.spec.Owners)
}

// parse parses what may differ between environments.
func (p *parser) parse(environments []string) {
	p.kyverno()
	p.flux()
	p.controls()
	p.registries()
	p.trust()
	p.deployers()
	p.out.Network = p.clusterNetwork("spec.network", *p.spec.Network)
	p.knownNamespace("spec.network.dns.namespace", codePeerNamespace, p.out.Network.DNS.Namespace)
	p.namespaces(environments)
	p.scopes()
	p.workloadLints()
}

// reporter provides the checks that all documents share.
type reporter struct{ source.Reporter }

func reporterOf(positions source.Positions) reporter {
	return reporter{source.Reporter{Positions: positions}}
}

// name checks a DNS label (RFC 1123) of at most limit characters.
func (r *reporter) name(field, name string, limit int) {
	if errs := validation.IsDNS1123Label(name); len(errs) > 0 {
		r.Report(field, "name-invalid", "use lower-case letters, digits and dashes; begin and end with a letter or digit", "%q is not a name", name)
	} else if len(name) > limit {
		r.Report(field, "name-invalid", "", "%q is longer than %d characters", name, limit)
	}
}

// oneOf checks a value against a set.
func (r *reporter) oneOf(field, code, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		r.Report(field, code, diag.OneOf(value, allowed), "unsupported value %q", value)
	}
}

// known checks that a name is defined.
func (r *reporter) known(field, code, what, name string, defined []string) bool {
	if slices.Contains(defined, name) {
		return true
	}
	r.Report(field, code, diag.OneOf(name, defined), "%s %q is not defined", what, name)
	return false
}

// control checks that a control is defined.
func (r *reporter) control(field, id string, defined []string) bool {
	if slices.Contains(defined, id) {
		return true
	}
	r.Report(field, "control-unknown", diag.OneOfMany(id, defined, "gatehouse catalog list shows them"), "control %q is not defined", id)
	return false
}

// distinct checks that no value is listed twice.
func (r *reporter) distinct(field string, values []string) {
	seen := map[string]bool{}
	for i, s := range values {
		if seen[s] {
			r.Report(fmt.Sprintf("%s[%d]", field, i), "duplicate-name", "", "%q is listed twice", s)
		}
		seen[s] = true
	}
}

// codeOwner is @user, @org/team or an e-mail address.
var codeOwner = regexp.MustCompile(`^(@[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*|[^\s@#]+@[A-Za-z0-9.-]+)$`)

func (r *reporter) owners(field string, owners []string) {
	for i, o := range owners {
		if !codeOwner.MatchString(o) {
			r.Report(fmt.Sprintf("%s[%d]", field, i), "owner-invalid", "use @user, @org/team or an e-mail address", "%q is not an owner", o)
		}
	}
}

func (r *reporter) label(field, key, value string) {
	for _, e := range validation.IsQualifiedName(key) {
		r.Report(field, "label-invalid", "", "%q is not a label: %s", key, e)
	}
	for _, e := range validation.IsValidLabelValue(value) {
		r.Report(field, "label-invalid", "", "%q is not a label value: %s", value, e)
	}
}
