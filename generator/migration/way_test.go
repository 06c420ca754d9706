package migration

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
)

// TestStays: a control that can only be a ClusterPolicy keeps no environment on the way.
// Image rules go over, whatever signs.
func TestStays(t *testing.T) {
	source := func(control, attestor string) fstest.MapFS {
		const folder = "controls/require-team"
		files := fstest.MapFS{}
		for _, name := range []string{"control.yaml", "clusterpolicy.yaml", "tests/good.yaml", "tests/bad.yaml"} {
			text, err := os.ReadFile(filepath.Join("../../cmd/gatehouse/testdata/fleet", folder, name))
			if err != nil {
				t.Fatal(err)
			}
			files[folder+"/"+name] = &fstest.MapFile{Data: text}
		}
		files["profile.yaml"] = &fstest.MapFile{Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [baseline]
  catalogs: [controls]
  kyverno: {policyType: ValidatingPolicy}
  controls: {verify-images: {}` + control + `}
  trust:
    attestors: [{name: a, ` + attestor + `}]
    images: [{name: acme, references: [ghcr.io/acme/*], attestors: [a]}]
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
`)}
		return files
	}
	for _, test := range []struct {
		control, attestor string
		stays             []string
	}{
		{", require-team: {}", "keyless: {issuer: https://example.com, subject: release}", []string{"require-team"}},
		{", require-network-policy: {}", "keyless: {issuer: https://example.com, subject: release}", nil},
		{"", "keyless: {issuer: https://example.com, subject: release}", nil},
		{"", `keys: {kms: "awskms:///arn:aws:kms:eu-central-1:111122223333:alias/cosign"}`, nil},
	} {
		bundle, problems := generator.Compile(source(test.control, test.attestor), ".", generator.Options{Version: "test", Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
		if problems.HasErrors() {
			t.Fatal(problems.Err())
		}
		way := Ways(bundle.Plan, "ValidatingPolicy")[0]
		if way.Place != Done || !slices.Equal(way.Stays, test.stays) {
			t.Errorf("%s: the environment is at %d, and %v stay", test.attestor, way.Place, way.Stays)
		}
	}
}
