package evaluator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/config"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	enginecontext "github.com/kyverno/kyverno/pkg/engine/context"
	"github.com/kyverno/kyverno/pkg/engine/factories"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestPlainVariables compares the shorter way with Kyverno's own loader: the same values and the same errors, after the same
// questions, also when what was asked for is undone.
func TestPlainVariables(t *testing.T) {
	for _, tt := range []struct {
		name, rule string
		plain      string // names of the variables that take the shorter way
		ask        []string
	}{
		{"one", `context: [{name: found, variable: {jmesPath: "request.object.spec.containers[].name"}}]`, "found", []string{"found", "length(found)", "found[0]"}},
		{"spaces", `context: [{name: found, variable: {jmesPath: "  request.object.metadata.name\n"}}]`, "found", []string{"found"}},
		{"nothing there", `context: [{name: found, variable: {jmesPath: request.object.missing.field}}]`, "found", []string{"found"}},
		{"null", "context: [{name: found, variable: {jmesPath: '`null`'}}]", "found", []string{"found"}},
		{"not an expression", `context: [{name: found, variable: {jmesPath: "request.object.["}}]`, "found", []string{"found"}},
		{"wrong argument", `context: [{name: found, variable: {jmesPath: "length(request.object.spec.hostNetwork)"}}]`, "found", []string{"found"}},
		{"not asked for", `context: [{name: found, variable: {jmesPath: "request.object.["}}]`, "found", []string{"request.object.metadata.name", "refound", "a.found"}},
		{"two, the second asks for the first", `context: [{name: first, variable: {jmesPath: request.object.metadata.name}}, {name: second, variable: {jmesPath: "join('-', [first, 'x'])"}}]`, "first", []string{"second", "first"}},
		{"two, the first asks for the second", `context: [{name: first, variable: {jmesPath: "join('-', [second, 'x'])"}}, {name: second, variable: {jmesPath: request.object.metadata.name}}]`, "second", []string{"first", "second"}},
		{"one name twice", `context: [{name: found, variable: {jmesPath: request.object.metadata.name}}, {name: found, variable: {jmesPath: "'again'"}}]`, "found found", []string{"found"}},
		{"a variable inside", `context: [{name: found, variable: {jmesPath: "request.object.{{ 'metadata' }}.name"}}]`, "", []string{"found"}},
		{"an escaped reference inside", `context: [{name: found, variable: {jmesPath: "'\\$(a)'"}}]`, "", []string{"found"}},
		{"images", `context: [{name: found, variable: {jmesPath: images.containers.web.tag}}]`, "", []string{"found"}},
		{"a default", `context: [{name: found, variable: {jmesPath: request.object.missing, default: none}}]`, "", []string{"found"}},
		{"a value", `context: [{name: found, variable: {value: {a: "{{ request.object.metadata.name }}"}, jmesPath: a}}]`, "", []string{"found"}},
		{"a loop", `{context: [{name: found, variable: {jmesPath: request.object.metadata.name}}], validate: {foreach: [{list: "request.object.spec.containers"}]}}`, "", []string{"found"}},
		{"a name that is an expression", `context: [{name: "f.und", variable: {jmesPath: request.object.metadata.name}}]`, "", []string{"found", "f.und"}},
		{"a ConfigMap", `context: [{name: map, configMap: {name: a, namespace: b}}, {name: found, variable: {jmesPath: "request.object.metadata.name"}}]`, "found", []string{"found", "map"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var rule kyvernov1.Rule
			if err := yaml.UnmarshalStrict([]byte(tt.rule), &rule); err != nil {
				t.Fatal(err)
			}
			kyvernos := factories.DefaultContextLoaderFactory(configMaps{})
			plain := []string{}
			for _, e := range rule.Context {
				if (contextLoader{rule: rule}).isPlain(e) {
					plain = append(plain, e.Name)
				}
			}
			if got := strings.Join(plain, " "); got != tt.plain {
				t.Errorf("%q take the shorter way, want %q", got, tt.plain)
			}
			want, got := answers(t, kyvernos, rule, tt.ask), answers(t, withPlainVariables(kyvernos), rule, tt.ask)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Kyverno's loader (-) and the shorter way (+):\n%s", diff)
			}
			t.Logf("%s", strings.Join(got, "\n"))
		})
	}
}

// answers loads the context of a rule, and asks: twice, then behind a checkpoint that is restored, then with little room.
func answers(t *testing.T, factory engineapi.ContextLoaderFactory, rule kyvernov1.Rule, ask []string) []string {
	t.Helper()
	configuration := config.NewDefaultConfiguration(false)
	jp := jmespath.New(configuration)
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(`{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostNetwork: true, containers: [{name: web, image: "ghcr.io/acme/web:v1"}]}}`), &object.Object); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, room := range []int64{0, 3} {
		document := enginecontext.NewContextWithMaxSize(jp, room)
		if err := document.AddResource(object.Object); err != nil {
			t.Fatal(err)
		}
		if err := document.AddImageInfos(&object, configuration); err != nil {
			t.Fatal(err)
		}
		document.Checkpoint()
		err := factory(nil, rule).Load(context.Background(), jp, nil, nil, rule.Context, document)
		out = append(out, fmt.Sprint("load: ", err))
		for round := range 3 {
			if round == 1 {
				document.Checkpoint()
			}
			if round == 2 {
				document.Restore()
			}
			for _, expression := range ask {
				value, err := document.Query(expression)
				text, _ := json.Marshal(value)
				out = append(out, fmt.Sprintf("%s: %s %v", expression, text, err))
			}
		}
		document.Restore()
		value, err := document.Query(ask[0])
		out = append(out, fmt.Sprint("undone: ", value, err))
	}
	return out
}
