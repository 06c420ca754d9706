package cel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Policies emits environments/<env>/policies/<family>.<tier>[.audit].yaml for the policies
// of each environment that are in CEL. A tier in which no control has the action has no
// such file. Controls of cluster-scoped objects are staged as a whole, in the file
// <family>[.audit].yaml.
func Policies(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		folder := layout.Folder{Environment: env.Name, Kind: layout.Policies}
		for _, o := range objectsOf(p, env) {
			files = append(files, manifest.File{
				Path: folder.File(o.file()), Folder: folder, Origin: o.checks[0].policy.At.File, Objects: o.objects(),
			})
		}
		files = append(files, imageFiles(p, env, folder)...)
	}
	return files
}

// objectsOf returns what becomes policies in an environment, by name.
func objectsOf(p *plan.Plan, env plan.Environment) []*object {
	byName := map[string]*object{}
	add := func(c check, tier string, action plan.Action) {
		o := &object{plan: p, env: env, family: familyOf(c), target: c.policy.Target, tier: tier, action: action}
		if byName[o.file()] == nil {
			byName[o.file()] = o
		}
		o = byName[o.file()]
		o.checks = append(o.checks, c)
		o.family.kinds = append(slices.Clone(o.family.kinds), c.Kinds...) // of one version, also where another check says *
	}
	for _, policy := range env.Judges() {
		if policy.Image != nil {
			continue // images.go
		}
		for _, one := range policy.Checks() {
			if policy.Control.ClusterScoped {
				add(check{policy: policy, Check: one}, "", policy.Strictest())
				continue
			}
			for _, tier := range p.Tiers {
				if action := policy.Actions[tier]; action != plan.Off {
					add(check{policy: policy, Check: one}, tier, action)
				}
			}
		}
	}
	var all []*object
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all
}

// object is what becomes one policy: the checks of a family with an action in a tier.
type object struct {
	plan   *plan.Plan
	env    plan.Environment
	family family
	target string // one of catalog.CELTargets
	// tier is empty for objects without a namespace.
	tier   string
	action plan.Action
	checks []check
}

// file is the name of the file. While an environment goes over from one kind of policies
// to another, it has both; the objects keep their names.
func (o *object) file() string {
	if o.target != o.env.Kyverno.PolicyType {
		return o.base() + "." + strings.ToLower(o.target)
	}
	return o.base()
}

// base is the name of the policy without the prefix. Its parts have no dots, and neither
// have the names of policies of one control.
func (o *object) base() string {
	base := strings.TrimSuffix(o.family.name+"."+tierPart(o.tier), ".")
	if o.action == plan.Audit {
		base += ".audit"
	}
	return base
}

// tierPart is a tier in the name of a policy. Some words mean something else there.
func tierPart(tier string) string {
	const prefix = "tier-"
	reserved := append(catalog.CELTargets(), "audit", "named")
	if strings.HasPrefix(tier, prefix) || slices.ContainsFunc(reserved, func(word string) bool { return strings.EqualFold(word, tier) }) {
		return prefix + tier
	}
	return tier
}

// name is the name of the policy, or of its binding with the namespaces of a selector.
func (o *object) name(suffix string) string { return plan.FitName(prefix + o.base() + suffix) }

// rules select what the policy judges. In Kyverno an object without a namespace has no
// tier; here, selectors do not look at it. It is judged with the last tier.
func (o *object) rules() []any {
	if o.tier != "" && o.tier != o.plan.LastTier() && o.family.clusterScoped() {
		return o.family.rules("Namespaced")
	}
	return o.family.rules("")
}

// objects returns the policy for each of the selectors of the tier, or one policy with a
// binding for each.
func (o *object) objects() []manifest.Object {
	var all []manifest.Object
	if o.target == catalog.ValidatingAdmissionPolicy {
		all = append(all, o.native())
	}
	for _, s := range o.selectors() {
		if o.target == catalog.ValidatingAdmissionPolicy {
			all = append(all, o.binding(s))
		} else {
			all = append(all, o.kyverno(s))
		}
	}
	return all
}

