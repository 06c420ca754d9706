package main

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// An engine has one version of Kyverno, so the environments that it judges must have it,
// unless Kyverno judges nothing there, or the user asks for another version.
func TestKyvernoOfEnvironments(t *testing.T) {
	env := func(name, version, target string) plan.Environment {
		policy := plan.Policy{Name: "a", Control: &catalog.Control{ID: "a"}, Policy: catalog.Policy{Target: target}}
		return plan.Environment{Name: name, Kyverno: plan.Kyverno{Version: version}, Policies: []plan.Policy{policy}}
	}
	p := &plan.Plan{Environments: []plan.Environment{
		env("dev", "1.20", catalog.ValidatingPolicy), env("staging", "1.19", catalog.ClusterPolicy), env("prod", "1.19", catalog.ValidatingPolicy),
		env("native", "1.20", catalog.ValidatingAdmissionPolicy),
	}}
	for name, tt := range map[string]struct {
		options          judgeOptions
		want, note, fail string
	}{
		"the same version":      {options: judgeOptions{environments: []string{"prod", "staging"}}, want: "1.19"},
		"one needs none":        {options: judgeOptions{environments: []string{"prod", "native"}}, want: "1.19"},
		"none needs one":        {options: judgeOptions{environments: []string{"native"}}},
		"compared with Kyverno": {options: judgeOptions{environments: []string{"native"}, target: catalog.ClusterPolicy}, want: "1.20"},
		"two versions":          {fail: "1.20 in dev and 1.19 in staging"},
		"as another version":    {options: judgeOptions{as: "1.19"}, want: "1.19", note: "note: Kyverno 1.19 judges dev, whose clusters run 1.20: what differs between them is not seen\n"},
		"as their version":      {options: judgeOptions{as: "1.20", environments: []string{"dev"}}, want: "1.20"},
		"as an unknown version": {options: judgeOptions{as: "1.2"}, fail: `unknown version "1.2"`},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			got, err := tt.options.kyverno(p, &said)
			if got != tt.want || said.String() != tt.note || (err == nil) != (tt.fail == "") || err != nil && !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("got %q, %v, and %q", got, err, said.String())
			}
		})
	}
}
