package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// unneeded warns of what an exception waives although nothing refuses it: in namespaces in
// which a control is off, and for images that it admits. held are the environments in which
// the exception waives anything.
func (r *resolver) unneeded(rep *source.Reporter, e profile.Exception, held []*plan.Environment) {
	for i, id := range e.Controls {
		for j, namespace := range e.Match.Namespaces {
			r.offInNamespace(rep, fmt.Sprintf("spec.match.namespaces[%d]", j), e, id, namespace, held)
		}
		admitted := func(env *plan.Environment) bool { return admits(waivable(env, id), e.Images) }
		if len(e.Images) > 0 && len(held) > 0 && !slices.ContainsFunc(held, func(env *plan.Environment) bool { return !admitted(env) }) {
			rep.Warn(fmt.Sprintf("spec.controls[%d]", i), "exception-unneeded", "remove the control from the exception, or correct the images", "%s admits the images of the exception anyway", id)
		}
	}
}

// offInNamespace warns of a control that is off in a namespace: in one of the environments
// that an exception names, or everywhere if it names none.
func (r *resolver) offInNamespace(rep *source.Reporter, field string, e profile.Exception, id, namespace string, held []*plan.Environment) {
	const code, hint = "exception-control-off", "remove the namespace from the exception"
	var off []string
	for _, env := range held {
		tier, policies := r.plan.TierOf(*env, namespace), waivable(env, id)
		if slices.ContainsFunc(policies, func(p plan.Policy) bool { return p.ActionFor(namespace, tier) != plan.Off }) || e.Environments != nil && len(policies) == 0 {
			continue // or reported at the control
		}
		why := "tier " + tier
		if slices.ContainsFunc(policies, func(p plan.Policy) bool { return p.ActionIn(tier) != plan.Off }) {
			why = "outside of its namespaces"
		}
		off = append(off, fmt.Sprintf("%s (%s)", env.Name, why))
	}
	if len(off) > 0 && (e.Environments != nil || len(off) == len(held)) {
		rep.Warn(field, code, hint, "%s is off for %s in %s", id, namespace, strings.Join(off, ", "))
	}
}

// waivable returns the policies of an environment that an exception means by a name.
func waivable(env *plan.Environment, id string) []plan.Policy {
	return slices.DeleteFunc(slices.Clone(env.Policies), func(p plan.Policy) bool { return p.Base != id && p.Control.ID != id })
}

// admits reports whether policies surely admit all images that globs name: image rules that
// are for other images, and registries that are allowed.
func admits(policies []plan.Policy, globs []string) bool {
	refused := func(p plan.Policy) bool {
		parameter := p.Control.Claims.Refuses.ImagesOutside
		return slices.ContainsFunc(globs, func(glob string) bool {
			switch {
			case p.Image != nil:
				return slices.ContainsFunc(p.Image.References, func(reference string) bool { return meet(reference, glob) || meet(reference, plan.FullImage(glob)) })
			case parameter != "":
				return !slices.ContainsFunc(texts(p, parameter), func(registry string) bool { return lies(plan.FullImage(glob), registry) })
			}
			return true
		})
	}
	return len(policies) > 0 && !slices.ContainsFunc(policies, refused)
}

// lies reports whether every image that a glob names is from a registry, or a part of one.
func lies(glob, registry string) bool {
	rest, ok := strings.CutPrefix(glob, registry)
	return ok && strings.ContainsAny(rest[:min(1, len(rest))], "/:@")
}
