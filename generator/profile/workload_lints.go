package profile

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// codeTarget marks a target namespace that is hardly meant.
const codeTarget = "workload-target"

// workloadLints warns of what a workload does past the policies. It may be meant, so nothing
// is refused.
func (p *parser) workloadLints() {
	for i, w := range p.out.Flux.Workloads {
		if w.Existing {
			continue
		}
		field := fmt.Sprintf("spec.flux.workloads[%d]", i)
		p.targetNamespace(field+".spec.targetNamespace", w)
		if w.Spec["force"] == true {
			p.Warn(field+".spec.force", "workload-force", "remove force, and annotate the objects that may be replaced with kustomize.toolkit.fluxcd.io/force: Enabled",
				"Flux deletes and creates each object of %s that it cannot update, with what it owns or stores", w.Name)
		}
		p.workloadDeployer(field, w)
	}
}

// targetNamespace warns of a workload that is written into a namespace where nothing is
// judged, or that the profile does not know.
func (p *parser) targetNamespace(field string, w plan.Workload) {
	target, _ := w.Spec["targetNamespace"].(string)
	switch {
	case target == "":
	case slices.Contains(p.out.SystemNamespaces, target):
		p.Warn(field, codeTarget, "write it into a namespace of its own",
			"%s is a system namespace: no policy judges what %s writes there", target, w.Name)
	default:
		p.knownNamespace(field, codeTarget, target)
	}
}

// workloadDeployer warns of a workload that is applied with the rights of the repository,
// where others must name an account. An empty account says that this is meant.
func (p *parser) workloadDeployer(field string, w plan.Workload) {
	account, named := w.Spec["serviceAccountName"]
	ofRepository := !named || account == p.out.Flux.ServiceAccountName && account != ""
	if !ofRepository || !p.enabled("require-flux-service-account") {
		return
	}
	p.Warn(field, "workload-deployer", `set spec.serviceAccountName to an account of its own; if its path has the same reviewers as the profile, to ""`,
		"%s is applied as the repository is, so what it holds may change what only deployers may", w.Name)
}

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
	if p.named[name] {
		return
	}
	hint := diag.DidYouMean(name, sortedKeys(p.named))
	if hint == "" {
		hint = "if it exists, write it in spec.namespaces, with create: false"
	}
	p.Warn(field, code, hint, "the profile has no namespace %q", name)
}
