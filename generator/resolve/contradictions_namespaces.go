package resolve

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// here returns the namespaces of the profile that are in the environment.
func (s situation) here() []profile.Namespace { return s.namespacesOf(s.env) }

// withoutEffect warns of controls that ask for what a control that is off would bring.
func (s situation) withoutEffect() {
	for _, c := range s.controls[s.Spec] {
		followed := c.policy.Control.Follows
		if followed == "" || s.control(s.Spec, followed).policy.Control != nil {
			continue
		}
		id := c.policy.Control.ID
		s.report(diag.Warning, id, c.field, "switch "+followed+" on, or "+id+" off",
			"%s has no effect: it asks for what %s brings, which is off (%s)", id, followed, s.At(field(followed)+".enabled"))
	}
}

// openNamespaces refuses a namespace that the profile leaves open although a control
// asks for a closed network in it.
func (s situation) openNamespaces() {
	for _, n := range s.here() {
		for _, p := range s.asked {
			if n.Network == nil && p.Control.Follows == catalog.DefaultDeny && p.ActionFor(n.Name, n.Tier) > plan.Off {
				s.report(diag.Error, p.Name, n.Field+".network.defaultDeny", "remove it, or exclude the namespace from "+p.Name,
					"namespace %s is open, but %s (%s) asks for a default deny in it in environment %s", n.Name, p.Name, p.At, s.env.Name)
			}
		}
	}
}

// refusedNamespaces reports the namespaces of the profile in which a control admits no
// workload. With an exception there, some are meant to run.
func (s situation) refusedNamespaces() {
	for _, n := range s.here() {
		for _, p := range s.asked {
			action := p.ActionFor(n.Name, n.Tier)
			if action == plan.Off || !slices.Contains(p.Control.Claims.Refuses.Namespaces, n.Name) || s.excepted(p, n.Name) {
				continue
			}
			s.report(severity(action), p.Name, n.Field+".name", "remove the namespace, or switch "+p.Name+" off",
				"%s (%s) %s every workload in namespace %s in environment %s", p.Name, p.At, refuses(action), n.Name, s.env.Name)
		}
	}
}

// ownNamespaces refuses a Namespace that a policy would refuse when Flux applies it
// (docs/safety.md#deployer-and-system-namespaces).
func (s situation) ownNamespaces() {
	for _, p := range s.asked {
		demanded := texts(p, p.Control.Claims.Demands.NamespaceLabels)
		if len(demanded) == 0 {
			continue
		}
		exempt := texts(p, p.Control.Claims.Demands.Exempt)
		for _, n := range s.here() {
			labels := namespace(n, s.env.Name).Labels
			for _, label := range demanded {
				if n.Existing || labels[label] != "" || slices.Contains(exempt, n.Name) {
					continue
				}
				s.report(diag.Error, p.Name+" "+label, n.Field, "add it to the namespace's labels",
					"namespace %s has no label %s, which %s (%s) demands", n.Name, label, p.Name, p.At)
			}
		}
		s.unlisted(p, demanded, exempt)
	}
}

// unlisted refuses a policy that would refuse the Namespaces that gatehouse makes for
// Kyverno and the exceptions. Its parameter for exempt Namespaces has them, unless the
// profile sets it.
func (s situation) unlisted(p plan.Policy, demanded, exempt []string) {
	has := []string{v1alpha1.LabelEnvironment, v1alpha1.LabelManagedBy} // generator/namespaces
	for _, name := range s.resolver.plan.OwnNamespaces(s.plan) {
		if slices.Contains(exempt, name) || subset(demanded, has) {
			continue
		}
		at := field(p.Control.ID) + ".parameters." + p.Control.Claims.Demands.Exempt
		s.report(diag.Error, p.Name+" "+name, at, "add "+name+" to it",
			"%s (%s) would refuse the Namespace %s, which gatehouse creates without the labels that it demands", p.Name, p.At, name)
	}
}

// reservedLabels warns of labels that every Namespace must have and only deployers may
// set: no one else can create a Namespace.
func (s situation) reservedLabels() {
	for _, d := range s.asked {
		for _, v := range s.asked {
			both := slices.DeleteFunc(texts(d, d.Control.Claims.Demands.NamespaceLabels), func(label string) bool {
				return !slices.Contains(v.Control.Claims.Reserves.NamespaceLabels, label)
			})
			if len(both) == 0 {
				continue
			}
			at, what := field(d.Control.ID)+".parameters."+d.Control.Claims.Demands.NamespaceLabels, "a Namespace"
			hint := "remove them from " + d.Name + ": gatehouse labels its own"
			if others := s.createdByOthers(texts(d, d.Control.Claims.Demands.Exempt)); len(others) > 0 {
				at, what = others[0].Field+".create", "namespace "+and(names(others))
				hint += "; or let a deployer create it with these labels, or add it to the parameter " + d.Control.Claims.Demands.Exempt
			}
			s.report(diag.Warning, d.Name, at, hint, "only deployers can create %s: %s (%s) demands %s, which %s (%s) leaves to them",
				what, d.Name, d.At, and(both), v.Name, v.At)
		}
	}
}

// createdByOthers returns the namespaces that gatehouse does not create, without the
// exempt ones.
func (s situation) createdByOthers(exempt []string) []profile.Namespace {
	return slices.DeleteFunc(s.here(), func(n profile.Namespace) bool { return !n.Existing || slices.Contains(exempt, n.Name) })
}

func names(namespaces []profile.Namespace) []string {
	var all []string
	for _, n := range namespaces {
		all = append(all, n.Name)
	}
	return all
}
