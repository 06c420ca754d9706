package proof_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"k8s.io/apimachinery/pkg/util/version"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

// TestConditionsOfOldServers: an API server that cannot compile the condition of one webhook refuses all webhooks of Kyverno
// together. The oldest that may have them is 1.30, which checks what is new by the library of the version before.
func TestConditionsOfOldServers(t *testing.T) {
	compiler := plugincel.NewCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, 29)))
	compile := func(expression string) error {
		result := compiler.CompileCELExpression(&matchconditions.MatchCondition{Name: "suspect", Expression: expression}, plugincel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
		if result.Error != nil {
			return result.Error
		}
		return nil
	}
	if compile("[1, 1].distinct().size() == 1") == nil {
		t.Fatal("the library is that of a newer API server")
	}
	spec := switchedOn(builtin(t))
	spec["kyverno"] = object{"policyType": catalog.ValidatingPolicy}
	source := fstest.MapFS{}
	for kind, spec := range map[string]object{"Profile": spec, "Environment": {"ring": 1, "stage": "enforce", "allowSkip": true}} {
		raw, err := json.Marshal(object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": object{"name": "prod"}, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		source[kind+".yaml"] = &fstest.MapFile{Data: raw}
	}
	bundle, problems := generator.Compile(source, ".", generator.Options{Version: "proof", Now: time.Now()})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	compiled := 0
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			for _, condition := range o.Map("spec").Maps("matchConditions") {
				if o.Kind() != catalog.ValidatingPolicy {
					continue
				}
				compiled++
				if err := compile(condition.String("expression")); err != nil {
					t.Errorf("%s: %v", o.Name(), err)
				}
			}
		}
	}
	if compiled == 0 {
		t.Error("no policy has a condition")
	}
}
