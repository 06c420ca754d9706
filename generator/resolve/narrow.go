package resolve

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// narrow limits what an exception waives of a policy to some containers and images: each
// waived rule gets the conditions under which it finds nothing wrong with the rest of
// the Pod. Rules that do not look at containers or images are not waived. It reports a
// control that cannot be narrowed.
func (r *resolver) narrow(rep *source.Reporter, field string, p plan.Policy, x *plan.Exception, waived *plan.ExceptionPolicy) bool {
	if len(x.Images)+len(x.Containers) == 0 {
		return true
	}
	if p.Image != nil {
		cluster := p.Target == catalog.ClusterPolicy
		if cluster && len(x.Containers) > 0 {
			rep.Report(field, "exception-narrow", "name the images in spec.images instead", "%s verifies images, whatever container they are for: it cannot be narrowed to containers", p.Name)
		}
		return !cluster || len(x.Containers) == 0
	}
	if slices.Contains(catalog.CELTargets(), p.Target) {
		return r.narrowCEL(rep, field, p, waived)
	}
	all, _, err := p.Control.Narrowed(p.Target, p.Parameters, catalog.Narrowing{})
	if err != nil {
		rep.Report(field, "exception-narrow", "", "%v", err)
		return false
	}
	rest, ok, err := p.Control.Narrowed(p.Target, p.Parameters, notExempt(x))
	if err != nil {
		rep.Report(field, "exception-narrow", "", "%v", err)
		return false
	}
	var rules []string
	for _, rule := range waived.Rules {
		passes, can := rest.Passes(rule)
		ok = ok && can
		if whole, _ := all.Passes(rule); !reflect.DeepEqual(passes, whole) {
			rules = append(rules, rule)
			waived.Rest = append(waived.Rest, passes)
		}
	}
	if waived.Rules = rules; !ok || len(rules) == 0 {
		rep.Report(field, "exception-narrow", "waive it in an exception of its own, without containers and images: docs/safety.md#exceptions",
			"%s cannot be narrowed to containers or images", p.Name)
		return false
	}
	return true
}

// narrowCEL keeps the checks that look at containers or images: what an exception names is
// left out of the Pod that they see.
func (r *resolver) narrowCEL(rep *source.Reporter, field string, p plan.Policy, waived *plan.ExceptionPolicy) bool {
	waived.Rules = slices.DeleteFunc(waived.Rules, func(rule string) bool {
		return !slices.ContainsFunc(p.Checks(), func(c catalog.Check) bool { return c.Name == rule && c.SeesContainers() })
	})
	if len(waived.Rules) == 0 {
		rep.Report(field, "exception-narrow", "waive it without containers and images, for the whole Pod", "%s cannot be narrowed to containers or images", p.Name)
	}
	return len(waived.Rules) > 0
}

// notExempt returns what a narrowed policy sees: the containers and image volumes that
// the exception does not name. An image volume is in no container.
func notExempt(x *plan.Exception) catalog.Narrowing {
	var exempt []string
	if len(x.Containers) > 0 {
		exempt = append(exempt, fmt.Sprintf("regex_match('%s', not_null(name, ''))", pattern(x.Containers)))
	}
	out := catalog.Narrowing{}
	if len(x.Images) > 0 {
		exempt = append(exempt, named(x.Images, "not_null(image, '')"))
		if len(x.Containers) == 0 {
			out.Image = "!(" + named(x.Images, "@") + ")"
		}
	}
	out.Container = "!(" + strings.Join(exempt, " && ") + ")"
	return out
}

// named is an expression that is true if an image is one of the globs, however both are
// written. localhost is a registry to some container runtimes, and a name on docker.io to
// others: nothing there is named.
func named(globs []string, image string) string {
	full := make([]string, len(globs))
	for i, glob := range globs {
		full[i] = plan.FullImage(glob)
	}
	return fmt.Sprintf("!starts_with(%s, 'localhost/') && regex_match('%s', %s)", image, pattern(full), fullImage(image))
}

// fullImage is an expression for the full name of an image.
func fullImage(image string) string {
	for _, s := range plan.Spellings() {
		image = fmt.Sprintf("regex_replace_all('%s', %s, '%s')", s.From, image, s.To)
	}
	return image
}

// pattern is a regular expression for globs, in which * stands for any characters.
func pattern(globs []string) string {
	out := make([]string, len(globs))
	for i, glob := range globs {
		out[i] = strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
	}
	return "^(" + strings.Join(out, "|") + ")$"
}
