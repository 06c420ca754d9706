package board

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// Equal values are written once, and only for environments that need them.
func TestKyvernoSettings(t *testing.T) {
	values := func(config string) map[string]any {
		return map[string]any{"config": config, "features": "f", "replicas": 3}
	}
	p := &plan.Plan{Environments: []plan.Environment{
		{Name: "dev", Kyverno: plan.Kyverno{Install: true}}, {Name: "eu"}, {Name: "lab"}, {Name: "us"},
	}}
	var b strings.Builder
	kyvernoSettings(&b, p, map[string]map[string]any{"dev": values("d"), "eu": values("a"), "lab": values("b"), "us": values("a")})
	got := b.String()
	for text, times := range map[string]int{
		"## Kyverno\n": 1, "in eu, us. The": 1, "in lab. The": 1, "config: a\nfeatures: f\n": 1, "config: b\n": 1, "config: d": 0, "replicas": 0,
	} {
		if n := strings.Count(got, text); n != times {
			t.Errorf("%q is there %d times, want %d:\n%s", text, n, times, got)
		}
	}
	b.Reset()
	if kyvernoSettings(&b, &plan.Plan{Environments: p.Environments[:1]}, nil); b.Len() > 0 {
		t.Errorf("got %s", b.String())
	}
}
