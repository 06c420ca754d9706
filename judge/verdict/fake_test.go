package verdict

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/made/arrival"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// files is a source with two controls of its own, an exception and three environments.
func files() map[string]string {
	return map[string]string{
		"profile.yaml": `{apiVersion: gatehouse.dev/v1alpha1, kind: Profile, metadata: {name: acme}, spec: {catalogs: [controls], controls: {no-a: {}, no-b: {}},
			namespaces: [{name: ops, tier: platform}, {name: tools, tier: platform}, {name: shop, tier: apps}]}}`,
		"environments.yaml": `
{apiVersion: gatehouse.dev/v1alpha1, kind: Environment, metadata: {name: dev}, spec: {ring: 1, stage: enforce}}
---
{kind: Environment, metadata: {name: prod}, spec: {ring: 2, stage: enforce-platform}}
---
{kind: Environment, metadata: {name: new}, spec: {ring: 3, stage: "off", controls: {no-b: {stage: audit}}}}
---
{kind: Exception, metadata: {name: agent}, spec: {controls: [no-a], environments: [dev, prod], match: {namespaces: [ops], kinds: [DaemonSet], names: [agent]},
	images: ["ghcr.io/acme/*"], reason: because, owner: team, expires: 2027-03-31}}`,
		"controls/no-a/control.yaml":       control("no-a"),
		"controls/no-a/clusterpolicy.yaml": policy("no-a"),
		"controls/no-a/tests/good.yaml":    documents5("good", ""),
		"controls/no-a/tests/bad.yaml":     documents5("bad", "no-a"),
		"controls/no-b/control.yaml":       control("no-b"),
		"controls/no-b/clusterpolicy.yaml": policy("no-b"),
		"controls/no-b/tests/good.yaml":    documents5("good", ""),
		"controls/no-b/tests/bad.yaml":     documents5("bad", "no-b"),
	}
}

func control(name string) string {
	return `{apiVersion: gatehouse.dev/v1alpha1, kind: Control, metadata: {name: ` + name + `}, spec: {title: t, description: d., category: Hardening, severity: low, scope: Namespaced,
		parameters: {type: object, additionalProperties: false, properties: {}}, references: [https://example.com/why]}}`
}

func policy(name string) string {
	return `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, spec: {rules: [{name: ` + name + `, match: {any: [{resources: {kinds: [Pod], operations: [CREATE, UPDATE]}}]},
		validate: {message: "no.", deny: {conditions: {any: [{key: << printf "{{ length(request.object.spec.%s[] | [?workingDir == '` + name + `'] || ` + "`[]`" + `) }}" containers >>, operator: GreaterThan, value: 0}]}}}}]}}`
}

