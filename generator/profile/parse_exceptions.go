package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

var (
	kindName   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)
	objectGlob = regexp.MustCompile(`^[a-z0-9*]([-a-z0-9.*]*[a-z0-9*])?$`)
	// containerGlob is a label of DNS with stars.
	containerGlob = regexp.MustCompile(`^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$`)
	imageGlob     = regexp.MustCompile(`^[a-zA-Z0-9*][-a-zA-Z0-9._:/@*]*$`)
)

// exception parses one exception by itself. Package resolve compares it with the
// controls that are on.
func (p *parser) exception(e Loaded[v1alpha1.Exception], environments []string) {
	r, spec := reporterOf(e.Positions), e.Value.Spec
	r.name("metadata.name", e.Value.Metadata.Name, 63)
	for field, text := range map[string]string{"spec.reason": spec.Reason, "spec.owner": spec.Owner} {
		if strings.TrimSpace(text) == "" {
			r.Report(field, "exception-"+strings.TrimPrefix(field, "spec."), "", "must not be empty")
		}
	}
	if len(spec.Controls) == 0 {
		r.Report("spec.controls", "required", "", "set the controls that the exception waives")
	}
	r.distinct("spec.controls", spec.Controls)
	known := slices.Concat(p.src.Catalog.Defined(), p.imagePolicies())
	for i, id := range spec.Controls {
		field := fmt.Sprintf("spec.controls[%d]", i)
		if control, ok := p.src.Catalog.Control(id); ok && !control.Judges() {
			r.Report(field, "exception-network", "allow the connections in the network rules of the namespace, or set its network.defaultDeny: false", "%s has no exceptions: it is made of NetworkPolicies", id)
		}
		r.control(field, id, known)
	}
	r.distinct("spec.environments", spec.Environments)
	for i, name := range spec.Environments {
		r.known(fmt.Sprintf("spec.environments[%d]", i), "environment-unknown", "environment", name, environments)
	}
	p.exceptionMatch(&r, spec)
	p.exceptionNamespaces(&r, spec)
	end := r.expiry(*spec.Expires, *p.spec.Exceptions, p.now)
	p.src.Exceptions = append(p.src.Exceptions, Exception{Document: Document{e.Value.Metadata.Name, e.Positions}, ExceptionSpec: spec, End: end})
	p.Problems = append(p.Problems, r.Problems...)
}

func (p *parser) exceptionMatch(r *reporter, spec v1alpha1.ExceptionSpec) {
	for i, n := range spec.Match.Namespaces {
		field := fmt.Sprintf("spec.match.namespaces[%d]", i)
		if errs := validation.IsDNS1123Label(n); len(errs) > 0 {
			r.Report(field, "exception-wide", "name each namespace", "%q is not the name of one namespace", n)
		} else if p.system(n, spec.Environments) {
			r.Report(field, "exception-pointless", "remove it", "%s is a system namespace: nothing is enforced there", n)
		}
	}
	if len(spec.Match.Kinds) == 0 {
		r.Report("spec.match.kinds", "exception-wide", "such as Deployment", "set the kinds of the exception")
	}
	for i, k := range spec.Match.Kinds {
		if !kindName.MatchString(k) {
			r.Report(fmt.Sprintf("spec.match.kinds[%d]", i), "exception-wide", "such as Deployment", "%q is not a kind", k)
		}
	}
	if len(spec.Match.Names) == 0 {
		r.Report("spec.match.names", "exception-wide", "such as node-agent", "set the names of the exempt objects")
	}
	for i, n := range spec.Match.Names {
		if !objectGlob.MatchString(n) && !validRBACName(spec.Match.Kinds, n) {
			r.Report(fmt.Sprintf("spec.match.names[%d]", i), "name-invalid", "a name; * stands for any characters", "%q is not the name of an object", n)
		}
	}
	r.narrowing(spec)
	for list, values := range map[string][]string{"namespaces": spec.Match.Namespaces, "kinds": spec.Match.Kinds, "names": spec.Match.Names} {
		r.distinct("spec.match."+list, values)
	}
	r.distinct("spec.containers", spec.Containers)
	r.distinct("spec.images", spec.Images)
}

