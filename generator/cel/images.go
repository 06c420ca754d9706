package cel

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// imageFiles emits environments/<env>/policies/<policy>.yaml for each image rule in CEL:
// an ImageValidatingPolicy for the tiers that enforce it, and one for those that audit
// it, and a MutatingPolicy that adds digests where it is enforced.
func imageFiles(p *plan.Plan, env plan.Environment, folder layout.Folder) []manifest.File {
	var files []manifest.File
	for _, policy := range env.Judges() {
		if policy.Image == nil || policy.Target == catalog.ClusterPolicy {
			continue
		}
		file := manifest.File{Path: folder.File(policy.Name), Folder: folder, Origin: policy.At.File}
		for _, action := range []plan.Action{plan.Enforce, plan.Audit} {
			if tiers := p.TiersAt(policy, action); len(tiers) > 0 {
				o := imageObject{plan: p, env: env, check: check{policy: policy, Check: policy.Checks()[0]}, action: action, tiers: tiers}
				file.Objects = append(file.Objects, o.objects()...)
			}
		}
		files = append(files, file)
	}
	return files
}

// imageObject is an image rule with an action in some tiers.
type imageObject struct {
	plan   *plan.Plan
	env    plan.Environment
	check  check
	action plan.Action
	tiers  []string
}

// objects returns the policies for each of the selectors of the tiers.
func (o imageObject) objects() []manifest.Object {
	var all []manifest.Object
	for _, s := range selectors(o.plan, o.env, o.tiers, o.check.policy.Scope) {
		all = append(all, o.validating(s))
		if o.mutates() {
			all = append(all, o.mutating(s))
		}
	}
	return all
}

// name is the name of the policies.
func (o imageObject) name(suffix string) string {
	name := o.check.policy.Object
	if o.action == plan.Audit {
		name += "-audit"
	}
	return plan.FitName(name + suffix)
}

// mutates reports whether digests are added.
func (o imageObject) mutates() bool {
	image := o.check.policy.Image
	return o.action == plan.Enforce && image.MutateDigest && !image.RequireDigest
}

// digests reports whether images without a digest are refused. Those that were added are
// there when images are verified.
func (o imageObject) digests() bool {
	image := o.check.policy.Image
	return o.action == plan.Enforce && (image.MutateDigest || image.RequireDigest)
}

// object has what the policies share with those of controls.
func (o imageObject) object() *object {
	return &object{plan: o.plan, env: o.env, action: o.action, checks: []check{o.check}}
}

// imageTimeout is how many seconds the API server waits for Kyverno. A policy that has one
// has a webhook of its own: policies that share one wait for each other without end
// (docs/image-traps.md#two-policies-one-image).
const imageTimeout int64 = 30

// policy returns what both kinds of policies have in common.
func (o imageObject) policy(kind string, s selector, spec map[string]any) manifest.Object {
	spec["failurePolicy"] = o.object().failurePolicy()
	spec["matchConstraints"] = map[string]any{"resourceRules": familyOf(o.check).rules(""), "namespaceSelector": s.labels}
	spec["autogen"] = map[string]any{"podControllers": map[string]any{"controllers": []any{}}}
	spec["webhookConfiguration"] = map[string]any{"timeoutSeconds": imageTimeout}
	return manifest.Object{"apiVersion": "policies.kyverno.io/v1", "kind": kind, "metadata": o.object().metadata(o.name(s.suffix)), "spec": spec}
}

// validating returns the policy that verifies. What Kyverno would do by itself is off: it
// adds digests also to images that are exempt, waits without end where two containers have
// one image, and counts an image as verified without a digest.
func (o imageObject) validating(s selector) manifest.Object {
	actions := []any{"Deny"}
	if o.action == plan.Audit {
		actions = []any{"Audit", "Warn"}
	}
	image := o.check.policy.Image
	spec := map[string]any{
		"validationActions":        actions,
		"validationConfigurations": map[string]any{"mutateDigest": false, "verifyDigest": false, "required": false},
		"evaluation":               map[string]any{"background": map[string]any{"enabled": o.check.policy.Control.Background && o.action == plan.Audit}},
		"matchImageReferences":     []any{map[string]any{"expression": covered(image.References, "ref")}},
		"images":                   noImages(),
		"attestors":                o.attestors(),
	}
	if attestations := o.attestations(); len(attestations) > 0 {
		spec["attestations"] = attestations
	}
	exceptions := o.object().waivers()
	variables := slices.Concat(o.places(exceptions.variables()), o.signatures(), []any{
		variable(o.check.variable(), o.check.Offenders),
		variable("failed", fmt.Sprintf("variables.%s.size() > 0 ? [%s] : []", o.check.variable(), quoted(o.check.id()))),
	})
	annotations := []any{map[string]any{"key": "failed-checks", "valueExpression": `variables.failed.join(",")`}}
	if len(exceptions) > 0 {
		variables = append(variables, variable("exempted", o.exempted()))
		annotations = append(annotations, map[string]any{"key": "exempted-checks", "valueExpression": `variables.exempted.join(",")`})
	}
	message := fitted(fmt.Sprintf("(%s).replace(\"\\n\", \" \")", o.check.message()))
	spec["variables"], spec["auditAnnotations"] = variables, annotations
	spec["validations"] = []any{map[string]any{
		"expression": "variables.failed.size() == 0", "message": "see " + o.check.policy.Name, "messageExpression": message,
	}}
	return o.policy("ImageValidatingPolicy", s, spec)
}

