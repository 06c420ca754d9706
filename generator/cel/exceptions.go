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

// narrowed reports whether the exception is for some containers or images only.
func (w waiver) narrowed() bool { return len(w.Containers)+len(w.Images) > 0 }

// waivers are the exceptions that can matter to an object, in their order.
type waivers []waiver

// waivers returns those from one of its checks, in whatever namespace: one that moves, or
// that left the profile, has the label of another tier than the plan says.
func (o *object) waivers() waivers {
	var all waivers
	for _, x := range o.env.Exceptions {
		w := waiver{Exception: x}
		for _, p := range x.Policies {
			for _, c := range o.checks {
				if c.policy.Name == p.Name && slices.Contains(p.Rules, c.Name) {
					w.checks = append(w.checks, c.id())
				}
			}
		}
		if len(w.checks) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// of returns the exceptions from a check.
func (all waivers) of(c check) waivers {
	var out waivers
	for _, w := range all {
		if slices.Contains(w.checks, c.id()) {
			out = append(out, w)
		}
	}
	return out
}

// narrowed reports whether some of the exceptions are narrowed.
func (all waivers) narrowed() bool { return slices.ContainsFunc(all, waiver.narrowed) }

// whole reports whether some of the exceptions are not narrowed.
func (all waivers) whole() bool {
	return slices.ContainsFunc(all, func(w waiver) bool { return !w.narrowed() })
}

// The keys of an exception as it is written in a policy: a map of lists of texts. What
// does not limit an exception is absent.
const (
	rowName       = "name"
	rowNamespaces = "namespaces"
	rowKinds      = "kinds"
	rowCluster    = "clusterKinds" // those of the kinds that namespaces do not limit
	rowNames      = "names"        // a regular expression
	rowPods       = "pods"         // a regular expression for the names of bare Pods
	rowEnd        = "end"
	rowChecks     = "checks"
	rowContainers = "containers" // a regular expression
	rowImages     = "images"     // a regular expression
)

// row writes the exception.
func (w waiver) row() string {
	var fields []string
	add := func(key string, values ...string) {
		if len(values) > 0 {
			fields = append(fields, quoted(key)+": "+literal(values))
		}
	}
	add(rowName, w.Name)
	add(rowNamespaces, w.Namespaces...)
	add(rowKinds, w.Kinds...)
	add(rowCluster, w.ClusterKinds...)
	add(rowNames, alternatives(w.Names))
	if slices.Contains(w.Kinds, "Pod") {
		add(rowPods, alternatives(plan.PodNames(w.Names)))
	}
	if !w.Expires.IsZero() {
		add(rowEnd, w.Expires.UTC().Format(time.RFC3339))
	}
	add(rowChecks, w.checks...)
	if len(w.Containers) > 0 {
		add(rowContainers, pattern(w.Containers))
	}
	if len(w.Images) > 0 {
		add(rowImages, pattern(fullImages(w.Images)))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// maxRows is the length of the expression that lists exceptions, in bytes. The library
// takes 100,000 characters.
const maxRows = 60_000

// variables are the exceptions of the object, and those that hold for the request. CEL
// evaluates them where a check fails, so what is good pays for no exception.
func (all waivers) variables() []any { return all.variablesUntil(notEnded) }

// variablesUntil returns them for an expression that is true until an exception ends.
func (all waivers) variablesUntil(notEnded string) []any {
	if len(all) == 0 {
		return nil
	}
	var lists [][]string
	size := 0
	for _, w := range all {
		row := w.row()
		if size += len(row); len(lists) == 0 || size > maxRows {
			lists, size = append(lists, nil), len(row)
		}
		lists[len(lists)-1] = append(lists[len(lists)-1], row)
	}
	var out []any
	var names []string
	for i, list := range lists {
		name := fmt.Sprintf("exceptions_%d", i+1)
		names = append(names, "variables."+name)
		out = append(out, variable(name, "["+strings.Join(list, ",\n")+"]"))
	}
	return append(out, variable("holding", fmt.Sprintf("(%s).filter(x, %s)", strings.Join(names, " + "), all.hold(notEnded))))
}

// maxNamespaces is the length of the text that lists the namespaces that have exceptions, in
// bytes.
const maxNamespaces = 30_000

// elsewhere is the start of an expression that ends it in namespaces without exceptions, or
// empty if these are not known. To search a text is one step, however long it is; a list
// takes a step for each of its elements before anything is looked up.
func (all waivers) elsewhere() string {
	var names []string
	for _, w := range all {
		if len(w.Namespaces) == 0 || len(w.ClusterKinds) > 0 {
			return ""
		}
		names = append(names, w.Namespaces...)
	}
	slices.Sort(names)
	list := "," + strings.Join(slices.Compact(names), ",") + ","
	if len(list) > maxNamespaces {
		return ""
	}
	return fmt.Sprintf(`!%s.contains("," + request.?namespace.orValue("") + ",") || `, quoted(list))
}

// subject is the object that is to be, or that is deleted.
const subject = "variables.objects[0]"

// hold is an expression that is true if an exception x covers the request: it has not
// ended, and the object is what the exception names, or its controller makes it from
// that, or it was made so and keeps what its Pods run.
func (all waivers) hold(notEnded string) string {
	conditions := []string{where, "(" + strings.Join(all.ways(), " ||\n") + ")"}
	if slices.ContainsFunc(all, func(w waiver) bool { return !w.Expires.IsZero() }) {
		conditions = append(conditions, notEnded)
	}
	return strings.Join(conditions, " &&\n")
}

// where is true in the namespaces of the exception; they do not limit kinds without one.
const where = `(!("namespaces" in x) || request.?namespace.orValue("") in x.namespaces || ` + subject + `.kind in x.?clusterKinds.orValue([]))`

// notEnded is true until the exception ends. CEL has no clock, but the API server sets two
// times before it asks: that of the creation, and for an update that of each manager that
// adds or changes a field. A client that resets the managers is not exempt.
const notEnded = `x.?end.orValue([]).all(end, request.operation == "UPDATE" ?
object.metadata.?managedFields.orValue([]).size() > 0 && object.metadata.managedFields.all(m, m.?time.optMap(t, timestamp(t) < timestamp(end)).orValue(false)) :
` + subject + `.metadata.?creationTimestamp.optMap(t, timestamp(t) < timestamp(end)).orValue(false))`

// notEndedByClock is notEnded before the API server writes the time of the creation.
const notEndedByClock = `x.?end.orValue([]).all(end, request.operation == "UPDATE" ?
object.metadata.?managedFields.orValue([]).size() > 0 && object.metadata.managedFields.all(m, m.?time.optMap(t, timestamp(t) < timestamp(end)).orValue(false)) :
time.now() < timestamp(end))`

// ways are alternatives: what an exception x covers.
func (all waivers) ways() []string {
	out := []string{fmt.Sprintf(`%s.kind in x.kinds && %s.matches("^" + x[%s.kind == "Pod" ? "pods" : "names"][0] + "$")`, subject, nameOf(subject), subject)}
	var kinds []string
	for _, w := range all {
		kinds = append(kinds, w.Kinds...)
	}
	slices.Sort(kinds)
	for _, kind := range slices.Compact(kinds) {
		var made []string
		add := func(way string) {
			if !slices.Contains(made, way) {
				made = append(made, way)
			}
		}
		for _, m := range plan.MadeFrom(kind) {
			add(owned{m}.byController())
			add(owned{m}.unchanged())
			if kind == "CronJob" && m.Kind == "Job" {
				add(owned{m}.byHand())
			}
		}
		if len(made) > 0 {
			out = append(out, fmt.Sprintf("%s in x.kinds && (%s)", quoted(kind), strings.Join(made, " ||\n")))
		}
	}
	return out
}

// nameOf is an expression for the name of an object, or what it begins with.
func nameOf(object string) string {
	return fmt.Sprintf(`%s.metadata.?name.orValue(%s.metadata.?generateName.orValue(""))`, object, object)
}

// owned are the objects that controllers make for the workloads of an exception x.
type owned struct{ plan.Made }

// in is true if an object is of the kind and its controller is the owner. Whoever writes
// an object writes its owner references, so they prove nothing alone.
func (o owned) in(object string) string {
	matches := func(suffix string) string {
		return fmt.Sprintf(`r.name.matches("^" + x.names[0] + %s)`, quoted(suffix+"$"))
	}
	name := matches(o.Suffix)
	if o.ByHand { // not a Job that a CronJob with a longer name runs by the clock
		name = fmt.Sprintf("(%s || %s && !%s)", name, matches("-.+"), matches("-.+"+plan.MinuteSuffix))
	}
	if o.Kind == "Job" { // whoever makes Jobs writes their owner, too
		name += fmt.Sprintf(` && %s.matches("^" + x.names[0] + "-.+$")`, nameOf(object))
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

// exempts is an expression that is true if an exception x is one from all of a check.
func exempts(c check) string {
	return quoted(c.id()) + ` in x.checks && !("containers" in x) && !("images" in x)`
}

// remaining is an expression for what a check sees of Pods without the containers and
// image volumes that narrowed exceptions name. Images with the same name are the same,
// however they are written. An image volume is in no container.
func remaining(c check) string {
	narrowed := fmt.Sprintf(`variables.holding.exists(x, %s in x.checks && `, quoted(c.id()))
	container := narrowed + fmt.Sprintf(`("containers" in x || "images" in x) && x.?containers.orValue([]).all(p, c.?name.orValue("").matches(p)) && `+
		`x.?images.orValue([]).all(p, %s))`, ofImages(`c.?image.orValue("")`, "p"))
	volume := narrowed + fmt.Sprintf(`!("containers" in x) && "images" in x && x.images.all(p, %s))`, ofImages("v.image.reference", "p"))
	templates := fmt.Sprintf(`variables.templates.map(o, {"metadata": o.metadata, "spec": o.spec, "containers": dyn(o.containers.filter(c, !%s))})`, container)
	return podsOf(templates, "!"+volume)
}

// ofImages is an expression that is true if an image matches a regular expression for
// full names. localhost is a registry to some container runtimes, and a name on docker.io
// to others: nothing there is named.
func ofImages(image, pattern string) string {
	return fmt.Sprintf(`!%s.startsWith("localhost/") && %s.matches(%s)`, image, fullImage(image), pattern)
}

func fullImages(globs []string) []string {
	full := make([]string, len(globs))
	for i, glob := range globs {
		full[i] = plan.FullImage(glob)
	}
	return full
}

// fullImage is an expression for the full name of an image, as plan.FullImage has it.
func fullImage(image string) string {
	return fmt.Sprintf(`[%s].map(i, i.matches("^([^/.:A-Z]+/.*|[^/]*)$") ? "docker.io/" + i : i)`+
		`.map(i, i.startsWith("index.docker.io/") ? i.substring(6) : i)`+
		`.map(i, i.matches("^docker[.]io/[^/]+$") ? "docker.io/library/" + i.substring(10) : i)`+
		`.map(i, i.matches("^.*/[^/:@]*$") ? i + ":latest" : i)[0]`, image)
}

// pattern is a regular expression for whole texts that match one of the globs.
func pattern(globs []string) string { return "^" + alternatives(globs) + "$" }

// alternatives is a regular expression for globs, in which * stands for any characters and
// ? for one.
func alternatives(globs []string) string {
	out := make([]string, len(globs))
	for i, glob := range globs {
		out[i] = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(glob))
	}
	return "(" + strings.Join(out, "|") + ")"
}

// literal returns texts as a list in CEL.
func literal(texts []string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = quoted(t)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
