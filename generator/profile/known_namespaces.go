package profile

import (
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// namedNamespaces returns the namespaces of the profile, of all overrides, and of the system.
func (p *parser) namedNamespaces() map[string]bool {
	named := map[string]bool{}
	add := func(namespaces []v1alpha1.Namespace) {
		for _, n := range namespaces {
			named[n.Name] = true
		}
	}
	add(p.input.Profile.Value.Spec.Namespaces)
	for _, overridden := range p.input.Overridden {
		add(overridden.Value.Spec.Namespaces)
	}
	for _, n := range p.out.SystemNamespaces {
		named[n] = true
	}
	return named
}

// knownNamespace warns of a namespace that the profile does not know. It may exist.
func (p *parser) knownNamespace(field, code, name string) {
	if p.named == nil {
		p.named = p.namedNamespaces()
	}
	if p.named[name] || len(validation.IsDNS1123Label(name)) > 0 { // reported by itself
		return
	}
	hint := diag.DidYouMean(name, sortedKeys(p.named))
	if hint == "" {
		hint = "if it exists, write it in spec.namespaces, with create: false"
	}
	p.Warn(field, code, hint, "the profile has no namespace %q", name)
}
