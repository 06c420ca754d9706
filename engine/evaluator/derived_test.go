package evaluator

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/autogen"
	"github.com/kyverno/kyverno/pkg/config"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	"github.com/kyverno/kyverno/pkg/policycache"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// derivable are policies of which Kyverno derives rules in different ways: of all, of some or of no controllers, of some only if
// others are not there, and with a name that begins as those of derived rules do.
const derivable = `
- metadata: {name: all}
  spec: {rules: [{name: a, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, deny: {}}}]}
- metadata: {name: some, annotations: {pod-policies.kyverno.io/autogen-controllers: "CronJob,Deployment", policies.kyverno.io/scored: "false"}}
  spec: {rules: [{name: a, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, deny: {}}}]}
- metadata: {name: custom, annotations: {pod-policies.kyverno.io/autogen-controllers: Rollout}}
  spec: {rules: [{name: a, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, deny: {}}}]}
- metadata: {name: none, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
  spec: {rules: [{name: a, match: {any: [{resources: {kinds: [Pod, Deployment]}}]}, validate: {failureAction: Enforce, deny: {}}}]}
- metadata: {name: mixed-actions}
  spec:
    rules:
      - {name: named, match: {any: [{resources: {kinds: [Pod], names: [web]}}]}, validate: {failureAction: Enforce, deny: {}}}
      - {name: any, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Audit, deny: {}}}
- metadata: {name: named-like-derived}
  spec:
    rules:
      - {name: autogen-mine, match: {any: [{resources: {kinds: [Deployment]}}]}, validate: {failureAction: Enforce, deny: {}}}
      - {name: pods, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, pattern: {spec: {hostNetwork: false}}}}
- metadata: {name: by-namespace}
  spec:
    rules:
      - name: a
        match: {any: [{resources: {kinds: [Pod]}}]}
        exclude: {any: [{resources: {kinds: [Pod], namespaces: [kube-system]}}]}
        validate:
          failureAction: Audit
          failureActionOverrides: [{action: Enforce, namespaces: [payments]}]
          deny: {conditions: {any: [{key: "{{ request.object.spec.hostNetwork || 'false' }}", operator: Equals, value: true}]}}
      - {name: b, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Audit, cel: {expressions: [{expression: object.spec.x}]}}}
- metadata: {name: names-with-line-breaks}
  spec:
    rules:
      - {name: a, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Audit, deny: {}}}
      - {name: b, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Audit, deny: {}}}
      - {name: "a\nb", match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, deny: {}}}
- metadata: {name: changes}
  spec: {rules: [{name: a, match: {any: [{resources: {kinds: [Pod]}}]}, mutate: {patchStrategicMerge: {metadata: {labels: {a: b}}}}}]}
- metadata: {name: images}
  spec: {rules: [{name: a, match: {any: [{resources: {kinds: [Pod]}}]}, verifyImages: [{imageReferences: ["ghcr.io/*"], failureAction: Enforce}]}]}
`

// TestDerive: Kyverno finds the same rules in a policy with the derived ones written out as in the policy itself, for each kind, each
// part of Kyverno that asks and each namespace. Nothing else differs but the annotation.
func TestDerive(t *testing.T) {
	var policies []kyvernov1.ClusterPolicy
	if err := yaml.UnmarshalStrict([]byte(derivable), &policies); err != nil {
		t.Fatal(err)
	}
	b := bundle{policies: map[string]kyvernov1.PolicyInterface{}}
	for i := range policies {
		b.policies[policies[i].Name] = &policies[i]
	}
	found, more := 0, 0
	for kind, gvr := range map[schema.GroupVersionKind]string{
		{Version: "v1", Kind: "Pod"}: "pods", {Group: "apps", Version: "v1", Kind: "Deployment"}: "deployments",
		{Group: "batch", Version: "v1", Kind: "CronJob"}: "cronjobs", {Group: "batch", Version: "v1", Kind: "Job"}: "jobs",
		{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}: "rollouts", {Version: "v1", Kind: "Service"}: "services",
	} {
		cache, err := b.cacheFor(oneKind{gvk: kind, resource: gvr})
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range []policycache.PolicyType{policycache.Mutate, policycache.ValidateEnforce, policycache.ValidateAudit, policycache.VerifyImagesMutate, policycache.VerifyImagesValidate} {
			asked := kind.Kind
			if of == policycache.Mutate || of == policycache.VerifyImagesMutate {
				asked = ""
			}
			for _, namespace := range []string{"payments", "shop"} {
				for _, policy := range cache.GetPolicies(of, kind.GroupVersion().WithResource(gvr), "", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}) {
					want := autogen.Default.ComputeRules(policy, asked)
					derived := cache.derive(policy, of)
					for range 2 { // the second is the one that is kept
						if diff := cmp.Diff(comparable(t, want), comparable(t, autogen.Default.ComputeRules(derived, asked))); diff != "" {
							t.Errorf("%s, %s, %v, %s: rules of the policy (-) and of what is derived (+):\n%s", policy.GetName(), kind.Kind, of, namespace, diff)
						}
						derived = cache.derive(policy, of)
					}
					if diff := cmp.Diff(comparable(t, want), comparable(t, derived.GetSpec().Rules)); diff != "" {
						t.Errorf("%s, %s, %v, %s: rules to derive (-) and written out (+):\n%s", policy.GetName(), kind.Kind, of, namespace, diff)
					}
					found++
					if len(want) > len(policy.GetSpec().Rules) {
						more++
					}
					sameBut(t, policy, derived)
				}
			}
		}
	}
	if found < 50 || more < 20 {
		t.Errorf("%d policies were compared, %d of them with derived rules", found, more)
	}
}

