package verdict

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// The documents of image rules are written for these images (see the catalogue).
const (
	writtenRegistry = "registry.example/"
	writtenTag      = ":v1"
)

// image checks an image rule with each sample in each repository, as the image of a
// Pod, and with the documents of the control, which have images in other places.
func (r *run) image(k *cluster, policy plan.Policy, control *catalog.Control, good, bad []catalog.Case) error {
	t := k.trials[policy.Name]
	if t.reason != "" {
		r.skip(t.result(k, policy, "signatures"), t.reason)
		return nil
	}
	for _, glob := range t.without {
		r.skip(t.result(k, policy, "images of "+glob), "no repository was found that it covers")
	}
	for _, s := range t.everyone() {
		if s.RekorURL != "" {
			r.skip(t.result(k, policy, "signatures of "+s.Name+" in the transparency log"), "the log is not asked: "+s.RekorURL)
		}
	}
	if t.untried > 0 {
		r.skip(t.result(k, policy, "other combinations of signers"), fmt.Sprintf("%d more are possible than are tried", t.untried))
	}
	if len(t.repositories) == 0 {
		return nil
	}
	probes := t.documents(k, good, originOf(control, CheckGood), CheckGood)
	probes = append(probes, t.documents(k, bad, originOf(control, CheckBad), CheckBad)...)
	var checks []check
	for _, p := range probes {
		made, err := k.everywhere(policy, p)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.origin, p.Name, err)
		}
		checks = append(checks, made...)
	}
	for _, p := range t.pods(k, policy.At.String()) {
		made, err := k.tiers(policy, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		checks = append(checks, made...)
	}
	return r.ask(checks)
}

// result returns a result for the image rule, without the outcome.
func (t *imageTrial) result(k *cluster, policy plan.Policy, what string) Result {
	return Result{Environment: k.env.Name, Check: CheckBad, Policy: policy.Name, Case: what, Origin: policy.At.String(), Expected: want{verdict: wantBad(policy.Strictest())}.String()}
}

// reference names an image by tag, by digest or by both.
type reference struct {
	how, text string
	pinned    string // the text when the digest is put in
}

// references returns the ways to refer to a sample. If the registry does not answer,
// there is no digest.
func (t *imageTrial) references(k *cluster, repository string, s sample) []reference {
	byTag, digest := repository+":"+s.tag, t.digest(k, repository, s)
	if s.flaw == engine.FlawUnreachable {
		return []reference{{"by tag", byTag, byTag}}
	}
	byDigest, byBoth := repository+"@"+digest, byTag+"@"+digest
	return []reference{{"by tag", byTag, byBoth}, {"by digest", byDigest, byDigest}, {"by tag and digest", byBoth, byBoth}}
}

// digest returns the digest of a sample. If the sample is not in a registry, the digest
// is made up.
func (t *imageTrial) digest(k *cluster, repository string, s sample) string {
	if s.absent {
		return "sha256:" + strings.Repeat("0", 64)
	}
	return k.digests[repository+":"+s.tag]
}

// pods returns Pods with one image each, for each sample of each repository.
func (t *imageTrial) pods(k *cluster, origin string) []probe {
	var out []probe
	add := func(name, image, pinned string, wanted func(plan.Action) verdict) {
		p := probe{Case: imagePod(name, image), check: CheckBad, origin: origin, wanted: wanted}
		if v := wanted(plan.Enforce); v != refused && v != refusedOrError {
			p.check = CheckGood
		}
		p.spec = t.spec(p.Object["spec"], imagePod(name, pinned).Object["spec"])
		out = append(out, p)
	}
	for _, repository := range t.repositories {
		for _, s := range t.samples {
			for _, way := range t.references(k, repository, s) {
				add(s.name+", "+way.how, way.text, way.pinned, t.wanted(s, way.text == way.pinned))
			}
		}
		unsigned := t.digest(k, repository, t.samples[sampleUnsigned])
		add("unsigned, without a tag", repository, "", wantBad)
		add("unsigned, by digest and the tag of a signed image", repository+":"+t.samples[sampleFirst].tag+"@"+unsigned, "", wantBad)
	}
	for _, other := range uncovered(t.image.References, t.repositories) {
		add("not covered by the rule", other+":1", other+":1", t.wantUncovered)
	}
	return out
}

// wantSigned returns the verdict for an image that enough attestors have signed.
func (t *imageTrial) wantSigned(a plan.Action) verdict {
	if a == plan.Enforce && t.image.MutateDigest {
		return pinned
	}
	return wantGood(a)
}

