package profile

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
)

// reservedLabels are set by gatehouse, Flux or Pod Security Admission, or by Kubernetes itself.
var reservedLabels = []string{v1alpha1.Group + "/", "pod-security.kubernetes.io/", "kustomize.toolkit.fluxcd.io/", "kubernetes.io/metadata.name", v1alpha1.LabelManagedBy}

func (p *parser) namespaces(environments []string) {
	names := make([]string, len(p.spec.Namespaces))
	for i, n := range p.spec.Namespaces {
		field := fmt.Sprintf("spec.namespaces[%d]", i)
		names[i] = n.Name
		p.name(field+".name", n.Name, 63)
		if slices.Contains(p.out.SystemNamespaces, n.Name) {
			p.Report(field+".name", "namespace-system", "remove it: gatehouse never enforces there, and creates what it needs", "%s is a system namespace", n.Name)
		}
		tier := ""
		if len(p.spec.Tiers) > 0 {
			tier = *n.Tier
			p.known(field+".tier", "tier-unknown", "tier", tier, p.spec.Tiers)
		}
		p.distinct(field+".environments", n.Environments)
		for j, e := range n.Environments {
			p.known(fmt.Sprintf("%s.environments[%d]", field, j), "environment-unknown", "environment", e, environments)
		}
		p.labels(field+".labels", n.Labels)
		p.annotations(field+".annotations", n.Annotations)
		if *n.PodSecurity != "" {
			p.oneOf(field+".podSecurity", "pod-security", *n.PodSecurity, []string{"privileged", "baseline", "restricted"})
		}
		if !*n.Create {
			p.existing(field, n.Labels)
		}
		p.out.Namespaces = append(p.out.Namespaces, Namespace{
			Name: n.Name, Tier: tier, Labels: n.Labels, Annotations: n.Annotations, Existing: !*n.Create, PodSecurity: *n.PodSecurity,
			Network: p.network(field+".network", n), Quota: p.quota(field+".resourceQuota", n.ResourceQuota), LimitRange: p.limitRange(field+".limitRange", n.LimitRange), Field: field, Positions: p.Positions, At: p.Positions.At(field), environments: n.Environments,
		})
	}
	p.onePerNamespace(names)
	p.networkLints()
	p.quotaLints()
}

// onePerNamespace refuses two entries of one name, also in different environments: an
// entry is found by its name.
func (p *parser) onePerNamespace(names []string) {
	firsts := map[string]int{}
	for i, name := range names {
		first, twice := firsts[name]
		if !twice {
			firsts[name] = i
		} else {
			p.Report(fmt.Sprintf("spec.namespaces[%d].name", i), "duplicate-name", "keep one entry; what differs in an environment belongs in the overrides of that Environment",
				"namespace %q has another entry (%s)", name, p.Positions.At(fmt.Sprintf("spec.namespaces[%d]", first)))
		}
	}
}

func (p *parser) labels(field string, labels map[string]string) {
	for _, key := range sortedKeys(labels) {
		at := fmt.Sprintf("%s[%s]", field, key)
		p.label(at, key, labels[key])
		for _, reserved := range reservedLabels {
			if strings.HasPrefix(key, reserved) {
				p.Report(at, "label-reserved", "", "gatehouse or Kubernetes sets this label")
			}
		}
	}
}

// reservedAnnotations are set by gatehouse or Flux: they decide, for example, whether
// Flux may delete a namespace.
var reservedAnnotations = []string{v1alpha1.Group + "/", "kustomize.toolkit.fluxcd.io/"}

func (p *parser) annotations(field string, annotations map[string]string) {
	for _, key := range sortedKeys(annotations) {
		at := fmt.Sprintf("%s[%s]", field, key)
		for _, e := range validation.IsQualifiedName(strings.ToLower(key)) { // as the API server does
			p.Report(at, "annotation-invalid", "", "%q is not an annotation: %s", key, e)
		}
		for _, reserved := range reservedAnnotations {
			if strings.HasPrefix(key, reserved) {
				p.Report(at, "annotation-reserved", "", "gatehouse or Flux sets this annotation")
			}
		}
	}
}

// choosesByLabels reports whether the scope of a control chooses a namespace by some of its
// labels: these are looked up in the profile, and need not be in the cluster.
func (p *parser) choosesByLabels(labels map[string]string) bool {
	return slices.ContainsFunc(p.out.Controls, func(c Control) bool {
		return slices.ContainsFunc(c.Scope.Choices, func(choice Choice) bool {
			return len(choice.Labels) > 0 && choice.Chooses(Namespace{Labels: labels})
		})
	})
}

// existing refuses what has no effect on a namespace that gatehouse does not create,
// unless overrides stop creating a namespace that the profile describes.
func (p *parser) existing(field string, labels map[string]string) {
	overridden := func(path string) bool { return strings.HasPrefix(p.Positions.Path(path), overridesField+".") }
	for _, name := range []string{"labels", "annotations", "podSecurity"} {
		at := field + "." + name
		if name == "labels" && p.choosesByLabels(labels) {
			continue
		}
		if _, set := p.Positions.Lookup(at); set && (overridden(at) || !overridden(field+".create")) {
			p.Report(at, "namespace-existing", "set it where the namespace is created", "has no effect: with create: false, gatehouse does not write the namespace")
		}
	}
}
