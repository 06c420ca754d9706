package kyverno

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// exemptWays returns conditions of which an object that the exception matches must meet
// one: it is what the exception names, or a controller makes it from that, or it was made
// so and only its metadata change. It returns none if the exception names nothing that a
// controller makes other objects from: the match says it all.
func exemptWays(x plan.Exception, judged func(kind string) bool) []any {
	var ways []any
	add := func(condition any) {
		if !slices.ContainsFunc(ways, func(w any) bool { return fmt.Sprint(w) == fmt.Sprint(condition) }) {
			ways = append(ways, condition)
		}
	}
	for _, kind := range x.Kinds {
		for _, made := range plan.MadeFrom(kind) {
			if !judged(made.Kind) {
				continue
			}
			o := owned{made, x.Names}
			add(isTrue(o.byController()))
			add(isTrue(o.unchanged()))
			if kind == "CronJob" && made.Kind == "Job" {
				add(isTrue(o.byHand()))
			}
		}
	}
	if len(ways) == 0 {
		return nil
	}
	return append([]any{named(x)}, ways...)
}

// isTrue returns a condition that an expression is true.
func isTrue(expression string) any {
	return map[string]any{"key": "{{ " + expression + " }}", "operator": "Equals", "value": true}
}

const (
	// ofKind is the kind of the object, which a DELETE has as the old one.
	ofKind = "request.object.kind || request.oldObject.kind"
)

// named returns the condition that the exception names the object itself. Its name
// counts only if controllers make other objects of a kind that the exception names too,
// since the match has the names of both.
func named(x plan.Exception) any {
	var both []string
	for _, kind := range x.Kinds {
		for _, made := range plan.MadeFrom(kind) {
			if slices.Contains(x.Kinds, made.Kind) {
				both = append(both, made.Kind)
			}
		}
	}
	if len(both) == 0 {
		return map[string]any{"key": "{{ " + ofKind + " }}", "operator": "AnyIn", "value": list(x.Kinds)}
	}
	var values []any
	for _, kind := range x.Kinds {
		names := x.Names
		if kind == "Pod" {
			names = plan.PodNames(names)
		}
		for _, name := range names {
			values = append(values, kind+"/"+name)
		}
	}
	name := "not_null(request.object.metadata.name, request.object.metadata.generateName, request.oldObject.metadata.name)"
	return map[string]any{"key": "{{ " + ofKind + " }}/{{ " + name + " }}", "operator": "AnyIn", "value": values}
}

// owned are the objects that controllers make for workloads with some names.
type owned struct {
	plan.Made
	names []string
}

// in is an expression that is true if an object is of the kind, and its controller is
// the owner. Whoever writes an object writes its owner references, so they prove nothing
// alone.
func (o owned) in(object string) string {
	matches := func(suffix string) string {
		return fmt.Sprintf("regex_match('^(%s)%s$', name)", o.alternatives(), suffix)
	}
	name := matches(o.Suffix)
	if o.ByHand { // not a Job that a CronJob with a longer name runs by the clock
		name = fmt.Sprintf("(%s || %s && !%s)", name, matches("-.+"), matches("-.+"+plan.MinuteSuffix))
	}
	return fmt.Sprintf("%s.kind == '%s' && length((%s.metadata.ownerReferences || `[]`)[?controller && apiVersion == '%s' && kind == '%s' && %s]) > `0`",
		object, o.Kind, object, o.Owner.APIVersion(), o.Owner.Kind, name)
}

// byController is true if the controller of the owner writes the object. A background
// scan has no request and no user: there, the owner alone decides what is reported.
func (o owned) byController() string {
	return fmt.Sprintf("%s && ((request.uid || '') == '' || contains(['%s', '%s'], request.userInfo.username || ''))",
		o.in("request.object"), o.Account(), plan.AllControllers)
}

// unchanged is true if the object had the owner before, and keeps what its Pods run.
// Whoever adds the owner to an object is judged, and whoever then changes what it runs.
func (o owned) unchanged() string {
	runs := "spec"
	if o.Kind != "Pod" {
		runs = "spec.template"
	}
	return fmt.Sprintf("%s && (request.operation == 'DELETE' || to_string(request.object.%s) == to_string(request.oldObject.%s))", o.in("request.oldObject"), runs, runs)
}

// byHand is true if the object is a new Job as `kubectl create job --from=cronjob/…` makes it.
func (o owned) byHand() string {
	return "request.operation == 'CREATE' && " + o.in("request.object") + ` && request.object.metadata.annotations."cronjob.kubernetes.io/instantiate" == 'manual'`
}

// alternatives is a regular expression for the names, in which * stands for any characters.
func (o owned) alternatives() string {
	var out []string
	for _, name := range o.names {
		out = append(out, strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, `.*`))
	}
	return strings.Join(out, "|")
}