// documents5 are Pods; the fake engine takes the workingDir of a container for a violation of the policy of this name.
func documents5(prefix, workingDir string) string {
	spec := `spec: {containers: [{name: c, image: ghcr.io/acme/app:1, workingDir: "` + workingDir + `"}]}`
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: ` + prefix
	update := `{apiVersion: admission.k8s.io/v1, kind: AdmissionReview, request: {uid: ` + prefix + `-update, operation: UPDATE, namespace: apps,
		object: {apiVersion: v1, kind: Pod, metadata: {name: u, namespace: apps}, ` + spec + `},
		oldObject: {apiVersion: v1, kind: Pod, metadata: {name: u, namespace: apps}, spec: {containers: [{name: c, image: ghcr.io/acme/app:1}]}}}}`
	return strings.Join([]string{pod + `-1, namespace: apps}, ` + spec + `}`, pod + `-2}, ` + spec + `}`, pod + `-3, namespace: elsewhere}, ` + spec + `}`,
		pod + `-4, namespace: kube-public}, ` + spec + `}`, update}, "\n---\n")
}

func now() time.Time { return time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC) }

func sourceOf(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, "\t", "  "))}
	}
	return fsys
}

// compile builds the source of files().
func compile(t *testing.T, files map[string]string) *generator.Bundle {
	t.Helper()
	return compileAt(t, files, now())
}

func compileAt(t *testing.T, files map[string]string, at time.Time) *generator.Bundle {
	t.Helper()
	bundle, problems := generator.Compile(sourceOf(files), ".", generator.Options{Now: at, Unstaged: true})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return bundle
}

// fake answers as a cluster should by the plan, but for its faults.
type fake struct {
	plan *plan.Plan
	env  plan.Environment

	problems []engine.Problem
	refused  string // name of a policy that is not loaded
	// distort changes an answer.
	distort func(engine.EvaluateParams, *engine.Evaluation)
	// Faults of exceptions.
	everyName, everyNamespace, everyImage, everyUser, everyOwner, endless, never, everyPolicy bool
	// Faults of scopes.
	everyScope, noScope bool

	// Faults of image rules: how many attestors fewer are enough; what does not count.
	fewer                                     int
	anyFlaw, anyAuthority, noDigests, changes bool
	// Faults of demanded attestations: what is not looked at.
	noAttestations, noConditions, oneOfAll bool

	asked int
	// made are the objects that a controller sent, strange those that no controller would.
	made, strange []string
	images        map[string]engine.Image // by reference and by digest
}

func (f *fake) Load(_ context.Context, params engine.LoadParams) (engine.LoadResult, error) {
	environment := params.Namespaces[0].Labels["gatehouse.dev/environment"]
	f.env = f.plan.Environments[slices.IndexFunc(f.plan.Environments, func(e plan.Environment) bool { return e.Name == environment })]
	result := engine.LoadResult{Problems: f.problems, Digests: map[string]string{}}
	f.images = map[string]engine.Image{}
	if params.StandIn != nil {
		for _, image := range params.StandIn.Images {
			digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(image.Reference)))
			result.Digests[image.Reference], f.images[image.Reference], f.images[digest] = digest, image, image
		}
	}
	for _, raw := range params.Policies {
		var o manifest.Object
		if err := json.Unmarshal(raw, &o); err != nil {
			return result, err
		}
		if o.Name() != f.refused {
			result.Policies = append(result.Policies, engine.LoadedPolicy{Name: o.Name()})
		}
	}
	return result, nil
}

func (f *fake) EvaluateMany(_ context.Context, requests []engine.EvaluateParams) ([]engine.Evaluation, error) {
	out := make([]engine.Evaluation, len(requests))
	for i, request := range requests {
		f.asked++
		f.observe(request)
		out[i] = f.answer(request)
		if f.distort != nil {
			f.distort(request, &out[i])
		}
	}
	return out, nil
}

// observe notes what is sent in the name of a controller.
func (f *fake) observe(request engine.EvaluateParams) {
	var o manifest.Object
	if err := json.Unmarshal(request.Resource, &o); err != nil || !strings.HasPrefix(request.UserInfo.Username, "system:serviceaccount:kube-system:") {
		return
	}
	sent := fmt.Sprintf("%s %s%s", o.Kind(), o.Name(), o.String("metadata", "generateName"))
	f.made = append(f.made, sent)
	if err := arrival.Check(o.Kind(), o.Metadata(), request.UserInfo.Username); err != nil {
		f.strange = append(f.strange, fmt.Sprintf("%s: %v", sent, err))
	}
}

func (f *fake) answer(request engine.EvaluateParams) engine.Evaluation {
	var o manifest.Object
	if err := json.Unmarshal(request.Resource, &o); err != nil {
		return engine.Evaluation{Error: &engine.Error{Code: engine.CodeBadRequest, Message: err.Error()}}
	}
	if request.Namespace == "" {
		request.Namespace = o.Namespace()
	}
	result := &engine.EvaluateResult{}
	if slices.Contains(f.env.SystemNamespaces, request.Namespace) {
		return engine.Evaluation{Result: result}
	}
	for _, p := range f.env.Policies {
		action := p.ActionFor(request.Namespace, f.tier(request))
		switch {
		case f.everyScope:
			action = p.Actions[f.tier(request)]
		case f.noScope && !p.Scope.All():
			action = plan.Off
		}
		if !slices.Contains(request.Policies, p.Name) || action == plan.Off {
			continue
		}
		covered, unsigned, pinned := f.look(p, request.Resource)
		if p.Image != nil && !covered {
			continue
		}
		row := engine.RuleResult{Policy: p.Name, Rule: p.Name, Result: engine.OutcomePass, Action: engine.Action(action.String())}
		if x := f.exempt(p.Name, o, request); x != "" {
			row.Result, row.Exceptions = engine.OutcomeSkip, []string{x}
		} else if strings.Contains(string(request.Resource), `"workingDir":"`+p.Name+`"`) || unsigned || p.Image != nil && p.Image.RequireDigest && action == plan.Enforce && pinned != nil {
			row.Result, row.Blocks, row.Message = engine.OutcomeFail, action == plan.Enforce, "no."
			result.Blocked = result.Blocked || row.Blocks
		} else if p.Image != nil && (f.changes || p.Image.MutateDigest && action == plan.Enforce && !f.noDigests) {
			result.Patched = pinned
		}
		result.Results = append(result.Results, row)
	}
	return engine.Evaluation{Result: result}
}

var imageField = regexp.MustCompile(`"(?:image|reference)":"([^"]+)"`)

