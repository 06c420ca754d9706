package migration

import (
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
)

// TestKeylessStays: an image rule that can only be a ClusterPolicy keeps no environment on
// the way.
func TestKeylessStays(t *testing.T) {
	source := func(attestor string) fstest.MapFS {
		return fstest.MapFS{"profile.yaml": &fstest.MapFile{Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [baseline]
  kyverno: {policyType: ValidatingPolicy}
  controls: {verify-images: {}}
  trust:
    attestors: [{name: a, ` + attestor + `}]
    images: [{name: acme, references: [ghcr.io/acme/*], attestors: [a]}]
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
`)}}
	}
	for _, test := range []struct {
		attestor string
		stays    []string
	}{
		{"keyless: {issuer: https://example.com, subject: release}", []string{"verify-images-acme"}},
		{`keys: {kms: "awskms:///arn:aws:kms:eu-central-1:111122223333:alias/cosign"}`, nil},
	} {
		bundle, problems := generator.Compile(source(test.attestor), ".", generator.Options{Version: "test", Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
		if problems.HasErrors() {
			t.Fatal(problems.Err())
		}
		way := Ways(bundle.Plan, "ValidatingPolicy")[0]
		if way.Place != Done || !slices.Equal(way.Stays, test.stays) {
			t.Errorf("%s: the environment is at %d, and %v stay", test.attestor, way.Place, way.Stays)
		}
	}
}
