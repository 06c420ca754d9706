package proof_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// random is what a random object is called.
const random = "a random object"

// onTargets are clusters in which all controls that can be said in CEL are enforced, by the
// kind of their policies.
func onTargets(t *testing.T) (clusters map[string]cluster, inCEL []control) {
	t.Helper()
	controls := builtin(t)
	inCEL = slices.DeleteFunc(slices.Clone(controls), func(c control) bool { return len(c.Targets()) == 1 })
	clusters = map[string]cluster{}
	for _, target := range catalog.Targets() {
		spec := switchedOn(controls)
		spec["kyverno"] = object{"policyType": target}
		bundle := compile(t, spec, nil)
		clusters[target] = newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	}
	return clusters, inCEL
}

// failures are the checks that fail, as POLICY/CHECK. The rules that Kyverno derives for
// controllers count as the one that they are derived from. With messages, each has the
// words of its message.
func failures(r protocol.EvaluateResult, of []control, withMessages bool) []string {
	var failed []string
	for _, rule := range r.Results {
		if rule.Result != protocol.OutcomeFail && rule.Result != protocol.OutcomeError || !slices.ContainsFunc(of, func(c control) bool { return c.ID == rule.Policy }) {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(rule.Rule, "autogen-cronjob-"), "autogen-")
		text := rule.Policy + "/" + name
		pattern := rule.Policy == "disallow-default-namespace" // to whose messages Kyverno adds its own words
		if rule.Result == protocol.OutcomeError || withMessages && !pattern {
			text += ": " + words(rule.Message)
		}
		failed = append(failed, text)
	}
	slices.Sort(failed)
	return slices.Compact(failed)
}