// look reports whether an image rule covers an image, whether one of them lacks
// signatures, and what becomes of the object when digests are put in.
func (f *fake) look(p plan.Policy, object []byte) (covered, unsigned bool, pinned []byte) {
	if p.Image == nil {
		return false, false, nil
	}
	for _, field := range imageField.FindAllSubmatch(object, -1) {
		reference := string(field[1])
		if !strings.Contains(reference[strings.LastIndex(reference, "/"):], ":") {
			reference += ":latest"
		}
		named, digest, byDigest := strings.Cut(reference, "@")
		repository := named
		if i := strings.LastIndex(named, ":"); i > strings.LastIndex(named, "/") {
			repository = named[:i]
		}
		if !matchesAny(p.Image.References, repository+":x") {
			continue
		}
		covered = true
		if !byDigest {
			digest = reference
		}
		image, known := f.images[digest]
		unsigned = unsigned || !known || !f.signed(*p.Image, image) || !f.attested(*p.Image, image)
		if !byDigest && known {
			if pinned == nil {
				pinned = bytes.Clone(object)
			}
			pinned = bytes.ReplaceAll(pinned, []byte(`"`+reference+`"`), fmt.Appendf(nil, `"%s@sha256:%x"`, reference, sha256.Sum256([]byte(reference))))
		}
	}
	return covered, unsigned, pinned
}

// signed counts the attestors whose signature an image has.
func (f *fake) signed(rule plan.Image, image engine.Image) bool {
	count := 0
	for _, a := range rule.Attestors {
		if slices.ContainsFunc(image.Signatures, func(s engine.Signature) bool {
			if a.Keyless != nil {
				return s.Identity != nil && (!s.Identity.Foreign || f.anyAuthority) && s.Identity.Issuer == a.Keyless.Issuer && s.Identity.Subject == a.Keyless.Subject
			}
			return s.Attestor == a.Name || s.Attestor == "secret" && a.Name == "file" // the same key
		}) {
			count++
		}
	}
	return count >= rule.Count-f.fewer && (image.Flaw == "" || f.anyFlaw)
}

