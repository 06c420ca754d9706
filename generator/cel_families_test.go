package generator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// celControl adds a control with one check to a source.
func celControl(source fstest.MapFS, id, scope, check string) {
	source["catalog/"+id+"/control.yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, `apiVersion: gatehouse.dev/v1alpha1
kind: Control
metadata: {name: %s}
spec: {title: Title, description: A rule of the house., category: Hardening, severity: low, scope: %s, references: ["https://example.com/"]}
`, id, scope)}
	source["catalog/"+id+"/cel.yaml"] = &fstest.MapFile{Data: []byte("checks:\n  - " + check)}
	for name, n := range map[string]int{"good": 3, "bad": 5} {
		var documents strings.Builder
		for i := range n {
			fmt.Fprintf(&documents, "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s-%d}\n", name, i)
		}
		source["catalog/"+id+"/tests/"+name+".yaml"] = &fstest.MapFile{Data: []byte(documents.String())}
	}
}

// TestFamiliesOfCEL: checks share a policy only if they judge the same kinds, by the same
// operations, with the same action in a tier.
func TestFamiliesOfCEL(t *testing.T) {
	source := fstest.MapFS{"profile.yaml": &fstest.MapFile{Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  kyverno: {policyType: ValidatingAdmissionPolicy}
  tiers: [audit, named, tier-audit, apps]
  catalogs: [catalog]
  controls:
    {core: {}, kyverno: {}, policies: {}, first: {}, all: {}, cluster: {maxStage: audit}, roles: {}, pods: {}, created: {}, default-deny: {enabled: false}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: enforce, allowSkip: true}
`)}}
	wants := map[string]string{ // groups, versions, resources and operations
		"core": "networking.k8s.io networkpolicies", "kyverno": "kyverno.io policyexceptions", "policies": "policies.kyverno.io policyexceptions",
		"first": "autoscaling v2 horizontalpodautoscalers", "all": "autoscaling * horizontalpodautoscalers",
		"cluster": "rbac.authorization.k8s.io roles", "roles": "rbac.authorization.k8s.io roles", "pods": "pods CREATE,UPDATE", "created": "pods CREATE",
	}
	for id, kinds := range map[string]string{
		"core": "networking.k8s.io/*/NetworkPolicy", "kyverno": "kyverno.io/*/PolicyException", "policies": "policies.kyverno.io/*/PolicyException",
		"first": "autoscaling/v2/HorizontalPodAutoscaler", "all": "autoscaling/*/HorizontalPodAutoscaler",
		"cluster": "rbac.authorization.k8s.io/*/*Role", "roles": "rbac.authorization.k8s.io/*/*Role", "pods": "Pod", "created": "Pod, operations: [CREATE]",
	} {
		scope, kind, more := "Namespaced", kinds, ""
		if id == "cluster" {
			scope = "Cluster"
		}
		if name, operations, found := strings.Cut(kinds, ","); found {
			kind, more = name, ","+operations
		}
		celControl(source, id, scope, fmt.Sprintf(`{name: x, kinds: ["%s"], message: "no", offenders: "['x']"%s}`, kind, more))
	}
	bundle, problems := Compile(source, ".", Options{Version: "test", Now: testNow})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	actions, found := map[string]string{}, map[string]int{}
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if o.Kind() == "ValidatingAdmissionPolicyBinding" {
				actions[o.String("spec", "policyName")] += strings.Join(o.Strings("spec", "validationActions"), ",")
			}
		}
	}
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if o.Kind() != "ValidatingAdmissionPolicy" {
				continue
			}
			for check := range strings.SplitSeq(o.String("metadata", "annotations", "gatehouse.dev/checks"), ",") {
				id, _, _ := strings.Cut(check, "/")
				found[id]++
				if !slices.ContainsFunc(o.Maps("spec", "matchConstraints", "resourceRules"), func(rule manifest.Object) bool { return judges(rule, wants[id]) }) {
					t.Errorf("%s with %s does not judge %s", o.Name(), id, wants[id])
				}
				if want := map[bool]string{true: "Audit,Warn", false: "Deny"}[id == "cluster"]; actions[o.Name()] != want {
					t.Errorf("%s with %s has the actions %s, not %s", o.Name(), id, actions[o.Name()], want)
				}
			}
		}
	}
	for id := range wants {
		if want := map[bool]int{true: 1, false: 4}[id == "cluster"]; found[id] != want {
			t.Errorf("%s is in %d policies, not %d", id, found[id], want)
		}
	}
}

// judges reports whether a rule has all words of a text among its values.
func judges(rule manifest.Object, words string) bool {
	var values []string
	for _, key := range []string{"apiGroups", "apiVersions", "resources", "operations"} {
		values = append(values, strings.Join(rule.Strings(key), ","))
		values = append(values, rule.Strings(key)...)
	}
	return !slices.ContainsFunc(strings.Fields(words), func(word string) bool {
		return !slices.Contains(values, word) || strings.HasPrefix(word, "CREATE") && word != strings.Join(rule.Strings("operations"), ",")
	})
}

