package upstream

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// crdRules evaluates the CEL rules of an object's schema as the API server does,
// after defaults. checked is false if the kind has none.
func crdRules(t *testing.T, o manifest.Object) (errs field.ErrorList, checked bool) {
	t.Helper()
	group, version, _ := strings.Cut(o.APIVersion(), "/")
	data, err := os.ReadFile("../../internal/schema/crds/" + strings.ToLower(strings.Join([]string{o.Kind(), group, version, "json"}, ".")))
	if os.IsNotExist(err) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	var v1 apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(data, &v1); err != nil {
		t.Fatal(err)
	}
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &props, nil); err != nil {
		t.Fatal(err)
	}
	s, err := structural.NewStructural(&props)
	if err != nil {
		t.Fatal(err)
	}
	validator := cel.NewValidator(s, true, celconfig.PerCallLimit)
	if validator == nil {
		return nil, false
	}
	defaulted := runtime.DeepCopyJSON(o)
	defaulting.Default(defaulted, s)
	errs, _ = validator.Validate(context.Background(), nil, s, defaulted, nil, celconfig.RuntimeCELCostBudget)
	return errs, true
}

// TestOutputPassesTheRulesOfItsSchemas checks what internal/schema leaves out
// (docs/adr/0002-crd-schemas-are-generated.md).
func TestOutputPassesTheRulesOfItsSchemas(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	bundle, problems := generator.Compile(os.DirFS("../../examples/acme"), ".", generator.Options{Now: now})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	checked := map[string]bool{}
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			errs, ok := crdRules(t, o)
			if ok {
				checked[o.Kind()] = true
			}
			if len(errs) > 0 {
				t.Errorf("%s: %v", f.Path, errs)
			}
		}
	}
	if !checked["Kustomization"] || !checked["HelmRelease"] {
		t.Errorf("only %v were checked", checked)
	}
}

// TestRulesRefuse shows that the rules are evaluated.
func TestRulesRefuse(t *testing.T) {
	o := helmRelease(t, 3)
	spec := o["spec"].(map[string]any)
	delete(spec, "chart")
	delete(spec, "chartRef")
	if errs, _ := crdRules(t, o); len(errs) != 1 || !strings.Contains(errs[0].Error(), "either chart or chartRef must be set") {
		t.Errorf("a HelmRelease without a chart: %v", errs)
	}
}
