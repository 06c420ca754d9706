package generator

import (
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
