package cel

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/tmpl"
)

// check is a check of a policy of the plan.
type check struct {
	policy plan.Policy
	catalog.Check
	// within is the start of an expression that ends it outside of the scope of the policy,
	// or empty (see object.inScope).
	within string
}

// id names the check in messages, reports and exemptions.
func (c check) id() string { return c.policy.Name + "/" + c.Name }

// variable is the name of the variable with the offenders of the check. CEL has no dashes
// in names, and no name has two underscores.
func (c check) variable() string {
	return "check__" + strings.ReplaceAll(c.policy.Name+"__"+c.Name, "-", "_")
}

// whole names the variable with what the check finds without exceptions for some
// containers or images.
func (c check) whole() string { return c.variable() + "__whole" }

// variables are what the check finds. Narrowed exceptions leave the other containers to be
// judged; without a fault there is no need to know them.
func (c check) variables(exceptions waivers) []any {
	if !exceptions.narrowed() {
		return []any{variable(c.variable(), c.expression("variables.pods"))}
	}
	rest := fmt.Sprintf("variables.%s.size() == 0 ? [] :\n%s", c.whole(), c.expression(remaining(c)))
	return []any{variable(c.whole(), c.expression("variables.pods")), variable(c.variable(), rest)}
}

// faulty is an expression that is true if the check finds something, whatever is exempt.
func (c check) faulty(exceptions waivers) string {
	found := c.variable()
	if exceptions.narrowed() {
		found = c.whole()
	}
	return fmt.Sprintf("%svariables.%s.size() > 0", c.concerns("variables.fields"), found)
}

// fails is an expression that is true if the check finds what no exception covers.
func (c check) fails(exceptions waivers) string {
	fails := fmt.Sprintf("%svariables.%s.size() > 0", c.concerns("variables.fields"), c.variable())
	if exceptions.whole() {
		fails += fmt.Sprintf(" && !variables.holding.exists(x, %s)", exempts(c))
	}
	return fails
}

// concerns is the start of an expression that ends it where the check does not judge, and for
// a Pod that it has nothing to do with, or empty: most Pods have few of the fields that checks
// look at. fields is where their names are.
func (c check) concerns(fields string) string {
	var has []string
	for _, field := range c.Fields {
		has = append(has, fmt.Sprintf(`%s.contains(",%s,")`, fields, field))
	}
	switch len(has) {
	case 0:
		return c.within
	case 1:
		return c.within + has[0] + " && "
	}
	return c.within + "(" + strings.Join(has, " || ") + ") && "
}

// fieldsOf is an expression for the names of all fields of a Pod or template that checks of
// Pods may name in [catalog.Check.Fields], between commas. An object may have a name with a
// comma: it adds names, and hides none.
func fieldsOf(pod string) string {
	return fmt.Sprintf(`[%s].map(t, ([t.metadata, t.spec, t.spec.?securityContext.orValue({})] + t.containers +
t.containers.map(c, c.?securityContext.orValue({}))).map(m, m.map(k, k).join(",")).map(n, "," + n + ",").join(""))[0]`, pod)
}

// exempted are expressions for the exceptions that the request needs for the check, as
// CHECK=EXCEPTION, separated by commas.
func (c check) exempted(exceptions waivers) []string {
	names := func(faulty, which string) string {
		return fmt.Sprintf(`%s ? variables.holding.filter(x, %s).map(x, %s + x.name[0]).join(",") : ""`, faulty, which, quoted(c.id()+"="))
	}
	var out []string
	if exceptions.narrowed() {
		faulty := fmt.Sprintf("variables.%s.size() == 0 && variables.%s.size() > 0", c.variable(), c.whole())
		out = append(out, names(c.within+faulty, fmt.Sprintf(`%s in x.checks && ("containers" in x || "images" in x)`, quoted(c.id()))))
	}
	if exceptions.whole() {
		out = append(out, names(fmt.Sprintf("%svariables.%s.size() > 0", c.within, c.variable()), exempts(c)))
	}
	return out
}

// expression returns what the check finds: in the request, or in the new object and not in
// the old one. A text of several lines stands for several. pods is an expression for what a
// check of Pods sees.
func (c check) expression(pods string) string {
	if c.exempt() != "" {
		return c.exempt() + " ? [] : " + c.found(pods)
	}
	return c.found(pods)
}

