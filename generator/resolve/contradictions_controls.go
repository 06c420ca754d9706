package resolve

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// refusedImages reports references of image rules that a control never admits, and a
// control that admits no image at all.
func (s situation) refusedImages() {
	for _, p := range s.asked {
		parameter := p.Control.Claims.Refuses.ImagesOutside
		if parameter == "" || s.excepted(p, "") {
			continue
		}
		allowed := texts(p, parameter)
		if len(allowed) == 0 {
			s.report(severity(p.Strictest()), p.Name, "spec.registries.allowed", "list the registries that images may come from, or switch "+p.Name+" off",
				"%s (%s) %s every image in environment %s: no registry is allowed", p.Name, p.At, refuses(p.Strictest()), s.env.Name)
			continue
		}
		for _, rule := range s.Images {
			s.refusedReferences(p, rule, allowed)
		}
	}
}

// refusedReferences reports the references of a rule that lie outside the allowed
// registries. In a tier in which the policy is off, the images can run.
func (s situation) refusedReferences(p plan.Policy, rule profile.Image, allowed []string) {
	active, where := s.activeTiers(rule)
	action := least(p, active, where)
	if action == plan.Off {
		return
	}
	for i, ref := range rule.Written {
		if slices.ContainsFunc(ref.Globs, func(glob string) bool { return meetsAny(glob, allowed) }) {
			continue
		}
		s.report(severity(action), p.Name, fmt.Sprintf("%s.references[%d]", rule.Field, i), "allow its registry, or remove the reference",
			"%s (%s) %s every image that %s matches in environment %s", p.Name, p.At, refuses(action), ref.Text, s.env.Name)
	}
}

// openRegistries finds the image rules that are enforced in a tier where images may come
// from anywhere. A rule judges the images that its references match, as they are written:
// one that lies elsewhere, or a registry in another spelling (ghcr.io:443, GHCR.IO), is
// none of them. A control that restricts registries knows one spelling of each.
func (s situation) openRegistries() {
	for _, rule := range s.Images {
		for _, t := range rule.Tiers {
			_, where := s.activeTiers(rule)
			if s.enforced(t, func(p plan.Policy) bool { return p.Base == rule.Policy }) &&
				!s.enforced(t, func(p plan.Policy) bool { return p.Control.Claims.Refuses.ImagesOutside != "" && where.Within(p.Scope) }) {
				s.found.open.add(s.At(rule.Field), s.Positions.Path(rule.Field), fmt.Sprintf("tier %s of environment %s", t, s.env.Name))
			}
		}
	}
}

// openRules are the image rules of which openRegistries warns, and where they are enforced,
// each once.
type openRules struct {
	at     []diag.Position
	path   string // of the first
	places []string
}

func (o *openRules) add(at diag.Position, path, place string) {
	if len(o.at) == 0 {
		o.path = path
	}
	if !slices.Contains(o.at, at) {
		o.at = append(o.at, at)
	}
	if !slices.Contains(o.places, place) {
		o.places = append(o.places, place)
	}
}

// warn says it once, at the first rule: one control mends it for all.
func (o *openRules) warn(problems *diag.List) {
	if len(o.at) == 0 {
		return
	}
	admit := "admits"
	if len(o.places) > 1 {
		admit = "admit"
	}
	summary := fmt.Sprintf("verifies only what it matches: %s %s images from any registry, and other spellings of these names (host:443)", and(o.places), admit)
	if others := o.at[1:]; len(others) > 0 {
		var also []string
		for _, at := range others {
			also = append(also, at.String())
		}
		summary += "; so it is with " + and(also)
	}
	problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: codeContradiction, Position: o.at[0], Path: o.path, Summary: summary,
		Hint: "enforce restrict-image-registries there, too"})
}

// enforced reports whether some of the policies are enforced in a tier.
func (s situation) enforced(tier string, some func(plan.Policy) bool) bool {
	return slices.ContainsFunc(s.asked, func(p plan.Policy) bool { return some(p) && p.ActionIn(tier) == plan.Enforce })
}

// activeTiers returns the tiers in which an image rule is on, none if it is off, and where it
// judges in these.
func (s situation) activeTiers(rule profile.Image) (tiers []string, where plan.Scope) {
	for _, p := range s.asked {
		if p.Base != rule.Policy {
			continue
		}
		where = p.Scope
		for _, t := range rule.Tiers {
			if p.Actions[t] > plan.Off {
				tiers = append(tiers, t)
			}
		}
	}
	return tiers, where
}

// meetsAny reports whether some image that a glob matches is from one of the registries
// or repositories.
func meetsAny(glob string, registries []string) bool {
	return slices.ContainsFunc(registries, func(registry string) bool {
		return slices.ContainsFunc([]string{"/*", ":*", "@*"}, func(end string) bool { return meet(glob, registry+end) })
	})
}

// meet reports whether some text matches both globs.
func meet(a, b string) bool {
	// now[j] says it of a[i:] and b[j:], and last[j] of a[i+1:] and b[j:].
	var last []bool
	for i := len(a); i >= 0; i-- {
		now := make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			moreA, moreB := i < len(a), j < len(b)
			switch {
			case moreA && a[i] == '*' || moreB && b[j] == '*': // ends, or takes what the other has
				now[j] = moreA && last[j] || moreB && now[j+1]
			case moreA && moreB:
				now[j] = a[i] == b[j] && last[j+1]
			default:
				now[j] = !moreA && !moreB
			}
		}
		last = now
	}
	return last[0]
}

