package staging

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Content is what a policy checks, and in which namespaces, without the stage, the tiers
// and the names: what must be audited before it is enforced.
type Content struct {
	// Control is the id of the control.
	Control string `json:"control"`
	// Target is the kind of policy, one of catalog.Targets; empty without Body.
	Target string `json:"target,omitempty"`
	// Parameters that the template was rendered with.
	Parameters map[string]any `json:"parameters,omitempty"`
	// Deployers are the users that the policy does not judge, DeployerGroups the groups,
	// and Appliers the accounts of which it does not judge all.
	Deployers      []string       `json:"deployers,omitempty"`
	DeployerGroups []string       `json:"deployerGroups,omitempty"`
	Appliers       []plan.Applier `json:"appliers,omitempty"`
	// Scope is where the policy judges. Contents of policies that judge everywhere do not
	// have the field.
	Scope plan.Scope `json:"scope,omitzero"`
	// Image is set for an image rule. Its keys are in it, not in objects beside it.
	Image *plan.Image `json:"image,omitempty"`
	// Body is the rendered template; nil for a control that is not a policy in the cluster.
	Body map[string]any `json:"body,omitempty"`
}

// hashLength is the number of hexadecimal digits that identify a content.
const hashLength = 16

// ContentOf returns the content of a policy. trust holds the objects that the
// attestors of an image rule refer to.
func ContentOf(p plan.Policy, deployers plan.Deployers, trust []plan.TrustObject) Content {
	c := Content{Control: p.Control.ID, Target: p.Target, Parameters: p.Parameters, Scope: p.Scope, Body: p.Body}
	if p.Control.ExemptDeployers {
		c.Deployers, c.DeployerGroups, c.Appliers = deployers.Users, deployers.Groups, deployers.Appliers
	}
	if p.Image != nil {
		c.Image = inline(*p.Image, trust)
	}
	return c
}

// OnlyKind reports whether the contents of two policies differ in nothing but the kind. Each
// has the trust of its environment.
func OnlyKind(a plan.Policy, trustA []plan.TrustObject, b plan.Policy, trustB []plan.TrustObject) bool {
	first, second := ContentOf(a, a.Deployers, trustA), ContentOf(b, b.Deployers, trustB)
	for _, c := range []*Content{&first, &second} {
		c.Target, c.Body = "", nil // they differ, as the kinds do
	}
	if first.Hash() != second.Hash() {
		return false
	}
	if len(first.Parameters) == 0 && len(second.Parameters) == 0 {
		return true
	}
	was, errWas := json.Marshal(first.Parameters)
	is, errIs := json.Marshal(second.Parameters)
	return errWas == nil && errIs == nil && bytes.Equal(was, is)
}

// moves reports whether policies of two contents are different objects, so that one comes to the cluster and the
// other one goes. Those of different kinds are; so are checks in CEL that judge other kinds of objects or other operations, or begin
// or end to look something up: each has the object of its family.
func moves(a, b Content) bool {
	if a.Target != b.Target {
		return true
	}
	if a.Image != nil || b.Image != nil {
		return false
	}
	before, after := places(a), places(b)
	for name, place := range before {
		if now, found := after[name]; found && now != place {
			return true
		}
		if !slices.Contains(slices.Collect(maps.Values(after)), place) {
			return true
		}
	}
	return false
}

// places returns what decides the object of each check in CEL, by the name of the check; nothing for a ClusterPolicy.
func places(c Content) map[string]string {
	all := map[string]string{}
	for _, check := range (catalog.Policy{Body: c.Body}).Checks() {
		kinds := []string{"Pods"}
		if !check.OfPods() {
			kinds = nil
			for _, ref := range check.Kinds {
				kinds = append(kinds, fmt.Sprint(ref))
			}
			slices.Sort(kinds)
		}
		all[check.Name] = fmt.Sprint(kinds, check.Operations, len(check.LookUps) > 0)
	}
	return all
}

