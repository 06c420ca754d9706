package profile

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
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