// TestVersionsOfCELKinds: a version that the table does not have would judge nothing.
func TestVersionsOfCELKinds(t *testing.T) {
	source := fstest.MapFS{"profile.yaml": &fstest.MapFile{Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec: {catalogs: [catalog], controls: {house: {}}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
`)}}
	celControl(source, "house", "Namespaced", `{name: x, kinds: ["networking.k8s.io/v2*/NetworkPolicy"], message: "no", offenders: "['x']"}`)
	_, problems := Compile(source, ".", Options{Version: "test", Now: testNow})
	if err := problems.Err(); err == nil || !strings.Contains(err.Error(), "no version v2* of NetworkPolicy is known") {
		t.Errorf("the error is %v", err)
	}
}

// TestExceptionsInAllTiersOfCEL: a namespace that moves has the label of its new tier
// before Flux applies the policies, and one that left the profile keeps the old label.
func TestExceptionsInAllTiersOfCEL(t *testing.T) {
	bundle := compiled(t, `
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  kyverno: {policyType: ValidatingPolicy}
  tiers: [platform, apps]
  namespaces: [{name: shop, tier: platform}]
  controls: {disallow-host-path: {}, verify-images: {}, default-deny: {enabled: false}}
  trust:
    attestors: [{name: kms, keys: {kms: "awskms:///arn:aws:kms:eu-central-1:111122223333:alias/cosign"}}]
    images: [{name: acme, references: [ghcr.io/acme/*], attestors: [kms]}]
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
---
kind: Exception
metadata: {name: agent}
spec:
  controls: [disallow-host-path, verify-images]
  match: {namespaces: [shop], kinds: [DaemonSet], names: [agent]}
  reason: reads logs
  owner: team
  expires: 2028-06-01
`)
	found := map[string]int{}
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if strings.Contains(fmt.Sprint(o["spec"]), `"name": ["agent"]`) {
				found[o.Kind()]++
			}
		}
	}
	if want := map[string]int{"ValidatingPolicy": 2, "ImageValidatingPolicy": 2, "MutatingPolicy": 1}; !maps.Equal(want, found) {
		t.Errorf("the exception is in %v, not in the policies of both tiers", found)
	}
}

// ownControl is a control of the user that checks Pods, for some operations.
func ownControl(operations string) fstest.MapFS {
	files := fstest.MapFS{}
	celControl(files, "own", "Namespaced", `{name: host-path, kinds: [Pod], operations: [`+operations+`], fields: [volumes], message: "none of {{ offenders }}",
      offenders: "pod.spec.?volumes.orValue([]).filter(v, has(v.hostPath)).map(v, v.name)"}`)
	return files
}

// TestChecksMove: a check that becomes one for other operations is in another object. The object of before goes on enforcing it
// until the environment accepts once more: the new one, or the condition of its webhook, answers later than it is applied.
func TestChecksMove(t *testing.T) {
	const profile = "  catalogs: [catalog]\n  kyverno: {policyType: ValidatingPolicy}\n  tiers: [apps]\n  controls: {own: {}, disallow-host-ports: {}}\n"
	h := newHistory(t)
	in := func(before, audited, now bool) {
		t.Helper()
		for file, want := range map[string]bool{"pods-create.apps": before, "pods.apps.audit": audited, "pods.apps": now} {
			f := h.output["environments/prod/policies/"+file+".yaml"]
			if got := f != nil && strings.Contains(string(f.Data), `"own`); got != want {
				t.Errorf("day %d: the check is in %s: %t, want %t", h.day, file, got, want)
			}
		}
	}
	h.more = ownControl("CREATE")
	h.climb(profile, "audit", "enforce")
	in(true, false, false)
	h.more = ownControl("CREATE, UPDATE")
	h.ok(h.build(profile, "stage: enforce"))
	in(true, true, false)
	problems := h.build(profile, "stage: enforce, changes: 2026-01-04")
	h.ok(problems)
	h.want(problems, "policy-moves")
	in(true, false, true)
	h.ok(h.build(profile, "stage: enforce, changes: 2026-01-04"))
	in(true, false, true)
	h.ok(h.build(profile, "stage: enforce, changes: 2026-01-06"))
	in(false, false, true)
}

// TestConditionsAreBuiltIn: what a user writes is in no condition of a webhook. An API server that does not know a function
// refuses all webhooks of Kyverno together.
func TestConditionsAreBuiltIn(t *testing.T) {
	for own, want := range map[bool]bool{false: true, true: false} {
		h := newHistory(t)
		h.more = ownControl("CREATE, UPDATE")
		controls := "disallow-host-ports: {}"
		if own {
			controls += ", own: {}"
		}
		h.climb("  catalogs: [catalog]\n  kyverno: {policyType: ValidatingPolicy}\n  tiers: [apps]\n  controls: {"+controls+"}\n", "audit", "enforce")
		if got := strings.Contains(string(h.output["environments/prod/policies/pods.apps.yaml"].Data), "matchConditions"); got != want {
			t.Errorf("a control of the user: %t, a condition: %t", own, got)
		}
	}
}