// attested reports whether enough attestors made each attestation that the rule demands, and made none that does not
// satisfy the conditions.
func (f *fake) attested(rule plan.Image, image engine.Image) bool {
	for _, demand := range rule.Attestations {
		count := 0
		for _, a := range demand.Attestors {
			made, good := 0, 0
			for _, other := range image.Attestations {
				if other.Type != demand.Type || other.OtherImage || !f.signed(plan.Image{Count: 1, Attestors: []plan.Attestor{a}}, engine.Image{Signatures: []engine.Signature{other.By}}) {
					continue
				}
				made++
				if f.noConditions || satisfies(demand.Conditions, other.Predicate) {
					good++
				}
			}
			if good > 0 && (good == made || f.oneOfAll) {
				count++
			}
		}
		if count < demand.Count && !f.noAttestations {
			return false
		}
	}
	return true
}

// satisfies reports whether a predicate satisfies conditions.
func satisfies(conditions []plan.Condition, predicate json.RawMessage) bool {
	for _, c := range conditions {
		var value any
		if err := json.Unmarshal(predicate, &value); err != nil {
			return false
		}
		for _, name := range c.Path {
			object, _ := value.(map[string]any)
			value = object[name]
		}
		text, isText := value.(string)
		number, isNumber := value.(float64)
		switch value.(type) {
		case []any, map[string]any:
			return false
		}
		if len(c.In) > 0 && !slices.Contains(c.In, value) || c.Matches != "" && (!isText || !regexp.MustCompile(c.Matches).MatchString(text)) ||
			c.AtLeast != nil && (!isNumber || number < float64(*c.AtLeast)) || c.AtMost != nil && (!isNumber || number > float64(*c.AtMost)) {
			return false
		}
	}
	return true
}

func (f *fake) tier(request engine.EvaluateParams) string {
	for _, n := range f.env.Namespaces {
		if n.Existing && n.Name == request.Namespace {
			return n.Tier
		}
	}
	if request.NamespaceLabels[v1alpha1.LabelTier] != "" {
		return request.NamespaceLabels[v1alpha1.LabelTier]
	}
	for _, n := range f.env.Namespaces {
		if n.Name == request.Namespace {
			return n.Labels[v1alpha1.LabelTier]
		}
	}
	return f.plan.Tiers[len(f.plan.Tiers)-1]
}

func (f *fake) exempt(policy string, o manifest.Object, request engine.EvaluateParams) string {
	for _, x := range f.env.Exceptions {
		waived := slices.ContainsFunc(x.Policies, func(w plan.ExceptionPolicy) bool { return w.Name == policy })
		named := f.named(x.Names[0], o, request)
		at, err := time.Parse(time.RFC3339, request.Now)
		switch {
		case f.never, !waived && !f.everyPolicy, !named && !f.everyName, !slices.Contains(x.Namespaces, request.Namespace) && !f.everyNamespace,
			!onlyAcme(request.Resource) && !f.everyImage, (err != nil || !at.Before(x.Expires)) && !f.endless:
			continue
		}
		return x.Name
	}
	return ""
}

// onlyAcme reports whether all images of an object are those that the exception names.
func onlyAcme(object []byte) bool {
	return !slices.ContainsFunc(imageField.FindAllSubmatch(object, -1), func(image [][]byte) bool { return !strings.HasPrefix(string(image[1]), "ghcr.io/acme/") })
}

// named reports whether the exception for a DaemonSet of this name covers the object.
func (f *fake) named(name string, o manifest.Object, request engine.EvaluateParams) bool {
	owners := o.Maps("metadata", "ownerReferences")
	user := request.UserInfo.Username
	if request.Scan || f.everyUser {
		user = "system:serviceaccount:kube-system:daemon-set-controller"
	}
	metadata := o.Metadata()
	if metadata["generateName"] == nil && f.everyOwner && strings.HasPrefix(o.Name(), name+"-") {
		return true
	}
	switch {
	case o.Kind() == "DaemonSet":
		return o.Name() == name
	case o.Kind() != "Pod" || len(owners) != 1 || owners[0].String("name") != name:
		return false
	}
	return arrival.Check("Pod", metadata, user) == nil
}