// narrowing checks the containers and images to which an exception is narrowed, and names
// that match every object if it is not.
func (r *reporter) narrowing(spec v1alpha1.ExceptionSpec) {
	for i, image := range spec.Images {
		field := fmt.Sprintf("spec.images[%d]", i)
		r.image(field, image, slices.ContainsFunc(spec.Controls, func(id string) bool { return id == verifyImages || strings.HasPrefix(id, imagePolicy("")) }))
		if other := wider(image); other != "" {
			r.Warn(field, "exception-wide-images", "write out the registry and the name, and * only for a tag or for all that is below a path", "%q covers %s too: * stands for any characters, also for /", image, other)
		}
	}
	for i, name := range spec.Containers {
		if !containerGlob.MatchString(name) {
			r.Report(fmt.Sprintf("spec.containers[%d]", i), "name-invalid", "a name; * stands for any characters", "%q is not the name of a container", name)
		}
	}
	narrows := func(globs []string) bool { return len(globs) > 0 && !slices.ContainsFunc(globs, everyName) }
	if slices.ContainsFunc(spec.Match.Names, everyName) && !narrows(spec.Containers) && !narrows(spec.Images) {
		r.everyObject(spec.Match)
	}
	for field, globs := range map[string][]string{"containers": spec.Containers, "images": spec.Images} {
		if globs != nil && len(globs) == 0 {
			r.Report("spec."+field, "exception-narrow", "remove "+field+", which exempts the whole Pod, or name some", "names no %s", field)
		}
	}
}

// image checks a glob over images: that an image can match it. Images are compared with their
// tag or digest. Without both, a glob means the tag latest, and for an image rule, which
// verifies says, no image at all.
func (r *reporter) image(field, glob string, verifies bool) {
	const code = "image-reference"
	repository, slash := glob, strings.LastIndex(glob, "/")
	if tag := strings.IndexAny(glob[slash+1:], ":@"); tag >= 0 {
		repository = glob[:slash+1+tag]
	}
	spelling := fmt.Sprintf("write %s:*, and for images with only a digest %s@*", glob, glob)
	switch {
	case !imageGlob.MatchString(glob) || strings.Contains(glob, "//") || strings.HasSuffix(repository, "/"):
		r.Report(field, code, "such as ghcr.io/acme/agent:*", "%q is not a glob over image references", glob)
	case strings.ToLower(repository) != repository:
		r.Report(field, code, "write "+strings.ToLower(repository)+glob[len(repository):], "%q has upper-case letters; references are lower case", glob)
	case repository != glob || strings.HasSuffix(glob, "*"):
	case verifies:
		r.Report(field, code, spelling, "%q has no tag and no digest, and images have one: nothing would be exempt", glob)
	default:
		r.Warn(field, code, spelling, "%q has no tag and no digest: only its tag latest is exempt", glob)
	}
}

// everyName reports whether a glob matches every name.
func everyName(glob string) bool { return glob != "" && strings.Trim(glob, "*") == "" }

// everyObject reports names that match all objects. Without a namespace, that is every object
// of the kind in the cluster.
func (r *reporter) everyObject(match v1alpha1.ExceptionMatch) {
	const field = "spec.match.names"
	if len(match.Namespaces) == 0 {
		r.Report(field, "exception-wide-names", "name the objects", "every %s of the cluster would be exempt", strings.Join(match.Kinds, " and "))
		return
	}
	r.Warn(field, "exception-wide-names", "name the objects, or narrow the exception with containers or images", "every %s in %s is exempt, those that do not exist yet too",
		strings.Join(match.Kinds, " and "), strings.Join(match.Namespaces, " and "))
}

