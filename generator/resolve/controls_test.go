package resolve

import (
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
)

func planOf(t *testing.T, text string) *plan.Plan {
	t.Helper()
	in, problems := profile.Load(fstest.MapFS{"profile.yaml": {Data: []byte(text)}}, ".", "")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	src, problems := profile.Parse(profile.Default(*in), time.Time{})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	p, problems := Plan(src, Options{})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return p
}

// A template is rendered once for each set of parameters, whichever environments have it.
func TestControlsOfEnvironments(t *testing.T) {
	p := planOf(t, `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  registries: {allowed: [ghcr.io/acme]}
  controls: {restrict-image-registries: {}, disallow-host-path: {}, require-labels: {parameters: {labels: [a]}}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
---
kind: Environment
metadata: {name: prod}
spec:
  ring: 2
  stage: audit
  overrides:
    registries: {allowed: [ghcr.io/prod]}
    controls: {require-labels: {enabled: false}}
`)
	dev, prod := p.Environments[0], p.Environments[1]
	body := func(env plan.Environment, name string) uintptr {
		policy, on := env.Policy(name)
		if !on {
			t.Fatalf("%s has no %s", env.Name, name)
		}
		return reflect.ValueOf(policy.Body).Pointer()
	}
	if body(dev, "disallow-host-path") != body(prod, "disallow-host-path") {
		t.Error("a control with the same parameters was rendered twice")
	}
	if body(dev, "restrict-image-registries") == body(prod, "restrict-image-registries") {
		t.Error("a control with other parameters was not rendered again")
	}
	for env, want := range map[*plan.Environment]string{&dev: "ghcr.io/acme", &prod: "ghcr.io/prod"} {
		policy, _ := env.Policy("restrict-image-registries")
		if got := policy.Parameters["registries"].([]any); len(got) != 1 || got[0] != want {
			t.Errorf("%s allows %v", env.Name, got)
		}
	}
	if _, on := prod.Policy("require-labels"); on {
		t.Error("prod has a control that its overrides switch off")
	}
}