// words are the different words of a message, sorted: each kind of policies has an order of
// its own for what offends.
func words(message string) string {
	all := strings.FieldsFunc(message, func(r rune) bool { return strings.ContainsRune(" ,;.", r) })
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// agree fails the test unless all targets give a request the same verdict and, where it is
// a document of the catalogue, the same messages.
func agree(t *testing.T, clusters map[string]cluster, of []control, what string, request protocol.EvaluateParams) (failed []string) {
	t.Helper()
	var first string
	for i, target := range catalog.Targets() {
		got := failures(clusters[target].ask(t, request), of, what != random)
		if i == 0 {
			failed, first = got, target
			continue
		}
		if diff := cmp.Diff(failed, got); diff != "" {
			t.Errorf("%s: %s has - and %s +\n%s%s %s\nfrom %s", what, first, target, diff, request.Operation, request.Resource, request.OldResource)
		}
	}
	return failed
}

// outcomes are what a control says of objects of each kind: which it refuses, and whether it admits some.
type outcomes map[string]*outcome

type outcome struct {
	refused  []catalog.Case
	admitted bool
}

func (o outcomes) add(c control, one catalog.Case, failed []string) {
	kind := one.Kind.Kind
	if o[kind] == nil {
		o[kind] = &outcome{}
	}
	if slices.ContainsFunc(failed, func(f string) bool { return strings.HasPrefix(f, c.ID+"/") }) {
		o[kind].refused = append(o[kind].refused, one)
	} else {
		o[kind].admitted = true
	}
}

// counterparts are requests for the same object that a control may admit: by an administrator, in another namespace, or
// an update that changes nothing.
func counterparts(t *testing.T, one catalog.Case) []catalog.Case {
	t.Helper()
	administrator, elsewhere, unchanged := one, one, one
	administrator.UserInfo = catalog.UserInfo{Username: "admin@acme.example", Groups: []string{"system:masters", "system:authenticated"}}
	if elsewhere.Namespace = "elsewhere"; elsewhere.Object != nil {
		elsewhere.Object = clone(t, elsewhere.Object)
		elsewhere.Object["metadata"].(object)["namespace"] = "elsewhere"
	}
	unchanged.Operation, unchanged.OldObject = "UPDATE", one.Object
	return []catalog.Case{administrator, elsewhere, unchanged}
}

// wantBoth fails the test if a control says the same of all objects of a kind that it refuses some of: that all targets
// agree would say little.
func (o outcomes) wantBoth(t *testing.T, c control, ask func(catalog.Case) []string) {
	t.Helper()
	refusesAll := map[string]string{
		"require-network-policy": "TestWhatCountsAsDefaultDeny has what it looks up",
	}
	refuses := false
	for kind, said := range o {
		refuses = refuses || len(said.refused) > 0
		for _, one := range said.refused {
			for _, other := range counterparts(t, one) {
				if !said.admitted {
					o.add(c, other, ask(other))
				}
			}
		}
		if !said.admitted && refusesAll[c.ID] == "" {
			t.Errorf("%s refuses every %s that was asked", c.ID, kind)
		}
	}
	if !refuses {
		t.Errorf("%s refuses nothing that was asked", c.ID)
	}
}

// TestTargetsAgree asks policies of each kind about every document of the catalogue, in
// every kind of controller, and about random objects: all kinds give the same verdicts.
func TestTargetsAgree(t *testing.T) {
	clusters, inCEL := onTargets(t)
	if len(inCEL) < 40 {
		t.Errorf("only %d controls can be said in CEL", len(inCEL))
	}
	var pool []catalog.Case
	for _, c := range inCEL {
		said := outcomes{}
		ask := func(one catalog.Case) []string {
			return agree(t, clusters, inCEL, c.ID+": "+one.Name, in("apps", requestOf(t, one)))
		}
		for _, one := range slices.Concat(c.good, c.bad) {
			pool = append(pool, one)
			said.add(c, one, ask(one))
		}
		for _, pod := range plainPods(slices.Concat(c.good, c.bad)) {
			for _, kind := range sortedKeys(controllers()) {
				one := wrapped(t, pod, kind)
				said.add(c, one, agree(t, clusters, inCEL, c.ID+": "+pod.Name+" in a "+kind, in("apps", requestOf(t, one))))
			}
		}
		said.wantBoth(t, c, ask)
	}
	mutants := mutator{rand.New(rand.NewPCG(seedOf(t), 2)), pool}
	asked, failed := 0, 0
	for range *randomObjects {
		if one, ok := mutants.next(t); ok {
			asked++
			failed += min(1, len(agree(t, clusters, inCEL, random, in("apps", requestOf(t, one)))))
		}
		if t.Failed() && asked > 1000 {
			break // enough to look at
		}
	}
	t.Logf("%d random objects, %d of them faulty", asked, failed)
	if asked < *randomObjects/4 || failed < asked/10 || failed > asked*99/100 {
		t.Errorf("of %d random objects %d can be decoded, and %d fail: too few to say anything", *randomObjects, asked, failed)
	}
}

// mutator makes objects from documents: it removes parts, and puts parts of one document
// in the place of those of another.
type mutator struct {
	*rand.Rand
	pool []catalog.Case
}

// next returns a changed document, or an update from one change of it to another. It
// reports false for an object that the API server could not read.
func (m mutator) next(t *testing.T) (catalog.Case, bool) {
	t.Helper()
	base := m.pool[m.IntN(len(m.pool))]
	one, ok := m.mutant(t, base)
	if !ok || base.OldObject == nil && (base.Operation != "CREATE" || m.IntN(3) > 0) {
		return one, ok
	}
	if name, _ := one.Object["metadata"].(object)["name"].(string); name == "" {
		return one, false // what is updated has a name
	}
	old := clone(t, base.OldObject)
	if old == nil {
		drawn, ok := m.mutant(t, base)
		if !ok {
			return one, false
		}
		old = drawn.Object
	}
	for _, key := range []string{"name", "namespace", "generateName"} { // these never change
		delete(old["metadata"].(object), key)
		if value, found := one.Object["metadata"].(object)[key]; found {
			old["metadata"].(object)[key] = value
		}
	}
	one.Operation, one.OldObject = "UPDATE", old
	return one, true
}

// mutant returns a document with some changes.
func (m mutator) mutant(t *testing.T, one catalog.Case) (catalog.Case, bool) {
	t.Helper()
	if one.Object == nil {
		return one, false
	}
	one.Object = clone(t, one.Object)
	for range 1 + m.IntN(4) {
		other := m.pool[m.IntN(len(m.pool))]
		m.change(one.Object, clone(t, other.Object))
	}
	withoutNulls(one.Object)
	metadata, _ := one.Object["metadata"].(object)
	maps.DeleteFunc(metadata, func(_ string, value any) bool { return empty(value) }) // as they are decoded and encoded
	if metadata == nil || !readable(&one) || misnamed(one.Object) {
		return one, false
	}
	// The API server has settled the namespace before it asks.
	if metadata = one.Object["metadata"].(object); namespaced(one) {
		if one.Namespace, _ = metadata["namespace"].(string); one.Namespace == "" {
			one.Namespace = "apps"
		}
		metadata["namespace"] = one.Namespace
	} else {
		delete(metadata, "namespace") // which it refuses
	}
	return one, true
}

// withoutNulls removes what is null, as the API server does before it asks.
func withoutNulls(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			withoutNulls(element)
		}
	case object:
		maps.DeleteFunc(v, func(_ string, value any) bool { return value == nil })
		for _, value := range v {
			withoutNulls(value)
		}
	}
}

// empty reports whether a value is a list or a map with nothing in it.
func empty(v any) bool {
	list, isList := v.([]any)
	fields, isMap := v.(object)
	return isList && len(list) == 0 || isMap && len(fields) == 0
}

// misnamed reports whether a container in an object has no name, or that of another one of its
// Pod. The API server refuses both: CEL drops an empty text, and looks containers up by name.
func misnamed(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, misnamed)
	case object:
		names := map[string]bool{"": true}
		for key, value := range v {
			list, _ := value.([]any)
			if strings.HasSuffix(strings.ToLower(key), "containers") && slices.ContainsFunc(list, func(c any) bool {
				container, isObject := c.(object)
				name, _ := container["name"].(string)
				taken := names[name]
				names[name] = true
				return isObject && taken
			}) || misnamed(value) {
				return true
			}
		}
	}
	return false
}