// wanted returns the verdict for a sample that is referred to with or without its digest.
func (t *imageTrial) wanted(s sample, byDigest bool) func(plan.Action) verdict {
	switch {
	case s.flaw == engine.FlawUnreachable:
		return wantUnreachable
	case s.absent:
		return t.wantAbsent
	case s.good && t.image.RequireDigest && !byDigest:
		return wantDigest
	case s.good:
		return t.wantSigned
	}
	return wantBad
}

// wantAbsent returns the verdict for an image that is not in the registry. Where it is
// audited, a policy in CEL that reads the image fails, and nothing is blocked.
func (t *imageTrial) wantAbsent(a plan.Action) verdict {
	switch {
	case a == plan.Enforce:
		return refusedOrError
	case a == plan.Audit && t.inCEL:
		return admittedWithError
	}
	return wantBad(a)
}

// wantUnreachable returns the verdict for an image while the registry is down.
func wantUnreachable(a plan.Action) verdict {
	switch a {
	case plan.Enforce:
		return refusedOrError
	case plan.Audit:
		return admittedWithError
	default:
		return wantBad(a)
	}
}

// wantUncovered returns the verdict for an image that the rule does not cover. A policy in
// CEL looks at each Pod, and finds no image.
func (t *imageTrial) wantUncovered(plan.Action) verdict {
	if t.inCEL {
		return clean
	}
	return silent
}

// wantDigest returns the verdict for a tag if the rule requires a digest, which only an
// enforced rule does.
func wantDigest(a plan.Action) verdict {
	if a == plan.Enforce {
		return refused
	}
	return wantGood(a)
}

// spec is given itself, unless enforced with digests put in.
func (t *imageTrial) spec(given, pinned any) func(plan.Action) any {
	return func(a plan.Action) any {
		if a == plan.Enforce && t.image.MutateDigest && pinned != nil {
			return pinned
		}
		return given
	}
}

// imagePod returns a Pod with one image.
func imagePod(name, image string) catalog.Case {
	return catalog.Case{
		Name: name, Operation: "CREATE", Namespace: catalog.CaseNamespace, Kind: catalog.GroupVersionKind{Version: "v1", Kind: "Pod"}, UserInfo: catalog.OrdinaryUser(),
		Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "image", "namespace": catalog.CaseNamespace},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": image}}},
		},
	}
}

// documents returns the documents of the control with images of the first repository.
// If the rule requires a digest, signed images are referred to by digest.
func (t *imageTrial) documents(k *cluster, cases []catalog.Case, origin, kind string) []probe {
	out := make([]probe, len(cases))
	for i, c := range cases {
		pinned := t.placed(k, c, true)
		p := probe{Case: t.placed(k, c, t.image.RequireDigest), check: kind, origin: origin, wanted: wantBad}
		if kind == CheckGood {
			p.wanted = t.wantSigned
		}
		p.spec = t.spec(p.Object["spec"], pinned.Object["spec"])
		out[i] = p
	}
	return out
}

// placed replaces the images of a document by samples of the first repository. If
// pinned is true, signed images are referred to by digest.
func (t *imageTrial) placed(k *cluster, c catalog.Case, pinned bool) catalog.Case {
	repository := t.repositories[0]
	var pairs []string
	for _, written := range []struct {
		name, digest string
		sample       sample
	}{{"signed", "1", t.samples[sampleFirst]}, {"unsigned", "2", t.samples[sampleUnsigned]}, {"other-key", "3", t.samples[sampleForeign]}} {
		name, tag, digest := writtenRegistry+written.name, repository+":"+written.sample.tag, t.digest(k, repository, written.sample)
		pairs = append(pairs, name+writtenTag+"@", tag+"@")
		if pinned && written.sample.good {
			tag += "@" + digest
		}
		pairs = append(pairs, name+writtenTag, tag, name, repository, "sha256:"+strings.Repeat(written.digest, 64), digest)
	}
	texts := strings.NewReplacer(pairs...)
	c.Object, c.OldObject = replaced(c.Object, texts), replaced(c.OldObject, texts)
	return c
}

// replaced returns a copy of an object with texts replaced.
func replaced(object map[string]any, texts *strings.Replacer) map[string]any {
	if object == nil {
		return nil
	}
	raw, err := json.Marshal(object)
	if err != nil {
		panic("a document of the catalogue is JSON: " + err.Error())
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(texts.Replace(string(raw))), &out); err != nil {
		panic("image references need no quoting: " + err.Error())
	}
	return out
}