// inline puts the keys of ConfigMaps and Secrets into the attestors: the content must
// change when a key does, and an old key must stay available when the object that held
// it has a new one.
func inline(image plan.Image, trust []plan.TrustObject) *plan.Image {
	changed := eachAttestor(image, func(a *plan.Attestor) {
		for _, o := range trust {
			key, found := o.Data[a.ConfigMapKey]
			switch {
			case o.Kind == "ConfigMap" && o.Name == a.ConfigMap && found:
				a.PublicKeys, a.ConfigMap, a.ConfigMapKey = key, "", ""
			case o.Kind == "Secret" && o.Name == a.Secret && len(o.Data) == 1:
				for _, key := range o.Data {
					a.PublicKeys, a.Secret = key, ""
				}
			}
		}
	})
	return &changed
}

// eachAttestor returns a copy of an image rule in which all attestors are changed, also those
// of attestations.
func eachAttestor(image plan.Image, change func(a *plan.Attestor)) plan.Image {
	all := func(attestors []plan.Attestor) []plan.Attestor {
		attestors = slices.Clone(attestors)
		for i := range attestors {
			change(&attestors[i])
		}
		return attestors
	}
	image.Attestors, image.Attestations = all(image.Attestors), slices.Clone(image.Attestations)
	for i := range image.Attestations {
		image.Attestations[i].Attestors = all(image.Attestations[i].Attestors)
	}
	return image
}

// nameless returns an image rule without the names of its attestors, which only people read.
func nameless(image plan.Image) plan.Image {
	return eachAttestor(image, func(a *plan.Attestor) { a.Name = "" })
}

// Hash returns the identity of the content. Texts for people and names are no part of
// it, and neither are the parameters: they are in the body.
func (c Content) Hash() string {
	same := Content{Control: c.Control, Target: c.Target, Deployers: c.Deployers, DeployerGroups: c.DeployerGroups, Appliers: c.Appliers, Scope: c.Scope}
	if c.Body != nil {
		same.Body = withoutMessages(c.Body)
	}
	if c.Image != nil {
		image := nameless(*c.Image)
		same.Image = &image
	}
	raw, err := json.Marshal(same)
	if err != nil {
		panic(err) // plain values always encode
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:hashLength]
}

// unscoped returns the hash of the content without its scope. hash is its own.
func (c Content) unscoped(hash string) string {
	if c.Scope.All() {
		return hash
	}
	c.Scope = plan.Scope{}
	return c.Hash()
}

// withoutMessages returns a copy of a rendered policy without the messages of its rules.
func withoutMessages(body map[string]any) map[string]any {
	object := manifest.Object(runtime.DeepCopyJSON(body))
	for _, check := range object.Maps("checks") {
		delete(check, "message")
	}
	for _, r := range object.List("spec", "rules") {
		if rule, ok := r.(map[string]any); ok {
			if validate, ok := rule["validate"].(map[string]any); ok {
				delete(validate, "message")
			}
		}
	}
	return object
}

// path returns the path of a content in the output.
func path(hash string) string { return layout.Contents + "/" + hash + ".yaml" }

// file returns the file that keeps the content. It holds at least as many bytes that no
// other content has: else Git would take a new content for an old one that was renamed,
// and merge those of two branches into a third.
func (c Content) file(policy plan.Policy) manifest.File {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain values always encode
	}
	var object manifest.Object
	if err := json.Unmarshal(raw, &object); err != nil {
		panic(err)
	}
	hash := c.Hash()
	text, err := manifest.File{Origin: policy.At.File, Objects: []manifest.Object{object}}.Encode()
	if err != nil {
		panic(err) // plain values always encode
	}
	return manifest.File{Path: path(hash), Text: append(text, unlike(hash, len(text))...)}
}

// unlike returns at least size bytes of comments that depend on the hash.
func unlike(hash string, size int) []byte {
	out := []byte("# What follows keeps Git from taking this file for another one.\n")
	for sum := sha256.Sum256([]byte(hash)); len(out) <= size; sum = sha256.Sum256(sum[:]) {
		out = fmt.Appendf(out, "# %x\n", sum)
	}
	return out
}

// exempt returns those whom the policy does not judge.
func (c Content) exempt() plan.Deployers {
	return plan.Deployers{Users: c.Deployers, Groups: c.DeployerGroups, Appliers: c.Appliers}
}

