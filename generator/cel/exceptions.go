package cel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// waiver is an exception from some checks of an object.
type waiver struct {
	plan.Exception
	checks []string // ids
}

// variable is the name of the variable that says whether the exception holds.
func (w waiver) variable() string { return "exception__" + strings.ReplaceAll(w.Name, "-", "_") }

// narrowed reports whether the exception is for some containers or images only.
func (w waiver) narrowed() bool { return len(w.Containers)+len(w.Images) > 0 }

// partition returns the exceptions from a check: those from all of it, and those for some
// containers or images only.
func partition(waivers []waiver, c check) (all, parts []waiver) {
	for _, w := range waivers {
		switch {
		case !slices.Contains(w.checks, c.id()):
		case w.narrowed():
			parts = append(parts, w)
		default:
			all = append(all, w)
		}
	}
	return all, parts
}

// waivers returns the exceptions that can matter to the object, in their order: those from
// one of its checks, in a namespace of its tier.
func (o *object) waivers() []waiver {
	var all []waiver
	for _, x := range o.env.Exceptions {
		here := o.tier == "" || len(x.ClusterKinds) > 0 ||
			slices.ContainsFunc(x.Namespaces, func(n string) bool { return o.plan.TierOf(o.env, n) == o.tier })
		w := waiver{Exception: x}
		for _, p := range x.Policies {
			for _, c := range o.checks {
				if c.policy.Name == p.Name && slices.Contains(p.Rules, c.Name) {
					w.checks = append(w.checks, c.id())
				}
			}
		}
		if here && len(w.checks) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// holds is an expression that is true if the exception covers the request: it has not
// ended, and the object is what the exception names, or its controller makes it from
// that, or it was made so and keeps what its Pods run.
func (w waiver) holds() string {
	all := []string{w.where(), "(" + strings.Join(w.ways(), " || ") + ")"}
	if !w.Expires.IsZero() {
		all = append(all, w.notEnded())
	}
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " && ")
}

// subject is the object that is to be, or that is deleted.
const subject = "variables.objects[0]"

// where is true in the namespaces of the exception; they do not limit kinds without one.
func (w waiver) where() string {
	if len(w.Namespaces) == 0 {
		return ""
	}
	in := fmt.Sprintf("request.namespace in %s", literal(w.Namespaces))
	if len(w.ClusterKinds) == 0 {
		return in
	}
	return fmt.Sprintf("(%s.kind in %s || %s)", subject, literal(w.ClusterKinds), in)
}

// notEnded is true until the exception ends. CEL has no clock, but the API server sets two
// times before it asks: that of the creation, and for an update that of each manager that
// adds or changes a field. A client that resets the managers is not exempt.
func (w waiver) notEnded() string {
	end := fmt.Sprintf("timestamp(%q)", w.Expires.UTC().Format(time.RFC3339))
	return fmt.Sprintf(`(request.operation == "UPDATE" ? object.metadata.?managedFields.orValue([]).size() > 0 && `+
		`object.metadata.managedFields.all(m, m.?time.optMap(t, timestamp(t) < %s).orValue(false)) : `+
		`%s.metadata.?creationTimestamp.optMap(t, timestamp(t) < %s).orValue(false))`, end, subject, end)
}

// ways are alternatives: what the exception covers.
func (w waiver) ways() []string {
	name := fmt.Sprintf(`%s.metadata.?name.orValue(%s.metadata.?generateName.orValue(""))`, subject, subject)
	var out []string
	add := func(way string) {
		if !slices.Contains(out, way) {
			out = append(out, way)
		}
	}
	for _, kind := range w.Kinds {
		names := w.Names
		if kind == "Pod" {
			names = plan.PodNames(names)
		}
		add(fmt.Sprintf("%s.kind == %q && %s.matches(%s)", subject, kind, name, quoted(pattern(names, ""))))
		for _, made := range plan.MadeFrom(kind) {
			m := owned{made, w.Names}
			add(m.byController())
			add(m.unchanged())
			if kind == "CronJob" && made.Kind == "Job" {
				add(m.byHand())
			}
		}
	}
	return out
}

// owned are the objects that controllers make for workloads with some names.
type owned struct {
	plan.Made
	names []string
}

// in is true if an object is of the kind and its controller is the owner. Whoever writes
// an object writes its owner references, so they prove nothing alone.
func (o owned) in(object string) string {
	name := fmt.Sprintf("r.name.matches(%s)", quoted(pattern(o.names, o.Suffix)))
	if o.ByHand { // not a Job that a CronJob with a longer name runs by the clock
		name = fmt.Sprintf("(%s || r.name.matches(%s) && !r.name.matches(%s))", name, quoted(pattern(o.names, "-.+")), quoted(pattern(o.names, "-.+"+plan.MinuteSuffix)))
	}
	return fmt.Sprintf("%s.kind == %q && %s.metadata.?ownerReferences.orValue([]).exists(r, r.?controller.orValue(false) && r.apiVersion == %q && r.kind == %q && %s)",
		object, o.Kind, object, o.Owner.APIVersion(), o.Owner.Kind, name)
}

// byController is true if the controller of the owner writes the object. A background
// scan has no user: there, the owner alone decides what is reported.
func (o owned) byController() string {
	return fmt.Sprintf(`%s && request.?userInfo.?username.orValue("") in %s`, o.in(subject), literal([]string{"", o.Account(), plan.AllControllers}))
}

// unchanged is true if the object had the owner before, and keeps what its Pods run.
func (o owned) unchanged() string {
	runs := "spec"
	if o.Kind != "Pod" {
		runs = "spec.template"
	}
	return fmt.Sprintf(`request.operation == "UPDATE" && %s && object.%s == oldObject.%s`, o.in("oldObject"), runs, runs)
}

// byHand is true if the object is a new Job as `kubectl create job --from=cronjob/…` makes it.
func (o owned) byHand() string {
	return fmt.Sprintf(`request.operation == "CREATE" && %s && object.metadata.?annotations[?"cronjob.kubernetes.io/instantiate"].orValue("") == "manual"`, o.in("object"))
}

// remaining is an expression for what checks see of Pods without the containers and image
// volumes that exceptions name. Images with the same name are the same, however they are
// written.
func remaining(narrowed []waiver) string {
	var containers, volumes []string
	for _, w := range narrowed {
		var named []string
		if len(w.Containers) > 0 {
			named = append(named, fmt.Sprintf(`c.?name.orValue("").matches(%s)`, quoted(pattern(w.Containers, ""))))
		}
		if len(w.Images) > 0 {
			named = append(named, ofImages(w.Images, `c.?image.orValue("")`))
			if len(w.Containers) == 0 { // an image volume is in no container
				volumes = append(volumes, fmt.Sprintf("!(variables.%s && %s)", w.variable(), ofImages(w.Images, "v.image.reference")))
			}
		}
		containers = append(containers, fmt.Sprintf("!(variables.%s && %s)", w.variable(), strings.Join(named, " && ")))
	}
	templates := fmt.Sprintf(`variables.templates.map(o, {"metadata": o.metadata, "spec": o.spec, "containers": dyn(o.containers.filter(c, %s))})`, strings.Join(containers, " && "))
	return podsOf(templates, strings.Join(volumes, " && "))
}

// ofImages is an expression that is true if an image is one of the globs. localhost is a
// registry to some container runtimes, and a name on docker.io to others: nothing there is
// named.
func ofImages(globs []string, image string) string {
	full := make([]string, len(globs))
	for i, glob := range globs {
		full[i] = plan.FullImage(glob)
	}
	return fmt.Sprintf(`!%s.startsWith("localhost/") && %s.matches(%s)`, image, fullImage(image), quoted(pattern(full, "")))
}

// fullImage is an expression for the full name of an image, as plan.FullImage has it.
func fullImage(image string) string {
	return fmt.Sprintf(`[%s].map(i, i.matches("^([^/.:A-Z]+/.*|[^/]*)$") ? "docker.io/" + i : i)`+
		`.map(i, i.startsWith("index.docker.io/") ? i.substring(6) : i)`+
		`.map(i, i.matches("^docker[.]io/[^/]+$") ? "docker.io/library/" + i.substring(10) : i)`+
		`.map(i, i.matches("^.*/[^/:@]*$") ? i + ":latest" : i)[0]`, image)
}

// pattern is a regular expression for globs, in which * stands for any characters.
func pattern(globs []string, suffix string) string {
	out := make([]string, len(globs))
	for i, glob := range globs {
		out[i] = strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
	}
	return "^(" + strings.Join(out, "|") + ")" + suffix + "$"
}

// literal returns texts as a list in CEL.
func literal(texts []string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = quoted(t)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