// change walks down both objects along the same fields, and stops somewhere.
func (m mutator) change(o, other object) {
	keys := sortedKeys(o)
	if len(keys) == 0 {
		return
	}
	key := keys[m.IntN(len(keys))]
	switch v := o[key].(type) {
	case object:
		if inner, ok := other[key].(object); ok && m.IntN(4) > 0 {
			m.change(v, inner)
			return
		}
	case []any:
		inner, _ := other[key].([]any)
		switch first, ok := v, len(v) > 0 && len(inner) > 0; {
		case ok && m.IntN(2) == 0:
			o[key] = append(first, inner[m.IntN(len(inner))])
			return
		case ok:
			a, isObject := v[m.IntN(len(v))].(object)
			if b, both := inner[m.IntN(len(inner))].(object); both && isObject {
				m.change(a, b)
				return
			}
		}
	}
	if key == "apiVersion" || key == "kind" || key == "metadata" || key == "spec" { // what has no spec is no workload
		return
	}
	switch theirs, found := other[key]; {
	case found && m.IntN(3) > 0:
		o[key] = theirs
	case m.IntN(2) == 0:
		delete(o, key)
	default:
		for _, k := range sortedKeys(other) { // a field that the object has not
			if _, has := o[k]; !has {
				o[k] = other[k]
				return
			}
		}
	}
}

// readable decodes an object of a built-in kind as the API server does, and reports whether
// that works. What it does not know is not looked at.
func readable(c *catalog.Case) bool {
	raw, err := json.Marshal(c.Object)
	if err != nil {
		return false
	}
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return true
	}
	if err != nil {
		return false
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(decoded)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", c.Name, err)) // it was decoded
	}
	delete(content, "status")
	c.Object = content
	return true
}

// TestLargePods: what would cost the API server seconds is refused before it is judged, and
// is still let go.
func TestLargePods(t *testing.T) {
	for _, target := range catalog.CELTargets() {
		spec := object{"kyverno": object{"policyType": target}, "controls": object{"disallow-privileged-containers": object{}, "disallow-host-path": object{}}}
		bundle := compile(t, spec, nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		pod := func(containers, volumes int) json.RawMessage {
			var list, sources []any
			for i := range containers {
				list = append(list, object{"name": fmt.Sprint("c", i), "image": "a"})
			}
			for i := range volumes {
				sources = append(sources, object{"name": fmt.Sprint("v", i), "emptyDir": object{}})
			}
			return encode(t, object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": "shop"}, "spec": object{"containers": list, "volumes": sources}})
		}
		if got := k.ask(t, in("apps", protocol.EvaluateParams{Resource: pod(250, 500)})); got.Blocked {
			t.Errorf("%s: the largest Pod is refused: %s", target, verdict(got))
		}
		for _, large := range []json.RawMessage{pod(251, 0), pod(1, 501)} {
			got := k.ask(t, in("apps", protocol.EvaluateParams{Resource: large}))
			if !got.Blocked || !strings.Contains(messages(got), "at most 250 containers and 500 volumes") {
				t.Errorf("%s: a Pod that is too large: %s", target, verdict(got))
			}
			got = k.ask(t, in("apps", protocol.EvaluateParams{Resource: large, OldResource: large, Operation: protocol.Update}))
			if got.Blocked {
				t.Errorf("%s: an update that changes nothing: %s", target, verdict(got))
			}
		}
	}
}

// TestLongMessages: the API server drops a message of more than 5 KiB. What offends may
// have longer names, and still each check that fails is named.
func TestLongMessages(t *testing.T) {
	for _, target := range catalog.CELTargets() {
		spec := object{"kyverno": object{"policyType": target}, "controls": object{"disallow-host-path": object{}, "disallow-latest-tag": object{}, "disallow-host-namespaces": object{}}}
		bundle := compile(t, spec, nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		for _, name := range []string{strings.Repeat("x", 9000), strings.Repeat("é", 3000), strings.Repeat("\U0001F600", 2000)} {
			request := protocol.EvaluateParams{Resource: encode(t, object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": "shop"}, "spec": object{
				"containers": []any{object{"name": "c", "image": name}}, "volumes": []any{object{"name": "v", "hostPath": object{"path": name}}}, "hostNetwork": true,
			}})}
			got := messages(k.ask(t, in("apps", request)))
			for _, id := range []string{"disallow-host-path/host-path", "disallow-latest-tag/latest-tag", "disallow-host-namespaces/host-namespaces"} {
				if !strings.Contains(got, id) {
					t.Errorf("%s: %s is not named: %.200s", target, id, got)
				}
			}
		}
	}
}
