package generator

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// What takes Kyverno away from a cluster is refused while it enforces, and never silent.
func TestKyvernoMoves(t *testing.T) {
	const (
		base  = "  extends: [baseline]\n"
		moved = base + "  kyverno: {namespace: kyverno-system}\n"
		none  = base + "  kyverno: {install: none}\n"
		// With Kyverno, and without it.
		native = base + "  kyverno: {policyType: ValidatingAdmissionPolicy}\n"
		absent = base + "  kyverno: {install: absent}\n"
		both   = base + "  kyverno: {install: none, namespace: kyverno-system}\n"
		own    = ", clusters: [c1]"
	)
	one := func(spec string) map[string]string { return map[string]string{"prod": "ring: 1, " + spec} }
	for name, tt := range map[string]struct {
		before, after string // of the profile
		was, is       map[string]string
		old           bool // gatehouse, which did not note the namespace
		code          string
		refused       bool
	}{
		"another namespace while enforcing":   {before: base, after: moved, was: one(enforcing), is: one(enforcing), code: "kyverno-moved", refused: true},
		"and back":                            {before: moved, after: base, was: one(enforcing), is: one(enforcing), code: "kyverno-moved", refused: true},
		"by a lock of an older gatehouse":     {before: base, after: moved, was: one(enforcing), is: one(enforcing), old: true, code: "kyverno-moved", refused: true},
		"by an override":                      {before: base, after: base, was: one(enforcing), is: one(enforcing + ", overrides: {kyverno: {namespace: other}}"), code: "kyverno-moved", refused: true},
		"in the build that goes down":         {before: base, after: moved, was: one(enforcing), is: one("stage: audit"), code: "kyverno-moved", refused: true},
		"another namespace while auditing":    {before: base, after: moved, was: one("stage: audit"), is: one("stage: audit"), code: "kyverno-moved"},
		"the same namespace, said explicitly": {before: base, after: base + "  kyverno: {namespace: kyverno}\n", was: one(enforcing), is: one(enforcing)},
		"more replicas":                       {before: base, after: base + "  kyverno: {replicas: 5}\n", was: one(enforcing), is: one(enforcing)},
		"another namespace of a foreign one":  {before: none, after: both, was: one(enforcing), is: one(enforcing)},
		"no longer installed":                 {before: base, after: none, was: one(enforcing), is: one(enforcing), code: "kyverno-left"},
		"no longer installed, elsewhere":      {before: base, after: both, was: one("stage: audit"), is: one("stage: audit"), code: "kyverno-left"},
		"no longer needed":                    {before: native, after: absent, was: one(enforcing), is: one(enforcing), code: "kyverno-left"},
		"needed from now on":                  {before: absent, after: native, was: one(enforcing), is: one(enforcing), code: "kyverno-taken"},
		"needed of others from now on":        {before: absent, after: none + "  controls: {}\n", was: one(enforcing), is: one(enforcing)},
		"installed from now on":               {before: none, after: base, was: one(enforcing), is: one(enforcing), code: "kyverno-taken"},
		"a cluster that goes to another namespace": {before: base, after: base, code: "kyverno-moved", refused: true,
			was: map[string]string{"a": "ring: 1, " + enforcing + own, "b": "ring: 1, stage: audit, clusters: [c2], overrides: {kyverno: {namespace: other}}"},
			is:  map[string]string{"b": "ring: 1, stage: audit, clusters: [c1, c2], overrides: {kyverno: {namespace: other}}"}},
		"a cluster that leaves for another namespace": {before: base, after: base,
			was: map[string]string{"a": "ring: 1, " + enforcing + own},
			is:  map[string]string{"a": "ring: 1, " + enforcing + ", clusters: [c3], overrides: {kyverno: {namespace: other}}"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.buildAll(tt.before, tt.was))
			if tt.old {
				lock := string(h.output[layout.Lock].Data)
				old := strings.ReplaceAll(lock, `"kyverno":{"namespace":"kyverno",`, `"kyverno":{`)
				if old == lock {
					t.Fatal("the lock does not say the namespace")
				}
				h.output[layout.Lock] = &fstest.MapFile{Data: []byte(old)}
			}
			problems := h.buildAll(tt.after, tt.is)
			i := slices.IndexFunc(problems, func(d diag.Diagnostic) bool { return strings.HasPrefix(d.Code, "kyverno-") })
			switch {
			case tt.code == "" && i >= 0:
				t.Errorf("found %v", problems[i])
			case tt.code != "" && (i < 0 || problems[i].Code != tt.code || problems[i].Hint == "" || problems[i].Line == 0 || (problems[i].Severity == diag.Error) != tt.refused):
				t.Errorf("no %s in %v", tt.code, problems)
			case !tt.refused:
				h.ok(problems)
			}
		})
	}
}

// The way that the message names: down, move, and up again.
func TestKyvernoMovesInSteps(t *testing.T) {
	const base, moved = "  extends: [baseline]\n", "  extends: [baseline]\n  kyverno: {namespace: kyverno-system}\n"
	h := newHistory(t)
	h.ok(h.build(base, enforcing))
	h.ok(h.build(base, "stage: audit"))
	problems := h.build(moved, "stage: audit")
	h.ok(problems)
	h.want(problems, "kyverno-moved")
	problems = h.build(moved, "stage: enforce-platform")
	h.ok(problems)
	if slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "kyverno-moved" }) {
		t.Errorf("it is said twice: %v", problems)
	}
}