// prefix begins the names of policies that the API server lists with those of others.
const prefix = "gatehouse-"

// native returns a policy for the API server. Kyverno, where it is there, reports on it for
// the label.
func (o *object) native() manifest.Object {
	spec := o.spec()
	spec["failurePolicy"] = o.failurePolicy()
	spec["matchConstraints"] = map[string]any{"resourceRules": o.rules()}
	metadata := o.metadata(o.name(""))
	if !o.env.Kyverno.Absent {
		metadata["labels"].(map[string]any)["reports.kyverno.io/enabled"] = "true"
	}
	return manifest.Object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": spec,
	}
}

// binding binds the policy of the API server to namespaces.
func (o *object) binding(s selector) manifest.Object {
	actions := []any{"Deny"}
	if o.action == plan.Audit {
		actions = []any{"Audit", "Warn"}
	}
	return manifest.Object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": o.metadata(o.name(s.suffix)),
		"spec": map[string]any{
			"policyName": o.name(""), "validationActions": actions,
			"matchResources": map[string]any{"namespaceSelector": s.labels},
		},
	}
}

// kyverno returns a policy for Kyverno. Its own webhook has the selector: other namespaces
// never wait for Kyverno.
func (o *object) kyverno(s selector) manifest.Object {
	spec := o.spec()
	spec["failurePolicy"] = o.failurePolicy()
	spec["validationActions"] = []any{"Deny"}
	if o.action == plan.Audit {
		spec["validationActions"] = []any{"Audit", "Warn"}
	}
	spec["matchConstraints"] = map[string]any{"resourceRules": o.rules(), "namespaceSelector": s.labels}
	if !o.background() {
		spec["evaluation"] = map[string]any{"background": map[string]any{"enabled": false}}
	}
	spec["autogen"] = map[string]any{"podControllers": map[string]any{"controllers": []any{}}}
	return manifest.Object{
		"apiVersion": "policies.kyverno.io/v1", "kind": "ValidatingPolicy", "metadata": o.metadata(o.name(s.suffix)), "spec": spec,
	}
}

// background reports whether what is there can be judged by the checks. If not, Kyverno must
// not look at it: it would report what needs a request to be judged, and a policy is ready only if the
// reports controller may read all that the policy judges. It may not read Secrets.
func (o *object) background() bool {
	return !slices.ContainsFunc(o.family.kinds, func(r kinds.Ref) bool { return r.Kind == "Secret" }) &&
		slices.ContainsFunc(o.checks, func(c check) bool { return c.policy.Control.Background && !c.policy.Control.ExemptDeployers })
}

// failurePolicy says what happens if the policy cannot be evaluated: only what is enforced
// may block.
func (o *object) failurePolicy() string {
	if o.action == plan.Enforce {
		return "Fail"
	}
	return "Ignore"
}