// mutating returns the policy that adds digests: Kyverno verifies what they name. Where
// the API server asks it, a new object has no time of creation yet; Kyverno has a clock.
func (o imageObject) mutating(s selector) manifest.Object {
	exceptions := o.object().waivers()
	patch := `variables.remaining.filter(p, !p.image.contains("@")).map(p, JSONPatch{op: "replace", path: p.path, ` +
		`value: p.image + "@" + string(image.getMetadata(p.image).digest)})`
	return o.policy("MutatingPolicy", s, map[string]any{
		"evaluation": map[string]any{"background": map[string]any{"enabled": false}}, // it would report on what runs without a digest
		"variables":  o.places(exceptions.variablesUntil(notEndedByClock)),
		"mutations":  []any{map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": patch}}},
	})
}

// noImages replaces the lists of images that Kyverno looks up before it evaluates anything,
// exempt ones too; they leave out image volumes, and one image in two containers makes
// Kyverno wait without end.
func noImages() []any {
	var out []any
	for _, name := range []string{"containers", "initContainers", "ephemeralContainers"} {
		out = append(out, map[string]any{"name": name, "expression": "[]"})
	}
	return out
}

// places are variables: all places of images of the Pod, those of images that the rule
// covers, and what exceptions leave of them.
func (o imageObject) places(exceptions []any) []any {
	out := []any{
		variable("objects", objects), variable("templates", templatesOf("variables.objects")), variable("pod", "variables.templates[0].spec"),
		variable("base", `object.kind == "Pod" ? "/spec" : object.kind == "CronJob" ? "/spec/jobTemplate/spec/template/spec" : "/spec/template/spec"`),
		variable("places", places),
		variable("covered", fmt.Sprintf("variables.places.filter(p, %s)", covered(o.check.policy.Image.References, "p.image"))),
	}
	if len(exceptions) == 0 {
		return append(out, variable("remaining", "variables.covered"))
	}
	return append(append(out, exceptions...),
		variable("remaining", fmt.Sprintf("variables.covered.filter(p, !variables.holding.exists(x, %s))", o.names())))
}

// places is an expression for the images of a Pod, each with the name of its container,
// which an image volume has none of, and where it stands.
const places = `[["containers", "initContainers", "ephemeralContainers"].map(l, lists.range(variables.pod[?l].orValue([]).size()).map(n,
{"name": string(variables.pod[l][n].?name.orValue("")), "image": string(variables.pod[l][n].?image.orValue("")), "path": variables.base + "/" + l + "/" + string(n) + "/image"})).flatten(),
lists.range(variables.pod.?volumes.orValue([]).size()).filter(n, variables.pod.volumes[n].?image.?reference.hasValue()).map(n,
{"name": "", "image": string(variables.pod.volumes[n].image.reference), "path": variables.base + "/volumes/" + string(n) + "/image/reference"})].flatten()
.filter(p, p.image != "")`

// covered is an expression that is true if an image is one of the references, however it
// is written. Where runtimes read it differently, each way counts: localhost is a registry
// or a name on docker.io. Names of registries have no case, and 443 is the port that
// is asked without one.
func covered(references []string, image string) string {
	without := regexp.MustCompile(`^([^/]*):0*443/`)
	var globs []string
	for _, glob := range references {
		globs = append(globs, without.ReplaceAllString(glob, "$1/"))
	}
	if slices.Contains(globs, "*") {
		return "true"
	}
	return fmt.Sprintf(`[%[1]s.matches("^([^/.:A-Z]+/.*|[^/]*)$") ? "docker.io/" + %[1]s : %[1]s, %[1]s].filter(i, i.contains("/"))
.map(i, i.substring(0, i.indexOf("/")).lowerAscii() + i.substring(i.indexOf("/")))
.map(i, i.matches("^[^/]*:0*443/") ? i.substring(0, i.indexOf(":")) + i.substring(i.indexOf("/")) : i)
.map(i, i.matches("^(index|registry-1)[.]docker[.]io/") ? "docker.io" + i.substring(i.indexOf("/")) : i)
.map(i, i.matches("^docker[.]io/[^/]+$") ? "docker.io/library/" + i.substring(10) : i)
.map(i, i.matches("^.*/[^/:@]*$") ? i + ":latest" : i)
.exists(i, i.matches(%[2]s))`, image, quoted(pattern(globs)))
}

// names is an expression that is true if an exception x is from a place p. An image
// volume is in no container.
func (o imageObject) names() string {
	return `x.?containers.orValue([]).all(q, !p.path.contains("/volumes/") && p.name.matches(q)) && ` +
		`x.?images.orValue([]).all(q, ` + ofImages("p.image", "q") + `)`
}

// exempted is an expression for the exceptions that matter, if the others are signed.
func (o imageObject) exempted() string {
	return fmt.Sprintf("variables.failed.size() > 0 ? [] : variables.holding.filter(x, variables.covered.exists(p, %s)).map(x, %s + x.name[0])",
		o.names(), quoted(o.check.id()+"="))
}
