package proof_test

import (
	"encoding/json"
	"flag"
	"fmt"
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

var randomObjects = flag.Int("objects", 400, "how many random objects TestTargetsAgree asks about")

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
// controllers count as the one that they are derived from.
func failures(r protocol.EvaluateResult, of []control) []string {
	var failed []string
	for _, rule := range r.Results {
		if rule.Result != protocol.OutcomeFail && rule.Result != protocol.OutcomeError || !slices.ContainsFunc(of, func(c control) bool { return c.ID == rule.Policy }) {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(rule.Rule, "autogen-cronjob-"), "autogen-")
		text := rule.Policy + "/" + name
		if rule.Result == protocol.OutcomeError {
			text += ": " + rule.Message
		}
		failed = append(failed, text)
	}
	slices.Sort(failed)
	return slices.Compact(failed)
}

// agree fails the test unless all targets give a request the same verdict.
func agree(t *testing.T, clusters map[string]cluster, of []control, what string, request protocol.EvaluateParams) (failed []string) {
	t.Helper()
	var first string
	for i, target := range catalog.Targets() {
		got := failures(clusters[target].ask(t, request), of)
		if i == 0 {
			failed, first = got, target
			continue
		}
		if diff := cmp.Diff(failed, got); diff != "" {
			t.Errorf("%s: %s has - and %s +\n%s%s", what, first, target, diff, request.Resource)
		}
	}
	return failed
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
		for _, one := range slices.Concat(c.good, c.bad) {
			pool = append(pool, one)
			agree(t, clusters, inCEL, c.ID+": "+one.Name, in("apps", requestOf(t, one)))
		}
		for _, pod := range plainPods(slices.Concat(c.good, c.bad)) {
			for _, kind := range sortedKeys(controllers()) {
				agree(t, clusters, inCEL, c.ID+": "+pod.Name+" in a "+kind, in("apps", requestOf(t, wrapped(t, pod, kind))))
			}
		}
	}
	mutants := mutator{rand.New(rand.NewPCG(1, 2)), pool}
	asked, failed := 0, 0
	for range *randomObjects {
		if one, ok := mutants.next(t); ok {
			asked++
			failed += min(1, len(agree(t, clusters, inCEL, "random", in("apps", requestOf(t, one)))))
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

// next returns a changed document. It reports false for an object that the API server could
// not read.
func (m mutator) next(t *testing.T) (catalog.Case, bool) {
	t.Helper()
	one := m.pool[m.IntN(len(m.pool))]
	if one.Object == nil {
		return one, false
	}
	one.Object = clone(t, one.Object)
	for range 1 + m.IntN(4) {
		other := m.pool[m.IntN(len(m.pool))]
		m.change(one.Object, clone(t, other.Object))
	}
	if !readable(&one) {
		return one, false
	}
	// The API server has settled the namespace before it asks.
	if metadata, _ := one.Object["metadata"].(object); metadata != nil && namespaced(one) && !one.ClusterScoped {
		if one.Namespace, _ = metadata["namespace"].(string); one.Namespace == "" {
			one.Namespace = "apps"
		}
		metadata["namespace"] = one.Namespace
	}
	return one, true
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
