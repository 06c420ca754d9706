package profile

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// listed returns the namespaces of the profile and of all overrides, with their defaults. One
// that overrides change is there several times.
func (p *parser) listed() []v1alpha1.Namespace {
	all := slices.Clip(p.input.Profile.Value.Spec.Namespaces)
	for _, name := range sortedKeys(p.input.Overridden) {
		all = append(all, p.input.Overridden[name].Value.Spec.Namespaces...)
	}
	return all
}

// namedNamespaces returns the names of those that are listed, and of the system namespaces.
func (p *parser) namedNamespaces() map[string]bool {
	if p.named == nil {
		p.named = map[string]bool{}
		for _, n := range p.listed() {
			p.named[n.Name] = true
		}
		for _, n := range p.out.SystemNamespaces {
			p.named[n] = true
		}
	}
	return p.named
}

// hintNamespace returns what to do about a namespace that the profile does not know.
func (p *parser) hintNamespace(name string) string {
	if hint := diag.DidYouMean(name, sortedKeys(p.namedNamespaces())); hint != "" {
		return hint
	}
	return "if it exists, write it in spec.namespaces, with create: false"
}

// knownNamespace warns of a namespace that the profile does not know. It may exist.
func (p *parser) knownNamespace(field, code, name string) {
	if p.namedNamespaces()[name] || len(validation.IsDNS1123Label(name)) > 0 { // reported by itself
		return
	}
	p.Warn(field, code, p.hintNamespace(name), "the profile has no namespace %q", name)
}