// integers turns the whole numbers in a value into int64, as the emitters expect them.
func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case float64:
		if i := int64(v); float64(i) == v {
			return i
		}
	}
	return v
}

// loosens reports whether everything that the new content refuses, or changes, the
// old one did too. It reports false if it cannot know.
func loosens(control *catalog.Control, old, new Content) bool {
	if old.Control != new.Control || old.Target != new.Target || !new.Scope.Within(old.Scope) || !exemptsMore(old, new) {
		return false
	}
	if old.Image != nil || new.Image != nil {
		return old.Image != nil && new.Image != nil && sameBody(old, new) && imageLoosens(*old.Image, *new.Image)
	}
	if sameBody(old, new) {
		return true
	}
	// Only if the template is the same do parameters say all.
	again, err := control.Render(old.Target, old.Parameters)
	return err == nil && sameBody(old, Content{Body: again.Body}) && control.Loosens(old.Parameters, new.Parameters)
}

// loosest returns a content that is enforced, with what the content of the source
// loosens: a new deployer, one more registry, or a namespace less takes effect at once even
// if another part of the change, such as another kind of policies, waits. It reports false
// if nothing is left that the content judges.
func loosest(control *catalog.Control, old, new Content) (Content, bool) {
	both := loosestChecks(control, old, new)
	scope, some := old.Scope.Both(new.Scope)
	if len(scope.Exclude) <= maxExcluded {
		both.Scope = scope
	}
	return both, some
}

// maxExcluded is how many namespaces a content may leave out: those of two scopes of a profile.
const maxExcluded = 1000

// loosestChecks is loosest without the namespaces.
func loosestChecks(control *catalog.Control, old, new Content) Content {
	if old.Control != new.Control {
		return old
	}
	if old.Image != nil || new.Image != nil {
		if old.Image == nil || new.Image == nil || !imageLoosens(*old.Image, *new.Image) {
			return old
		}
		both := old
		both.Image = new.Image
		return both
	}
	again, err := control.Render(old.Target, old.Parameters)
	if err != nil || !sameBody(old, Content{Body: again.Body}) {
		return old // of another version of the control
	}
	both := old
	both.Parameters = control.Loosest(old.Parameters, new.Parameters)
	if _, problems := control.ResolveParameters(both.Parameters, func(string) (any, bool) { return nil, false }); len(problems) > 0 {
		return old // such as a list that may not be empty
	}
	both.Deployers, both.DeployerGroups = union(old.Deployers, new.Deployers), union(old.DeployerGroups, new.DeployerGroups)
	both.Appliers = union(old.Appliers, new.Appliers)
	slices.Sort(both.Deployers)
	slices.Sort(both.DeployerGroups)
	rendered, err := control.Render(old.Target, both.Parameters)
	if err != nil {
		return old
	}
	if both.Body = rendered.Body; !loosens(control, old, both) {
		return old
	}
	return both
}

func sameBody(a, b Content) bool {
	return Content{Body: a.Body}.Hash() == Content{Body: b.Body}.Hash()
}

// imageLoosens reports whether a rule demands at most what another one demands, of at
// most the same images.
func imageLoosens(old, new plan.Image) bool {
	old, new = nameless(old), nameless(new)
	return subset(texts(old.Attestors), texts(new.Attestors)) && subset(texts(new.Attestations), texts(old.Attestations)) && subset(new.References, old.References) && new.Count <= old.Count &&
		(old.MutateDigest || !new.MutateDigest) && (old.RequireDigest || !new.RequireDigest)
}

// texts returns values as texts, which are the same if the values are.
func texts[T any](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // plain values always encode
		}
		all[i] = string(raw)
	}
	return all
}

// exemptsMore reports whether the new content exempts everything that the old one exempts.
func exemptsMore(old, new Content) bool {
	return subset(old.Deployers, new.Deployers) && subset(old.DeployerGroups, new.DeployerGroups) &&
		!slices.ContainsFunc(old.Appliers, func(a plan.Applier) bool {
			return !slices.Contains(new.Appliers, a) && !slices.Contains(new.Deployers, a.User)
		})
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
