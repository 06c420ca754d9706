package profile

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func (p *parser) kyverno() {
	k := p.spec.Kyverno
	p.oneOf("spec.kyverno.version", "kyverno-version", *k.Version, v1alpha1.KyvernoVersions())
	p.oneOf("spec.kyverno.policyType", "policy-type", *k.PolicyType, catalog.Targets())
	p.oneOf("spec.kyverno.install", "kyverno-install", *k.Install, v1alpha1.KyvernoInstalls())
	p.name("spec.kyverno.namespace", *k.Namespace, 63)
	if *k.Replicas < 1 || *k.Replicas > 15 {
		p.Report("spec.kyverno.replicas", "out-of-range", "with 3, two can fail", "%d is not between 1 and 15", *k.Replicas)
	}
	p.out.Kyverno = plan.Kyverno{
		Version: *k.Version, PolicyType: *k.PolicyType, Namespace: *k.Namespace, Replicas: *k.Replicas,
		Install: *k.Install == v1alpha1.KyvernoByHelm, Absent: *k.Install == v1alpha1.KyvernoAbsent, Values: k.Values,
	}
	p.chartValues("spec.kyverno.values", k.Values)
	p.kyvernoExecutes()
	p.systemNamespaces()
	if slices.Contains(p.out.SystemNamespaces, p.src.ExceptionNamespace) {
		p.Report("spec.exceptions.namespace", "namespace-system", "", "%s is a system namespace: anyone who can write there could waive every control", p.src.ExceptionNamespace)
	}
	if days := *p.spec.Exceptions.MaxDays; days < 1 || days > 3660 {
		p.Report("spec.exceptions.maxDays", "out-of-range", "", "%d is not between 1 and 3660", days)
	}
	if days := *p.spec.Exceptions.WarnDays; days < 0 || days > 365 {
		p.Report("spec.exceptions.warnDays", "out-of-range", "", "%d is not between 0 and 365", days)
	}
	for _, n := range p.spec.Namespaces {
		if n.Name == p.src.ExceptionNamespace {
			p.Report("spec.exceptions.namespace", "namespace-system", "", "%s is also a namespace of spec.namespaces: PolicyExceptions need their own namespace", n.Name)
		}
	}
}

// kyvernoExecutes refuses a version that cannot be installed, and a kind of policies that
// nothing in the clusters executes.
func (p *parser) kyvernoExecutes() {
	k := p.out.Kyverno
	if k.Install && k.Version == v1alpha1.KyvernoNext {
		p.Report("spec.kyverno.version", "kyverno-unreleased", "where it runs already, set install: none; elsewhere keep "+v1alpha1.KyvernoVersion,
			"Kyverno %s is not released: there is no chart that the repository could install", k.Version)
	}
	switch {
	case k.Runs(k.PolicyType):
	case k.Absent:
		p.Report("spec.kyverno.policyType", "policy-type-engine", "set policyType: "+catalog.ValidatingAdmissionPolicy+", which the API server executes, or let Kyverno be installed first; docs/policy-types.md#without-kyverno has the steps",
			"no cluster executes a %s: spec.kyverno.install is %s", k.PolicyType, v1alpha1.KyvernoAbsent)
	default:
		p.Report("spec.kyverno.policyType", "policy-type-engine", "first go over to "+catalog.ValidatingPolicy+" with version "+v1alpha1.KyvernoVersion+" (docs/policy-types.md#from-one-kind-to-another), then change the version",
			"Kyverno %s executes no %s", k.Version, k.PolicyType)
	}
}

// systemNamespaces parses the namespaces in which nothing may ever be enforced.
func (p *parser) systemNamespaces() {
	for i, n := range p.spec.SystemNamespaces {
		p.name(fmt.Sprintf("spec.systemNamespaces[%d]", i), n, 63)
	}
	all := slices.Concat(systemNamespaces, p.spec.SystemNamespaces, []string{*p.spec.Flux.Namespace})
	if !p.out.Kyverno.Absent {
		all = append(all, *p.spec.Kyverno.Namespace)
	}
	slices.Sort(all)
	p.out.SystemNamespaces = slices.Compact(all)
}
