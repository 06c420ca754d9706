package resolve

import (
	"fmt"
	"reflect"
	"regexp"
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
		if len(x.Containers) > 0 {
			rep.Report(field, "exception-narrow", "name the images in spec.images instead", "%s verifies images, whatever container they are for: it cannot be narrowed to containers", p.Name)
		}
		return len(x.Containers) == 0
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
		full[i] = fullName(glob)
	}
	return fmt.Sprintf("!starts_with(%s, 'localhost/') && regex_match('%s', %s)", image, pattern(full), fullImage(image))
}

// spellings rewrite an image, from first to last, to the name that container runtimes
// read: without a host (a first part with a dot, a colon or an upper-case letter) it
// lies on docker.io; index.docker.io is docker.io; one part alone there lies in library;
// without tag and digest, it is the latest.
var spellings = []struct{ from, to string }{
	{`^([^/.:A-Z]+/.*|[^/]*)$`, `docker.io/$1`},
	{`^index[.]docker[.]io/`, `docker.io/`},
	{`^docker[.]io/([^/]+)$`, `docker.io/library/$1`},
	{`^(.*/[^/:@]*)$`, `$1:latest`},
}

// fullImage is an expression for the full name of an image.
func fullImage(image string) string {
	for _, s := range spellings {
		image = fmt.Sprintf("regex_replace_all('%s', %s, '%s')", s.from, image, s.to)
	}
	return image
}

// fullName returns the full name of a glob. What begins with a * may be on any registry.
func fullName(glob string) string {
	if strings.HasPrefix(glob, "*") {
		return glob
	}
	for i, s := range spellings {
		if i == len(spellings)-1 && strings.HasSuffix(glob, "*") {
			break // the * stands for the tag, too
		}
		glob = regexp.MustCompile(s.from).ReplaceAllString(glob, s.to)
	}
	return glob
}

// pattern is a regular expression for globs, in which * stands for any characters.
func pattern(globs []string) string {
	out := make([]string, len(globs))
	for i, glob := range globs {
		out[i] = strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
	}
	return "^(" + strings.Join(out, "|") + ")$"
}