// found is the expression without the exemption of deployers. Most objects have no
// offenders: for these it ends early.
func (c check) found(pods string) string {
	const lines = `.join("\n").split("\n").filter(t, t != "")`
	if c.Refusals != "" {
		return fmt.Sprintf("(%s)%s", c.Refusals, lines)
	}
	list, one := "variables.objects", "object"
	if c.OfPods() {
		list, one = pods, "pod"
	}
	// One of the old object is tolerated.
	texts := fmt.Sprintf(`(all.size() == 1 || all[0].size() * all[1].size() > %d ? all[0] : all[0].filter(t, !(t in all[1])))`, maxPairs)
	if c.Wildcards {
		texts = fmt.Sprintf("[%s].map(n, all.size() == 1 || n.size() * all[1].size() > %d || n.join(\"\").size() * all[1].join(\"\").size() > %d ? n : n.filter(t, !all[1].exists(o, %s)))[0]", texts, maxWildcardPairs, maxCharacters, covers)
	}
	return fmt.Sprintf(`variables.same ? [] :
[%s.map(%s, %s)].map(raw, raw[0].join("").replace("\n", "") == "" ? [] :
[raw.map(l, l%s)].map(all, all.size() > 1 && all[0] == all[1] ? [] : %s)[0])[0]`, list, one, c.Offenders, lines, texts)
}

// covers is an expression that is true if the text o, in which a word * stands for any
// word, covers the text t, to which words that begin with ! may be added. What is in o is
// quoted for the regular expression. A wildcard takes the spaces around it, so every
// second one is left for a second look.
const covers = `(" " + t + " ").matches("^\\Q" + (" " + o + " ").replace("\\E", "\\E\\\\E\\Q")` +
	`.replace(" * ", " \\E[^ ]+\\Q ").replace(" * ", " \\E[^ ]+\\Q ") + "\\E(![^ ]+ )*$")`

// message is an expression for the message of the check.
func (c check) message() string {
	before := quoted(c.policy.Name + ": " + c.Before)
	if !c.Named {
		return before
	}
	return fmt.Sprintf(`%s + variables.%s.join(", ") + %s`, before, c.variable(), quoted(c.After))
}

// exempt is an expression that is true for the requests of those whom the policy does not
// judge, or empty: the deployers, and the API server itself, which could not become ready
// without its RBAC objects.
func (c check) exempt() string {
	if !c.policy.Control.ExemptDeployers {
		return ""
	}
	return by(c.policy.Deployers, append([]string{"system:apiserver"}, kinds.ControllerAccounts("clusterrole-aggregation-controller")...)...)
}

// by is an expression that is true for the requests of the users and of deployers.
func by(d plan.Deployers, users ...string) string {
	appliers := []any{}
	for _, a := range d.Appliers {
		appliers = append(appliers, a.Value())
	}
	expression, err := tmpl.CELDeployer(append(users, d.Users...), d.Groups, appliers)
	if err != nil {
		panic(err) // the parser refuses names with quotes
	}
	return expression
}

// family is a set of kinds and operations that some checks judge. They share objects.
type family struct {
	name       string
	pods       bool
	operations []string
	kinds      []kinds.Ref
	// open is set if only namespaces are judged that default-deny does not close.
	open bool
}

const (
	podsFamily = "pods"
	// maxFamily leaves room for the tier and the action in the name of an object.
	maxFamily = 30
)

// familyOf returns the family of a check. A control that judges other namespaces has one of
// its own, and so has one that reads the cluster: what it cannot read is an error, which ends
// all checks of a policy.
func familyOf(c check) family {
	f := family{operations: c.Operations, kinds: c.Kinds, pods: c.OfPods(), open: c.policy.Control.Follows == catalog.DefaultDeny}
	var names []string
	for _, ref := range c.Kinds {
		for _, k := range ref.Kinds() {
			names = append(names, strings.TrimSuffix(k.Plural+"-"+ref.Subresource, "-"))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if f.name = strings.Join(names, "-"); f.pods {
		f.name = podsFamily
	}
	if !slices.Equal(c.Operations, []string{"CREATE", "UPDATE"}) {
		f.name += "-" + strings.ToLower(strings.Join(c.Operations, "-"))
	}
	own := ""
	if f.open || len(c.LookUps) > 0 {
		own = c.policy.Base
		f.name += "-" + own
	}
	if len(f.name) > maxFamily || !f.pods && slices.ContainsFunc(c.Kinds, ambiguous) {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(c.Kinds, c.Operations, own))))
		f.name = names[0] + "-" + sum[:8]
	}
	return f
}