// exceptionNamespaces warns of a namespace that the profile does not know wherever the exception
// holds. It may exist: policies judge it as one of the last tier.
func (p *parser) exceptionNamespaces(r *reporter, spec v1alpha1.ExceptionSpec) {
	var known []string
	for _, e := range p.src.Environments {
		if spec.Environments != nil && !slices.Contains(spec.Environments, e.Name) {
			continue
		}
		known = append(known, e.Spec.SystemNamespaces...)
		for _, n := range e.Spec.Namespaces {
			if n.In(e.Name) {
				known = append(known, n.Name)
			}
		}
	}
	for i, n := range spec.Match.Namespaces {
		if len(validation.IsDNS1123Label(n)) > 0 || slices.Contains(known, n) {
			continue
		}
		hint := diag.DidYouMean(n, known)
		if hint == "" {
			hint = "if it exists, write it in spec.namespaces of the profile, with create: false"
		}
		r.Warn(fmt.Sprintf("spec.match.namespaces[%d]", i), "exception-namespace", hint, "the profile has no namespace %q where the exception holds", n)
	}
}

// validRBACName reports whether the name is valid for the kinds, which must all be of RBAC.
// Such names are path segments and may have colons (system:node).
func validRBACName(kinds []string, name string) bool {
	rbac := []string{"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
	outside := func(k string) bool { return !slices.Contains(rbac, k) }
	return len(kinds) > 0 && !slices.ContainsFunc(kinds, outside) && name != "" && !strings.ContainsAny(name, "/%? \n\t")
}

// expiry parses the time at which an exception stops applying: the start of that day
// in UTC. It is zero for a permanent exception. What builds once builds on every later day:
// an end that is too far away comes nearer, and one that has passed is no error.
func (r *reporter) expiry(expires string, rules v1alpha1.ExceptionRules, now time.Time) time.Time {
	const field = "spec.expires"
	if expires == "" {
		if !*rules.AllowPermanent {
			r.Report(field, "exception-expiry", "such as "+now.AddDate(0, 3, 0).Format(time.DateOnly)+", or spec.exceptions.allowPermanent in the profile", "set an expiry date")
		}
		return time.Time{}
	}
	end, err := time.Parse(time.DateOnly, expires)
	switch left := end.Sub(now); {
	case err != nil:
		r.Report(field, "date-invalid", "such as 2027-03-31", "%q is not a date", expires)
	case end.After(now.AddDate(0, 0, *rules.MaxDays)) && !*rules.AllowPermanent:
		r.Report(field, "exception-expiry-far", "write an earlier date, such as "+now.AddDate(0, 3, 0).Format(time.DateOnly)+", or raise spec.exceptions.maxDays in the profile",
			"%s is more than %d days away", expires, *rules.MaxDays)
	case left <= 0:
		r.Warn(field, codeExpired, "remove the exception, or decide on it again", "ended on %s; the workload is judged like all others", expires)
	case left <= time.Duration(*rules.WarnDays)*24*time.Hour:
		r.Warn(field, "exception-expires", "the workload is judged like all others from then on", "ends on %s, in %s", expires, days(left))
	}
	return end
}

// codeExpired marks an exception that has ended.
const codeExpired = "exception-expired"

// Strict returns a copy of the findings in which an expired exception is an error.
func Strict(findings diag.List) diag.List {
	out := slices.Clone(findings)
	for i := range out {
		if out[i].Code == codeExpired {
			out[i].Severity = diag.Error
		}
	}
	return out
}

// days returns a duration in whole days, in words.
func days(d time.Duration) string {
	switch n := int(d.Hours()) / 24; n {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}

// system reports whether a namespace is a system namespace wherever an exception
// holds: in the named environments, or in all if none is named.
func (p *parser) system(namespace string, environments []string) bool {
	specs := []*Spec{}
	for _, e := range p.src.Environments {
		if environments == nil || slices.Contains(environments, e.Name) {
			specs = append(specs, e.Spec)
		}
	}
	return len(specs) > 0 && !slices.ContainsFunc(specs, func(s *Spec) bool { return !slices.Contains(s.SystemNamespaces, namespace) })
}

// imagePolicies returns the names of the policies that are made from spec.trust.images
// in any environment.
func (p *parser) imagePolicies() []string {
	var names []string
	for _, rule := range p.out.Images {
		names = append(names, rule.Policy)
	}
	for _, e := range p.src.Environments {
		for _, rule := range e.Spec.Images {
			names = append(names, rule.Policy)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// imagePolicy returns the name of the policy that is made from an image rule.
func imagePolicy(rule string) string { return verifyImages + "-" + rule }
