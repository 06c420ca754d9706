package generator

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// compiled returns what a source of one file compiles to.
func compiled(t *testing.T, source string) *Bundle {
	t.Helper()
	bundle, problems := Compile(fstest.MapFS{"profile.yaml": &fstest.MapFile{Data: []byte(source)}}, ".", Options{Version: "test", Now: testNow})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return bundle
}

// TestTiersOfCEL: what a tier enforces and what another one audits are two policies,
// however the tiers are called.
func TestTiersOfCEL(t *testing.T) {
	bundle := compiled(t, `
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  kyverno: {policyType: ValidatingPolicy}
  tiers: [apps-audit, apps]
  controls: {disallow-host-path: {}, default-deny: {enabled: false}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: enforce-apps-audit, allowSkip: true}
`)
	actions := map[string]string{}
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if o.Kind() == "ValidatingPolicy" {
				actions[o.Name()] = strings.Join(manifest.Object(o["spec"].(map[string]any)).Strings("validationActions"), ",")
			}
		}
	}
	if len(actions) != 2 || actions["gatehouse-pods.apps-audit"] != "Deny" || actions["gatehouse-pods.apps.audit"] != "Audit,Warn" {
		t.Errorf("the policies are %v", actions)
	}
}

// TestConditionsOfCEL: policies of Kyverno that refuse Pods have a condition, those that audit have none. Kyverno writes all
// conditions into one object, so many tiers have none, and the same policy with a variable.
func TestConditionsOfCEL(t *testing.T) {
	for _, tt := range []struct {
		tiers  int
		stage  string
		action string
		want   bool
	}{{1, "enforce", "Deny", true}, {5, "enforce", "Deny", true}, {40, "enforce", "Deny", false}, {1, "audit", "Audit,Warn", false}} {
		tiers := make([]string, tt.tiers)
		for i := range tiers {
			tiers[i] = fmt.Sprint("tier-", i)
		}
		bundle := compiled(t, fmt.Sprintf(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [restricted]
  kyverno: {policyType: ValidatingPolicy}
  tiers: [%s]
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: %s, allowSkip: true}
`, strings.Join(tiers, ", "), tt.stage))
		pods, size := 0, 0
		for _, f := range bundle.Files {
			for _, o := range f.Objects {
				spec := manifest.Object(o.Map("spec"))
				if !strings.HasPrefix(o.Name(), "gatehouse-pods.") || strings.Join(spec.Strings("validationActions"), ",") != tt.action {
					continue
				}
				pods++
				conditions, variables := spec.Maps("matchConditions"), fmt.Sprint(spec["variables"])
				if got := len(conditions) == 1; got != tt.want || got == strings.Contains(variables, "name:suspect") {
					t.Errorf("%d tiers, %s: %s has %d conditions, want them: %t; or the variable beside them, or neither", tt.tiers, tt.stage, o.Name(), len(conditions), tt.want)
				}
				for _, c := range conditions {
					size += len(c.String("expression"))
				}
			}
		}
		// Beside each policy there may be one for namespaces by name, and two of a content that is given up.
		if pods < tt.tiers || 4*size > 500_000 {
			t.Errorf("%d tiers: %d policies for Pods, conditions of %d bytes", tt.tiers, pods, size)
		}
	}
}

// TestManyExceptionsInCEL: a thousand exceptions are within the limits of the API server.
func TestManyExceptionsInCEL(t *testing.T) {
	var source strings.Builder
	source.WriteString(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [restricted]
  kyverno: {policyType: ValidatingAdmissionPolicy}
  tiers: [apps]
  namespaces: [{name: shop}]
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: enforce, allowSkip: true}
`)
	for i := range 1000 {
		fmt.Fprintf(&source, `---
kind: Exception
metadata: {name: agent-%[1]d}
spec:
  controls: [disallow-privilege-escalation, disallow-capabilities-strict, disallow-privileged-containers]
  match: {namespaces: [shop], kinds: [DaemonSet, CronJob], names: [agent-%[1]d]}
  containers: [reader]
  reason: reads logs
  owner: team-%[1]d
  expires: 2028-06-01
`, i)
	}
	bundle := compiled(t, source.String())
	found := 0
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if o.Kind() == "ValidatingAdmissionPolicy" {
				found += strings.Count(fmt.Sprint(o["spec"]), `"agent-`)
			}
		}
	}
	if found != 1000 {
		t.Errorf("the policies have %d exceptions", found)
	}
}

// TestValidatingPoliciesCanBeReady: Kyverno calls a policy ready that looks at what is there
// only if the reports controller may read all that the policy judges, subresources too.
func TestValidatingPoliciesCanBeReady(t *testing.T) {
	bundle := compiled(t, `
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [hardened, multi-tenant]
  kyverno: {policyType: ValidatingPolicy}
  tiers: [apps]
  namespaces: [{name: shop, labels: {owner: a}}]
  registries: {allowed: [ghcr.io/acme]}
  controls:
    require-labels: {parameters: {labels: [app]}}
    require-network-policy: {enabled: false}
    require-namespace-labels: {parameters: {labels: [owner]}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
`)
	readable := map[string]bool{}
	for _, k := range kinds.All() {
		readable[k.Group+"/"+k.Plural] = k.KyvernoReads
	}
	var policies []manifest.Object
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			switch {
			case o.Kind() == "ValidatingPolicy":
				policies = append(policies, o)
			case o.Name() == "gatehouse-kyverno-reports":
				for _, rule := range o.Maps("rules") {
					for _, resource := range rule.Strings("resources") {
						readable[rule.Strings("apiGroups")[0]+"/"+resource] = true
					}
				}
			}
		}
	}
	looks := 0
	for _, o := range policies {
		if o.Value("spec", "evaluation", "background", "enabled") == false {
			continue
		}
		looks++
		for _, rule := range manifest.Object(o.Value("spec", "matchConstraints").(map[string]any)).Maps("resourceRules") {
			for _, resource := range rule.Strings("resources") {
				if group := rule.Strings("apiGroups")[0]; !readable[group+"/"+resource] {
					t.Errorf("%s is never ready: the reports controller may not read %s of %q", o.Name(), resource, group)
				}
			}
		}
	}
	if looks < 5 || looks == len(policies) {
		t.Errorf("%d of %d policies look at what is there", looks, len(policies))
	}
}