// ambiguous reports whether the names of the resources do not say which kinds these are:
// another group has a resource of this name, or only some versions are meant.
func ambiguous(ref kinds.Ref) bool {
	return slices.ContainsFunc(ref.Kinds(), func(k kinds.Kind) bool {
		first := kinds.All()[slices.IndexFunc(kinds.All(), func(o kinds.Kind) bool { return o.Plural == k.Plural })]
		return first.Group != k.Group || ref.Version != "*" && len(k.Versions) > 1
	})
}

// clusterScoped reports whether some objects of the family have no namespace.
func (f family) clusterScoped() bool {
	return slices.ContainsFunc(f.kinds, func(r kinds.Ref) bool {
		return slices.ContainsFunc(r.Kinds(), func(k kinds.Kind) bool { return k.Scope == kinds.Cluster })
	})
}

// objects is an expression for the object of a request as it is to be; on UPDATE also as
// it was, and on DELETE only that.
const objects = `request.operation == "DELETE" ? [oldObject] : request.operation == "UPDATE" ? [object, oldObject] : [object]`

// templatesOf is an expression for the Pods in a list of objects, or their templates of Pods,
// with all containers. An absent part is empty: an expression that fails would refuse
// everything.
func templatesOf(objects string) string {
	return objects + `
.map(o, o.kind == "Pod" ? o : o.kind == "CronJob" ? o.?spec.?jobTemplate.?spec.?template.orValue({}) : o.?spec.?template.orValue({}))
.map(o, {"metadata": o.?metadata.orValue({}), "spec": o.?spec.orValue({})})
.map(o, {"metadata": o.metadata, "spec": o.spec,
"containers": o.spec.?containers.orValue([]) + o.spec.?initContainers.orValue([]) + o.spec.?ephemeralContainers.orValue([])})`
}

// podsOf is an expression for what checks see of templates. volume is a condition on the
// image volumes v that they see, or empty.
func podsOf(templates, volume string) string {
	if volume != "" {
		volume = " && " + volume
	}
	return templates + `.map(o, {"metadata": o.metadata, "spec": o.spec, "containers": o.containers,
"images": dyn(o.containers.map(c, {"name": dyn(c.?name.orValue("unnamed")), "image": dyn(c.?image.orValue(""))}) +
o.spec.?volumes.orValue([]).filter(v, v.?image.?reference.hasValue()` + volume + `)
.map(v, {"name": dyn(v.?name.orValue("unnamed")), "image": dyn(v.image.reference)})),
"contexts": dyn([{"name": dyn("the Pod"), "securityContext": o.spec.?securityContext.orValue({})}] +
o.containers.map(c, {"name": dyn(c.?name.orValue("unnamed")), "securityContext": c.?securityContext.orValue({})}))})`
}

// rules select the resources of the family, one rule for a group and version. scope is
// Namespaced to leave out objects without a namespace. Explicit kinds: the rules that
// Kyverno derives rewrite expressions as text, and the API server derives none.
func (f family) rules(scope string) []any {
	resources := map[[2]string][]string{}
	for _, ref := range f.all() {
		for _, k := range ref.Kinds() {
			at := [2]string{k.Group, ref.Version}
			resources[at] = append(resources[at], strings.TrimSuffix(k.Plural+"/"+ref.Subresource, "/"))
		}
	}
	var rules []any
	for _, at := range sorted(resources) {
		names := resources[at]
		slices.Sort(names)
		rule := map[string]any{
			"apiGroups": []any{at[0]}, "apiVersions": []any{at[1]}, "operations": list(f.operations), "resources": list(slices.Compact(names)),
		}
		if scope != "" {
			rule["scope"] = scope
		}
		rules = append(rules, rule)
	}
	return rules
}

// all are the kinds of the family; for Pods, with everything that has a template of them
// and what is added to Pods that run.
func (f family) all() []kinds.Ref {
	if !f.pods {
		return f.kinds
	}
	refs := []kinds.Ref{{Version: "v1", Kind: "Pod"}, {Version: "v1", Kind: "Pod", Subresource: "ephemeralcontainers"}}
	for _, name := range kinds.Controllers() {
		k := kinds.Named(name).Kinds()[0]
		refs = append(refs, kinds.Ref{Group: k.Group, Version: k.Versions[0], Kind: k.Kind})
	}
	return refs
}

func sorted(resources map[[2]string][]string) [][2]string {
	keys := make([][2]string, 0, len(resources))
	for at := range resources {
		keys = append(keys, at)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+"/"+a[1], b[0]+"/"+b[1]) })
	return keys
}