// comparable returns rules as text, because they have private fields.
func comparable(t *testing.T, rules []kyvernov1.Rule) string {
	t.Helper()
	text, err := json.MarshalIndent(rules, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameBut checks that policies differ in nothing but the rules and the annotation about derived ones.
func sameBut(t *testing.T, policy, derived kyvernov1.PolicyInterface) {
	t.Helper()
	a, b := policy.CreateDeepCopy(), derived.CreateDeepCopy()
	for _, p := range []kyvernov1.PolicyInterface{a, b} {
		p.GetSpec().SetRules(nil)
		annotations := map[string]string{}
		for k, v := range p.GetAnnotations() {
			if k != "pod-policies.kyverno.io/autogen-controllers" {
				annotations[k] = v
			}
		}
		p.SetAnnotations(annotations)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("%s differs:\n%s", policy.GetName(), diff)
	}
}

// TestCompiledOnce: an expression that was compiled before says what a new one says, also to many at once, and what one caller does
// with a result changes nothing for the next.
func TestCompiledOnce(t *testing.T) {
	configuration := config.NewDefaultConfiguration(false)
	fresh := jmespath.New(configuration)
	once := &compiledOnce{Interface: fresh, compiled: map[string]jmespath.Query{}}
	document := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "web"}, map[string]any{"name": "job"}}}}
	expressions := []string{
		"spec.containers[].name", "length(spec.containers)", "spec.missing || `[]`", "`[3, 1]`", "sort(`[3, 1]`)", "` {\"a\": {\"b\": 1}}`", "merge(`{\"a\": 1}`, {b: 'c'})",
		"spec.containers[?name == 'web'] | [0]", "length(", "no_such_function(@)", "object_from_lists(['a'], [`1`])",
	}
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for _, expression := range expressions {
				want, wantErr := fresh.Search(expression, document)
				for range 3 {
					got, err := once.Search(expression, document)
					if diff := cmp.Diff(fmt.Sprint(want, wantErr), fmt.Sprint(got, err)); diff != "" {
						t.Errorf("%s: compiled anew (-) and once (+):\n%s", expression, diff)
					}
					spoil(got, document)
				}
			}
		})
	}
	callers.Wait()
	for expression := range once.compiled {
		if strings.Contains(expression, "`[3") || strings.Contains(expression, "{\"") {
			t.Errorf("%s is kept, though what it returns can be changed", expression)
		}
	}
	for i := range maxCompiled + 10 {
		if _, err := once.Query(fmt.Sprintf("spec.a%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := once.Query("spec." + strings.Repeat("a", maxExpression)); err != nil || len(once.compiled) != maxCompiled {
		t.Errorf("%d expressions are kept, error %v; want %d", len(once.compiled), err, maxCompiled)
	}
}

// spoil changes a result where it can, unless it is a part of the document.
func spoil(result any, document map[string]any) {
	switch r := result.(type) {
	case map[string]any:
		r["spoiled"] = true
	case []any:
		if containers := document["spec"].(map[string]any)["containers"].([]any); len(r) > 0 && (len(containers) != len(r) || &containers[0] != &r[0]) {
			r[0] = "spoiled"
		}
	}
}