func (o *object) metadata(name string) map[string]any {
	var ids []string
	for _, c := range o.checks {
		ids = append(ids, c.id())
	}
	return map[string]any{
		"name":   name,
		"labels": map[string]any{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		"annotations": map[string]any{
			v1alpha1.AnnotationChecks: strings.Join(ids, ","),
			// Expressions may hold ${, which is not for Flux.
			"kustomize.toolkit.fluxcd.io/substitute": "disabled",
		},
	}
}

// maxMessage is less than what the API server takes of a message, in bytes; it drops a
// longer one. maxNames is what a list of the checks that fail may have of it.
const maxMessage, maxNames = 4900, 3500

// fitted is an expression for a text that the API server takes. Names in objects may be
// long, and a character has up to four bytes. What is cut names all checks that fail.
func fitted(text string) string {
	list := fmt.Sprintf(`[variables.failed.join(", ")].map(l, l.size() > %d ? l.substring(0, %d) + "…" : l)[0]`, maxNames, maxNames)
	// Of n characters, as many as there is room for beside the list.
	room := fmt.Sprintf(`[(%d - l.size()) / (bytes(t).size() > t.size() ? 4 : 1)].map(n, n < t.size() ? n : t.size())[0]`, maxMessage)
	return fmt.Sprintf("[%s]\n.map(t, bytes(t).size() <= %d ? t :\n[%s].map(l, t.substring(0, %s) + \"… All that fail: \" + l)[0])[0]", text, maxMessage, list, room)
}

// spec returns what both kinds of policies have in common. All controls that fail are
// named in one denial: both engines stop at the first validation that fails.
//
// Variables are evaluated when they are needed: those of exceptions only where a check
// fails.
func (o *object) spec() map[string]any {
	variables := []any{variable("objects", objects)}
	if o.family.pods {
		variables = append(variables, variable("templates", templatesOf("variables.objects")), variable("pods", podsOf("variables.templates", "")), variable("fields", fieldsOf("variables.templates[0]")))
	}
	variables = append(append(variables, o.scoped()...), o.sized()...)
	if suspect := o.suspect(); suspect != "" && !o.conditional() {
		variables = append(variables, variable("suspect", suspect))
	}
	exceptions := o.waivers()
	variables = append(variables, exceptions.variables()...)
	var faulty, failed, exempted, texts []string
	for _, c := range o.checks {
		c.within = o.inScope(c.policy)
		variables = append(variables, c.variables(exceptions.of(c))...)
		faulty = append(faulty, c.faulty(exceptions.of(c)))
		failed = append(failed, fmt.Sprintf(`%s ? %s : ""`, c.fails(exceptions.of(c)), quoted(c.id())))
		exempted = append(exempted, c.exempted(exceptions.of(c))...)
		texts = append(texts, fmt.Sprintf(`%s in variables.failed ? %s : ""`, quoted(c.id()), c.message()))
	}
	variables = append(variables, variable("faulty", o.judged("false", "false", strings.Join(faulty, " ||\n"))),
		variable("failed", "!variables.faulty ? [] :\n"+filled(failed)))
	var annotations []any
	// The API server evaluates everything again for an annotation, also for what it admits
	// (docs/cel-traps.md#evaluated-three-times). Namespaces without exceptions cost it little.
	if o.target != catalog.ValidatingAdmissionPolicy {
		annotations = []any{map[string]any{"key": "failed-checks", "valueExpression": `variables.failed.join(",")`}}
	}
	if len(exempted) > 0 {
		variables = append(variables, variable("exempted", exceptions.elsewhere()+"!variables.faulty || variables.holding.size() == 0 ? [] :\n"+filled(exempted)))
		annotations = append(annotations, map[string]any{"key": "exempted-checks", "valueExpression": `variables.exempted.join(",")`})
	}
	message := fitted(filled(texts) + `.join(" ").replace("\n", " ")`)
	tooLarge, _ := o.limit()
	spec := map[string]any{
		"variables": variables,
		"validations": []any{map[string]any{
			"expression": o.judged("true", "false", "variables.failed.size() == 0"), "message": "see the controls of " + o.base(),
			"messageExpression": o.judged(`""`, quoted(tooLarge.most), message),
		}},
	}
	if len(annotations) > 0 {
		spec["auditAnnotations"] = annotations
	}
	if o.conditional() {
		spec["matchConditions"] = []any{map[string]any{"name": "suspect", "expression": o.suspect()}}
	}
	return spec
}

// filled is an expression for a list of texts without the empty ones, a line for each.
func filled(texts []string) string {
	return "[" + strings.Join(texts, ",\n") + `].filter(t, t != "")`
}

func variable(name, expression string) any {
	return map[string]any{"name": name, "expression": expression}
}

// quoted returns a text as a literal of CEL, which has those of JSON.
func quoted(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text always encodes
	}
	return string(raw)
}
