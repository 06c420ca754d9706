package generator

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestTiersOfCEL: what a tier enforces and what another one audits are two policies,
// however the tiers are called.
func TestTiersOfCEL(t *testing.T) {
	bundle, problems := Compile(fstest.MapFS{
		"profile.yaml": &fstest.MapFile{Data: []byte(`
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
`)},
	}, ".", Options{Version: "test", Now: testNow})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
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
	bundle, problems := Compile(fstest.MapFS{"profile.yaml": &fstest.MapFile{Data: []byte(source.String())}}, ".", Options{Version: "test", Now: testNow})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
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
