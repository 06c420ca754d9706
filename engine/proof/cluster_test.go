package proof_test

import (
	"encoding/json"
	"flag"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// The environments of every profile here, one at each stage of the default
// ladder that does something.
const (
	audited  = "audited"
	mixed    = "mixed" // platform namespaces enforced, the others audited
	enforced = "enforced"
)

func environments() []string { return []string{audited, mixed, enforced} }

// builtAt is the time of every build.
func builtAt() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }

// object is a piece of YAML or JSON.
type object = map[string]any

// policyType is the kind of policies of the profiles that do not name one. make nightly
// asks some tests about each.
var policyType = flag.String("policy-type", "", "the kind of policies, where a test does not need one")

// compile builds a profile with the three environments. files are further
// files of the source by name, each any JSON value or a string as it is.
func compile(t testing.TB, spec object, files map[string]any) *generator.Bundle {
	t.Helper()
	fsys := fstest.MapFS{}
	add := func(name string, content any) {
		text, ok := content.(string)
		if !ok {
			text = string(encode(t, content))
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	document := func(kind, name string, spec any) object {
		return object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": object{"name": name}, "spec": spec}
	}
	if _, has := spec["kyverno"]; !has && *policyType != "" {
		spec = maps.Clone(spec)
		spec["kyverno"] = object{"policyType": *policyType}
	}
	add("profile.yaml", document("Profile", "proof", spec))
	for name, stage := range map[string]string{audited: "audit", mixed: "enforce-platform", enforced: "enforce"} {
		add(name+".yaml", document("Environment", name, object{"ring": 1, "stage": stage, "allowSkip": true}))
	}
	for name, content := range files {
		add(name, content)
	}
	bundle, problems := generator.Compile(fsys, ".", generator.Options{Version: "test", Now: builtAt()})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return bundle
}

func encode(t testing.TB, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// applied are the objects that Flux applies for an environment.
func applied(bundle *generator.Bundle, environment string) []manifest.Object {
	var out []manifest.Object
	for _, f := range bundle.Files {
		if f.Folder.Environment == environment {
			out = append(out, f.Objects...)
		}
	}
	return out
}

// cluster is the real Kyverno engine with what a bundle brings to one environment.
type cluster struct {
	*evaluator.Evaluator
}

// newCluster fails the test if the API server or Kyverno would refuse an
// object, or has anything to say about one.
func newCluster(t testing.TB, exceptionNamespace string, objects []manifest.Object) cluster {
	t.Helper()
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	params := protocol.LoadParams{ExceptionNamespace: exceptionNamespace}
	for _, o := range objects {
		switch o.Kind() {
		case "ClusterPolicy", "ValidatingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
			params.Policies = append(params.Policies, encode(t, o))
		case "PolicyException":
			params.Exceptions = append(params.Exceptions, encode(t, o))
		case "ConfigMap":
			params.ConfigMaps = append(params.ConfigMaps, encode(t, o))
		case "Namespace":
			labels := map[string]string{}
			given, _ := o.Metadata()["labels"].(map[string]any)
			for key, value := range given {
				labels[key], _ = value.(string)
			}
			params.Namespaces = append(params.Namespaces, protocol.Namespace{Name: o.Name(), Labels: labels})
		case "NetworkPolicy":
			params.Objects = append(params.Objects, encode(t, o)) // for rules that look them up
		}
	}
	if len(params.Policies) == 0 {
		t.Fatal("there is no policy to load")
	}
	result, err := e.Load(params)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range result.Problems {
		t.Errorf("load: %s: %s", p.Severity, p)
	}
	if len(result.Problems) > 0 {
		t.FailNow()
	}
	return cluster{e}
}

// ask evaluates one request; without a verdict the test fails.
func (c cluster) ask(t testing.TB, request protocol.EvaluateParams) protocol.EvaluateResult {
	t.Helper()
	result, err := c.Evaluate(t.Context(), request)
	if err != nil {
		t.Errorf("no verdict: %v\nfrom %s%s %s", err, request.Operation, request.Resource, request.OldResource)
	}
	return result
}

// tier are the labels of a namespace of a tier; of one that the profile does not know if it is empty.
func tier(name string) map[string]string {
	if name == "" {
		return map[string]string{}
	}
	return map[string]string{"gatehouse.dev/tier": name}
}

// in puts a request into a namespace of a tier.
func in(tierName string, request protocol.EvaluateParams) protocol.EvaluateParams {
	request.NamespaceLabels = tier(tierName)
	return request
}

// requestOf is the admission request that a case of the catalogue stands for.
// Objects without a namespace come to default.
func requestOf(t testing.TB, c catalog.Case) protocol.EvaluateParams {
	t.Helper()
	request := protocol.EvaluateParams{
		Operation: protocol.Operation(c.Operation), SubResource: c.SubResource, Namespace: c.Namespace,
		UserInfo: protocol.UserInfo{Username: c.UserInfo.Username, Groups: c.UserInfo.Groups},
	}
	if c.Object != nil {
		request.Resource = encode(t, c.Object)
	}
	switch {
	case c.Operation == "DELETE":
		request.Resource = encode(t, c.OldObject)
	case c.OldObject != nil:
		request.OldResource = encode(t, c.OldObject)
	}
	if request.Namespace == "" && namespaced(c) {
		request.Namespace = "default"
	}
	return request
}

// namespaced reports whether the object of a case has a namespace: the evaluator knows only some kinds by itself.
func namespaced(c catalog.Case) bool {
	return !c.ClusterScoped && !slices.Contains([]string{"ClusterPolicy", "ValidatingPolicy", "ClusterCleanupPolicy"}, c.Kind.Kind)
}

// control is a built-in control with the cases of its tests.
type control struct {
	*catalog.Control
	params    map[string]any
	good, bad []catalog.Case
}

// builtin are the controls of the catalogue that make one policy of their own
// name, each with its example parameters.
func builtin(t testing.TB) []control {
	t.Helper()
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	var out []control
	for _, c := range set.Controls {
		if c.Instances != "" || !c.Judges() {
			continue // images_test.go; NetworkPolicies are not admission
		}
		params, found := c.Examples()
		if len(found) > 0 {
			t.Fatalf("%s: %v", c.ID, found)
		}
		good, bad, err := c.Tests(params)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, control{Control: c, params: params, good: good, bad: bad})
	}
	return out
}

// switchedOn is the spec of a profile with all the controls and their example parameters.
// What gatehouse derives, such as the Namespaces that need no labels, stays derived.
func switchedOn(controls []control) object {
	settings := object{}
	for _, c := range controls {
		settings[c.ID] = object{"parameters": c.ExampleParameters}
	}
	return object{"controls": settings}
}

// clone copies a JSON value.
func clone[T any](t testing.TB, v T) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(encode(t, v), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// sortedKeys of a map.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
