package profile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// The codes of what is wrong with the scope of a control.
const (
	codeScopeBoth      = "scope-both"
	codeScopeControl   = "scope-control"
	codeScopeEmpty     = "scope-empty"
	codeScopeLabels    = "scope-labels"
	codeScopeLarge     = "scope-large"
	codeScopeNamespace = "scope-namespace"
)

// maxScope is how many namespaces a scope may name. Policies list them in one text of CEL, of
// which the API server takes 100,000 characters: room for those of two scopes
// (generator/staging).
const maxScope = 500

// Scope is where a control applies: in its tiers, to the namespaces that it chooses. The
// zero value is everywhere.
type Scope struct {
	// Tiers in which the control is on at all; nil for all.
	Tiers []string
	// Include is set if only the chosen namespaces are judged; else all others are.
	Include bool
	// Choices are the namespaces; none for all namespaces.
	Choices []Choice
}

// Choice is a namespace by its name, or those of the profile that have some labels.
type Choice struct {
	Name   string
	Labels map[string]string // empty for a name
	// Field is its path in the profile.
	Field string
}

// Chooses reports whether the choice is about a namespace of the profile.
func (c Choice) Chooses(n Namespace) bool {
	if len(c.Labels) == 0 {
		return c.Name == n.Name
	}
	for key, value := range c.Labels {
		if got, ok := n.Labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// names returns the names that the choice stands for among some namespaces.
func (c Choice) names(namespaces []Namespace) []string {
	if c.Name != "" {
		return []string{c.Name}
	}
	var names []string
	for _, n := range namespaces {
		if c.Chooses(n) {
			names = append(names, n.Name)
		}
	}
	return names
}

// In reports whether the control is on in a tier at all.
func (s Scope) In(tier string) bool { return s.Tiers == nil || slices.Contains(s.Tiers, tier) }

// Among returns the scope with the names that labels stand for among the namespaces of an
// environment. It reports false if no namespace is left. A namespace that only other
// environments have is not left out here: whoever creates one of its name would not be
// judged. listed reports whether some environment has a namespace.
func (s Scope) Among(namespaces []Namespace, listed func(name string) bool) (plan.Scope, bool) {
	var names []string
	for _, c := range s.Choices {
		if s.Include || c.Name == "" || !listed(c.Name) || slices.ContainsFunc(namespaces, c.Chooses) {
			names = append(names, c.names(namespaces)...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case s.Include:
		return plan.Scope{Include: names}, len(names) > 0
	case len(names) == 0:
		return plan.Scope{}, true
	}
	return plan.Scope{Exclude: names}, true
}

// scope parses where a control applies, as far as that can be known without the namespaces
// (see [parser.scopes]).
func (p *parser) scope(field string, control *catalog.Control, settings v1alpha1.Control) Scope {
	s := Scope{Tiers: settings.Tiers}
	p.tiers(field+".tiers", settings.Tiers)
	if settings.Namespaces == nil {
		p.scopable(field, control, settings)
		return s
	}
	include, exclude := settings.Namespaces.Include, settings.Namespaces.Exclude
	at := field + ".namespaces"
	for list, choices := range map[string][]v1alpha1.NamespaceChoice{".include": include, ".exclude": exclude} {
		if choices != nil && len(choices) == 0 {
			p.Report(at+list, codeScopeEmpty, "leave the field out for all namespaces, or switch the control off (enabled: false)", "no namespace is listed")
		}
	}
	if include != nil && exclude != nil {
		p.Report(at, codeScopeBoth, "keep one of them: include says where the control applies, exclude where it does not", "both include and exclude are set")
		return s
	}
	p.scopable(field, control, settings)
	s.Include = include != nil
	list := at + ".exclude"
	if s.Include {
		list = at + ".include"
	}
	seen := map[string]int{}
	for i, c := range slices.Concat(include, exclude) {
		choice, ok := p.choice(fmt.Sprintf("%s[%d]", list, i), c)
		if !ok {
			continue
		}
		if _, twice := seen[choice.String()]; twice {
			p.Report(choice.Field, "duplicate-name", "", "%s is listed twice", choice)
		}
		seen[choice.String()] = i
		s.Choices = append(s.Choices, choice)
	}
	return s
}

// String returns the choice as people call it.
func (c Choice) String() string {
	if c.Name != "" {
		return fmt.Sprintf("%q", c.Name)
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		labels = append(labels, key+"="+c.Labels[key])
	}
	return "labels " + strings.Join(labels, ", ")
}

// tiers checks a list of tiers that may be absent.
func (p *parser) tiers(field string, tiers []string) {
	if tiers != nil && len(tiers) == 0 {
		p.Report(field, codeScopeEmpty, "leave the field out for all tiers, or switch the control off (enabled: false)", "no tier is listed")
	}
	p.distinct(field, tiers)
	for i, t := range tiers {
		p.known(fmt.Sprintf("%s[%d]", field, i), "tier-unknown", "tier", t, p.spec.Tiers)
	}
}

// choice parses one choice. It reports false for one that says nothing.
func (p *parser) choice(field string, c v1alpha1.NamespaceChoice) (Choice, bool) {
	out := Choice{Labels: c.Labels, Field: field}
	switch {
	case c.Name != nil && c.Labels != nil:
		p.Report(field, codeScopeBoth, "write two entries", "both name and labels are set")
		return out, false
	case c.Name != nil && strings.ContainsAny(*c.Name, "*?"):
		p.Report(field, "name-invalid", "write each name, or the labels of namespaces in spec.namespaces: whoever creates a namespace chooses its name", "%q is not the name of one namespace", *c.Name)
		return out, false
	case c.Name != nil:
		out.Name = *c.Name
		p.name(field, out.Name, 63)
		return out, len(validation.IsDNS1123Label(out.Name)) == 0
	case len(c.Labels) == 0:
		p.Report(field, codeScopeEmpty, "a name, or labels: {team: storage}", "the entry chooses no namespace")
		return out, false
	}
	before := len(p.Problems)
	for _, key := range sortedKeys(c.Labels) {
		p.label(fmt.Sprintf("%s.labels[%s]", field, key), key, c.Labels[key])
	}
	return out, len(p.Problems) == before
}

// scopable refuses a scope of a control that has none: of guards, of what judges objects
// without a namespace and is staged as a whole (ADR 4), and of what becomes NetworkPolicies.
func (p *parser) scopable(field string, control *catalog.Control, settings v1alpha1.Control) {
	if control == nil {
		return
	}
	_, guards := control.Deployers(nil)
	chosen := settings.Namespaces != nil && (settings.Namespaces.Include != nil || settings.Namespaces.Exclude != nil)
	for name, set := range map[string]bool{".tiers": settings.Tiers != nil, ".namespaces": chosen} {
		switch {
		case !set:
		case guards:
			p.Report(field+name, codeScopeControl, "leave it out", "%s guards what other policies rely on, in every namespace", control.ID)
		case control.ClusterScoped:
			p.Report(field+name, codeScopeControl, "leave it out", "%s judges objects that have no namespace, and no tier", control.ID)
		case !control.Judges() && name == ".namespaces":
			p.Report(field+name, codeScopeControl, "set network.defaultDeny: false for a namespace in spec.namespaces", "%s is made of the NetworkPolicies of the namespaces of the profile", control.ID)
		}
	}
}

// scopes checks the scopes of the controls against the namespaces of the profile, in
// whatever environment these are.
func (p *parser) scopes() {
	var listed []Namespace
	for _, c := range p.out.Controls {
		if len(c.Scope.Choices) == 0 || len(p.spec.Tiers) == 0 {
			continue
		}
		if listed == nil {
			for _, n := range p.listed() {
				listed = append(listed, Namespace{Name: n.Name, Labels: n.Labels, Tier: *n.Tier})
			}
		}
		p.controlScope(c, listed)
	}
}

// controlScope checks the scope of a control that chooses namespaces.
func (p *parser) controlScope(c Control, listed []Namespace) {
	names, at := map[string]bool{}, c.Field+".namespaces"
	unknown := func(tier string) bool { return !slices.Contains(p.spec.Tiers, tier) }
	sound := !slices.ContainsFunc(c.Scope.Tiers, unknown)
	for _, choice := range c.Scope.Choices {
		chosen := choice.names(listed)
		if len(chosen) == 0 {
			p.Report(choice.Field+".labels", codeScopeLabels, "labels are those in spec.namespaces; a namespace that others create is chosen by its name", "no namespace of the profile has the %s", choice)
			sound = false
		}
		for _, name := range chosen {
			names[name] = true
		}
		if choice.Name != "" {
			p.chosenName(c, choice)
		}
	}
	if len(names) > maxScope {
		p.Report(at, codeScopeLarge, "use tiers", "%d namespaces are chosen; at most %d can be", len(names), maxScope)
	}
	if sound && !p.somethingLeft(c, names, listed) {
		p.Report(at, codeScopeEmpty, "choose a namespace to which it applies, or switch the control off (enabled: false)", "%s judges none of the namespaces that are left", c.ID)
	}
}

// chosenName warns of a name that the profile does not know, and of one that has no effect.
func (p *parser) chosenName(c Control, choice Choice) {
	switch {
	case slices.Contains(p.out.SystemNamespaces, choice.Name):
		p.Warn(choice.Field, codeScopeNamespace, "remove it", "%s is a system namespace: no control applies there", choice.Name)
	case p.namedNamespaces()[choice.Name]:
	case c.Scope.Include:
		p.Warn(choice.Field, codeScopeNamespace, p.hintNamespace(choice.Name), "the profile has no namespace %q; if it exists, it is judged as one of the last tier", choice.Name)
	default:
		p.Warn(choice.Field, codeScopeNamespace, p.hintNamespace(choice.Name), "the profile has no namespace %q; %s does not judge what is in it, whoever creates it", choice.Name, c.ID)
	}
}

// somethingLeft reports whether a scope with some names leaves the control a namespace to
// judge, also one that no scope names.
func (p *parser) somethingLeft(c Control, names map[string]bool, listed []Namespace) bool {
	last, known := p.spec.Tiers[len(p.spec.Tiers)-1], map[string]bool{}
	for _, n := range listed {
		known[n.Name] = true
		// What follows default-deny leaves the namespaces of the profile alone.
		if names[n.Name] == c.Scope.Include && c.Scope.In(n.Tier) && c.Follows != catalog.DefaultDeny {
			return true
		}
	}
	if !c.Scope.Include {
		return c.Scope.In(last)
	}
	unlisted := func(name string) bool { return !known[name] && !slices.Contains(p.out.SystemNamespaces, name) }
	return c.Scope.In(last) && slices.ContainsFunc(sortedKeys(names), unlisted)
}

// oneValue reports whether a mapping of the profile is one value, which is replaced as a
// whole: include and exclude are two ways to say the same.
func oneValue(path string) bool {
	return strings.HasPrefix(path, "spec.controls.") && strings.HasSuffix(path, ".namespaces") && strings.Count(path, ".") == 3
}
