package main

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// An engine has one version of Kyverno, so the environments that it judges must have it.
func TestKyvernoOfEnvironments(t *testing.T) {
	env := func(name, version string) plan.Environment {
		return plan.Environment{Name: name, Kyverno: plan.Kyverno{Version: version}}
	}
	p := &plan.Plan{Environments: []plan.Environment{env("dev", "1.20"), env("staging", "1.19"), env("prod", "1.19")}}
	if got, err := (&judgeOptions{environments: []string{"prod", "staging"}}).kyverno(p); err != nil || got != "1.19" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := (&judgeOptions{}).kyverno(p)
	if err == nil || !strings.Contains(err.Error(), "1.20 in dev and 1.19 in staging") {
		t.Errorf("got %v", err)
	}
}