// idleImageRules warns of image rules that are on, for tiers that have no namespace in
// any environment. The last tier always has some: those that the profile does not list.
func (r *resolver) idleImageRules(found *findings) {
	idle := map[diag.Position]situation{}
	busy := map[diag.Position]bool{}
	for i, e := range r.src.Environments {
		s := r.situation(e, r.plan.Environments[i])
		s.found = found
		for _, rule := range s.Images {
			if slices.Contains(rule.Tiers, r.plan.LastTier()) || slices.ContainsFunc(s.here(), func(n profile.Namespace) bool { return slices.Contains(rule.Tiers, n.Tier) }) {
				busy[rule.At] = true
			} else if active, _ := s.activeTiers(rule); len(active) > 0 {
				idle[rule.At] = s
			}
		}
	}
	for at, s := range idle {
		for _, rule := range s.Images {
			if rule.At == at && !busy[at] {
				s.report(diag.Warning, rule.Policy, rule.Field+".tiers", "add the tier of the namespaces that run these images",
					"the rule has no effect: no namespace (%s) is in tier %s", s.At("spec.namespaces"), and(rule.Tiers))
			}
		}
	}
}

// deployedObjects refuses a parameter that leaves out what gatehouse would set: the
// policy would refuse objects of gatehouse or Kyverno.
func (s situation) deployedObjects() {
	for _, p := range s.asked {
		for _, name := range p.Control.Claims.Needs {
			if s.written(p.Control.ID)[name] == nil {
				continue
			}
			from := p.Control.Parameters.Properties[name].From
			for _, needed := range s.needed(from) {
				if p.Parameters[name] == needed || slices.Contains(texts(p, name), needed) || slices.Contains(accounts(p, name), needed) {
					continue
				}
				s.report(diag.Error, p.Name, field(p.Control.ID)+".parameters."+name, "remove the parameter: gatehouse sets it",
					"leaves out %s, which %s (%s) must not refuse", needed, p.Name, p.At)
			}
		}
	}
}

// accounts returns the users of a parameter that lists accounts of Flux's controllers.
func accounts(p plan.Policy, parameter string) []string {
	list, _ := p.Parameters[parameter].([]any)
	var users []string
	for _, item := range list {
		applier, _ := item.(map[string]any)
		if user, ok := applier["user"].(string); ok {
			users = append(users, user)
		}
	}
	return users
}

// needed returns what a parameter that is derived from a value of the profile must have.
// Of deployers that is the account that applies the repository: the others apply objects
// that the policies do not guard.
func (s situation) needed(from string) []string {
	applier := s.Flux.Applier()
	_, shared := plan.FluxApplier(applier)
	switch {
	case from == "deployers" && !shared, from == "deployers.appliers" && shared:
		return []string{applier}
	case from == "deployers", from == "deployers.appliers":
		return nil
	}
	value, _ := s.derived(s.Spec)(from)
	if text, ok := value.(string); ok {
		return []string{text}
	}
	list, _ := value.([]string)
	return list
}

// refusedValues warns of values that the profile lets one control admit while another
// one refuses them.
func (s situation) refusedValues() {
	for _, p := range s.asked {
		for _, subject := range subjects(p) {
			written, _ := s.written(p.Control.ID)[subject.parameter].([]any)
			for i, item := range written {
				value, _ := item.(string)
				for _, other := range s.asked {
					if other.Name == p.Name || !subject.refusedBy(other, value) || !s.asStrict(other, p) || s.excepted(other, "") {
						continue
					}
					s.report(diag.Warning, other.Name, fmt.Sprintf("%s.parameters.%s[%d]", field(p.Control.ID), subject.parameter, i), "remove it here, or let "+other.Name+" admit it",
						"has no effect: %s (%s) refuses %s", other.Name, other.At, value)
				}
			}
		}
	}
}

// asStrict reports whether a policy is at least as strict as another one in every tier and
// namespace.
func (s situation) asStrict(p, other plan.Policy) bool {
	return other.Scope.Within(p.Scope) && !slices.ContainsFunc(s.resolver.plan.Tiers, func(t string) bool { return p.ActionIn(t) < other.ActionIn(t) })
}

// subject is a parameter with the values that a control admits, and how to ask another
// control about one of them.
type subject struct {
	parameter string
	refusedBy func(other plan.Policy, value string) bool
}

func subjects(p plan.Policy) []subject {
	outside := func(other plan.Policy, parameter, value string) bool {
		return parameter != "" && !slices.Contains(texts(other, parameter), value)
	}
	return slices.DeleteFunc([]subject{
		{p.Control.Claims.Refuses.VolumesOutside, func(other plan.Policy, value string) bool {
			claims := other.Control.Claims.Refuses
			return slices.Contains(claims.Volumes, value) || outside(other, claims.VolumesOutside, value)
		}},
		{p.Control.Claims.Refuses.CapabilitiesOutside, func(other plan.Policy, value string) bool {
			return outside(other, other.Control.Claims.Refuses.CapabilitiesOutside, value)
		}},
	}, func(x subject) bool { return x.parameter == "" })
}
