package generator

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// Without Kyverno there is nothing of it in the output: no object, no namespace, no layer,
// and no label for it. Its namespace is like any other. What guards the tiers, and what
// guards objects of Kyverno if they are served, is there.
func TestWithoutKyverno(t *testing.T) {
	source := fstest.MapFS{"profile.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [restricted, supply-chain]
  registries: {allowed: [ghcr.io/acme]}
  kyverno: {install: absent}
  namespaces: [{name: shop}, {name: kyverno}]
  flux: {workloads: [{name: apps, path: ./apps}]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, allowSkip: true}
---
kind: Exception
metadata: {name: agent}
spec:
  controls: [disallow-host-path]
  match: {namespaces: [shop], kinds: [Deployment], names: [agent]}
  reason: reads logs
  owner: team
  expires: 2027-03-31
`)}}
	bundle, problems := Compile(source, ".", Options{Version: "test", Now: testNow})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var layers []string
	guarded := map[string]bool{}
	for _, f := range bundle.Files {
		if f.Folder.IsLayer() && !slices.Contains(layers, f.Folder.String()) {
			layers = append(layers, f.Folder.String())
		}
		for _, o := range f.Objects {
			if kind, known := kinds.Find(o.Group(), o.Kind()); known && kind.OfKyverno() || o.Kind() == "HelmRelease" {
				t.Errorf("%s has a %s", f.Path, o.Kind())
			}
			for key := range o.Map("metadata", "labels") {
				if strings.Contains(key, "kyverno.io") {
					t.Errorf("%s has the label %s", f.Path, key)
				}
			}
			for _, rule := range o.Maps("spec", "matchConstraints", "resourceRules") {
				for _, resource := range rule.Strings("resources") {
					guarded[resource] = true
				}
			}
		}
	}
	if want := []string{"environments/prod/namespaces", "environments/prod/network", "environments/prod/policies"}; !slices.Equal(layers, want) {
		t.Errorf("the layers are %v, not %v", layers, want)
	}
	for _, resource := range []string{"namespaces", "clusterpolicies", "validatingpolicies", "policyexceptions"} {
		if !guarded[resource] {
			t.Errorf("no policy guards %s", resource)
		}
	}
	env := bundle.Plan.Environments[0]
	if slices.Contains(env.SystemNamespaces, "kyverno") {
		t.Error("the namespace kyverno is a system namespace")
	}
	if k := bundle.Lock.Environments["prod"].Kyverno; !k.Absent || k.Release != nil || k.Namespace != "" {
		t.Errorf("the lock has %+v", k)
	}
	board := bundle.file(t, layout.Board)
	if !strings.Contains(board, "needs no Kyverno") || strings.Contains(board, "chart values") {
		t.Errorf("the board is %s", board)
	}
	graph := bundle.file(t, "clusters/prod/gatehouse/apps.yaml")
	if !strings.Contains(graph, "name: gatehouse-policies") {
		t.Errorf("the workload does not wait for the policies: %s", graph)
	}
}

// file returns the text of a file of the bundle.
func (b *Bundle) file(t *testing.T, path string) string {
	t.Helper()
	for _, f := range b.Files {
		if f.Path == path {
			data, err := f.Encode()
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
	}
	t.Fatalf("there is no %s", path)
	return ""
}

// Kyverno cannot be given up, or be replaced by one that executes less, while the
// repository has something that only the old one executes. The message names the step.
func TestLeftovers(t *testing.T) {
	const (
		base   = "  extends: [baseline]\n"
		native = base + "  kyverno: {policyType: ValidatingAdmissionPolicy}\n"
		cel    = base + "  kyverno: {policyType: ValidatingPolicy, install: none}\n"
		absent = base + "  kyverno: {install: absent}\n"
		next   = base + "  kyverno: {version: \"1.20\", install: none}\n"
		image  = "  trust: {attestors: [{name: k, keys: {kms: \"gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/versions/1\"}}], images: [{name: i, references: [ghcr.io/a/*], attestors: [k]}]}\n  controls: {verify-images: {}}\n"
	)
	for name, tt := range map[string]struct {
		builds []string // of the profile, with the day that is accepted after a slash
		last   string
		// refused is a part of the message of the last build; empty: it is built.
		refused string
	}{
		"absent at once":            {[]string{base}, absent, `spec\.kyverno\.install: the last build of prod left what nothing executes without Kyverno: ClusterPolicy/disallow-capabilities, .* \(with the Kyverno of before, set policyType: ValidatingAdmissionPolicy, .*\[kyverno-needed\]`},
		"absent while both enforce": {[]string{base, native, native + "/2026-01-03"}, absent, `accept by spec.changes what waits`},
		"absent in the last step":   {[]string{base, native, native + "/2026-01-03"}, absent + "/2026-01-04", `build once more, and let Flux remove them`},
		"absent after all steps":    {[]string{base, native, native + "/2026-01-03", native + "/2026-01-04"}, absent, ""},
		"absent after an image":     {[]string{native + image}, absent, `ImageValidatingPolicy/verify-images-i, .*build once more`},
		"absent after it was gone":  {[]string{native + image, native}, absent, ""},
		"absent from other CEL":     {[]string{cel}, absent, `ValidatingPolicy/gatehouse-.*set policyType: ValidatingAdmissionPolicy`},
		"the version at once":       {[]string{base}, next, `spec\.kyverno\.version: the last build of prod left what Kyverno 1\.20 does not execute: ClusterPolicy/disallow-capabilities, .* \(with version 1\.19, set policyType: ValidatingPolicy, and go over`},
		"while both enforce":        {[]string{base, cel, cel + "/2026-01-03"}, next, `with version 1\.19, accept by spec.changes what waits`},
		"in the last step":          {[]string{base, cel, cel + "/2026-01-03"}, next + "/2026-01-04", `build once more, and let Flux remove them`},
		"after all steps":           {[]string{base, cel, cel + "/2026-01-03", cel + "/2026-01-04"}, next, ""},
		"the version without":       {[]string{absent}, next, ""},
		"back to Kyverno":           {[]string{absent}, base, ""},
		"back to the version":       {[]string{next}, cel, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.files = true
			step := func(profile, stage string) diag.List {
				profile, day, accepts := strings.Cut(profile, "/2026")
				if accepts {
					stage += ", changes: 2026" + day
				}
				return h.build(profile, stage)
			}
			h.ok(step(tt.builds[0], "stage: enforce, allowSkip: true"))
			for _, b := range tt.builds[1:] {
				h.ok(step(b, "stage: enforce"))
			}
			problems := step(tt.last, "stage: enforce")
			if tt.refused == "" {
				h.ok(problems)
				return
			}
			if err := problems.Err(); err == nil || !regexp.MustCompile(tt.refused).MatchString(err.Error()) {
				t.Errorf("got %v", problems)
			}
		})
	}
}

// The namespace of a Kyverno that is no longer needed is judged when the environment
// accepts it: it may still run there.
func TestNamespaceOfNeedlessKyverno(t *testing.T) {
	const native, absent = "  extends: [baseline]\n  kyverno: {policyType: ValidatingAdmissionPolicy}\n", "  extends: [baseline]\n  kyverno: {install: absent}\n"
	spares := func(h *history) bool {
		return strings.Contains(string(h.output["environments/prod/policies/pods.apps.yaml"].Data), "- kyverno\n")
	}
	h := newHistory(t)
	h.files = true
	h.ok(h.build(native, "stage: enforce, allowSkip: true"))
	problems := h.build(absent, "stage: enforce")
	h.ok(problems)
	h.want(problems, "kyverno-left")
	h.want(problems, "change-pending")
	if !spares(h) {
		t.Error("the namespace is judged before the environment accepts it")
	}
	h.ok(h.build(absent, "stage: enforce, changes: 2026-01-03"))
	if spares(h) {
		t.Error("the namespace is never judged")
	}
}

// A cluster takes with it what its environment left in it.
func TestLeftoversOfMovedCluster(t *testing.T) {
	const base = "  extends: [baseline]\n"
	h := newHistory(t)
	h.files = true
	h.ok(h.buildAll(base, map[string]string{
		"a": "ring: 1, clusters: [c1], stage: audit", "b": "ring: 1, clusters: [c2], stage: audit, overrides: {kyverno: {install: absent}}",
	}))
	problems := h.buildAll(base, map[string]string{"b": "ring: 1, clusters: [c1, c2], stage: audit, overrides: {kyverno: {install: absent}}"})
	if err := problems.Err(); err == nil || !regexp.MustCompile(`spec\.overrides\.kyverno\.install: the last build of a left .*ClusterPolicy/.*\[kyverno-needed\]`).MatchString(err.Error()) {
		t.Errorf("got %v", problems)
	}
}

// For the Kyverno that executes no ClusterPolicy there is nothing of its past in the output,
// but what guards such objects as long as they are served.
func TestNextKyverno(t *testing.T) {
	source := fstest.MapFS{"profile.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [restricted, supply-chain]
  registries: {allowed: [ghcr.io/acme]}
  kyverno: {version: "1.20", install: none}
  namespaces: [{name: shop}]
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, allowSkip: true}
---
kind: Environment
metadata: {name: other}
spec: {ring: 1, stage: enforce, allowSkip: true, overrides: {kyverno: {policyType: ValidatingAdmissionPolicy}}}
---
kind: Exception
metadata: {name: agent}
spec:
  controls: [disallow-host-path]
  match: {namespaces: [shop], kinds: [Deployment], names: [agent]}
  reason: reads logs
  owner: team
  expires: 2027-03-31
`)}}
	bundle, problems := Compile(source, ".", Options{Version: "test", Now: testNow})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	guarded, made := map[string]bool{}, map[string]bool{}
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if kind, known := kinds.Find(o.Group(), o.Kind()); known && kind.Legacy || o.Kind() == "HelmRelease" {
				t.Errorf("%s has a %s", f.Path, o.Kind())
			}
			made[f.Folder.Environment+" "+o.Kind()] = true
			for _, rule := range o.Maps("spec", "matchConstraints", "resourceRules") {
				for _, resource := range rule.Strings("resources") {
					guarded[f.Folder.Environment+" "+resource] = true
				}
			}
		}
	}
	for _, env := range []string{"prod", "other"} {
		for _, resource := range []string{"clusterpolicies", "policies", "policyexceptions", "cleanuppolicies", "validatingpolicies"} {
			if !guarded[env+" "+resource] {
				t.Errorf("no policy of %s guards %s", env, resource)
			}
		}
	}
	if !made["prod ValidatingPolicy"] || made["prod ValidatingAdmissionPolicy"] || !made["other ValidatingAdmissionPolicy"] {
		t.Errorf("the output has %v", made)
	}
	if k := bundle.Lock.Environments["prod"].Kyverno; k.Version != "1.20" || k.Absent {
		t.Errorf("the lock has %+v", k)
	}
	if board := bundle.file(t, layout.Board); !strings.Contains(board, "This repository does not install Kyverno.") {
		t.Errorf("the board does not say which values Kyverno needs: %s", board)
	}
}

// A control that has nothing to verify becomes no policy of another kind, and is not said to.
func TestNoImageRuleStays(t *testing.T) {
	h := newHistory(t)
	problems := h.build("  extends: [supply-chain]\n  registries: {allowed: [ghcr.io/acme]}\n  kyverno: {policyType: ValidatingPolicy}\n", "stage: audit")
	if len(problems) > 0 {
		t.Error(problems)
	}
}
