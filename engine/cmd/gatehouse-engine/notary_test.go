package main

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// notarized is a small profile with rules for signatures of the Notary Project, and one for others.
func notarized(t *testing.T, policyType string) fstest.MapFS {
	t.Helper()
	key, err := json.Marshal(imagetest.NewSigner(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := func() *fstest.MapFile { return &fstest.MapFile{Data: []byte(imagetest.NewAuthority(t).Roots)} }
	return fstest.MapFS{"a.pem": roots(), "b.pem": roots(), "all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: notarized}
spec:
  kyverno: {policyType: ` + policyType + `}
  namespaces: [{name: ops, tier: platform}, {name: shop, tier: apps}]
  controls: {verify-images: {}}
  trust:
    attestors:
      - {name: a, notary: {file: a.pem}}
      - {name: b, notary: {file: b.pem}}
      - {name: key, keys: {publicKeys: ` + string(key) + `}}
    images:
      - {name: both, references: [ghcr.io/acme/app], attestors: [a, b]}
      - {name: any, references: ["quay.io/acme/*"], attestors: {count: 1, of: [b, a]}, tiers: [platform]}
      - {name: cosign, references: [docker.io/acme/app], attestors: [key]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
`)}}
}

// TestNotaryVerdictsBite weakens rules for signatures of the Notary Project: `gatehouse test` must show it.
func TestNotaryVerdictsBite(t *testing.T) {
	entries := func(change func(entry manifest.Object)) func(*generator.Bundle) {
		return changed("ClusterPolicy", func(spec manifest.Object) {
			for _, rule := range spec.Maps("rules") {
				for _, entry := range rule.Maps("verifyImages") {
					change(entry)
				}
			}
		})
	}
	notary := func(change func(entry manifest.Object)) func(*generator.Bundle) {
		return entries(func(entry manifest.Object) {
			if entry.String("type") == "Notary" {
				change(entry)
			}
		})
	}
	variable := func(name, old, replacement string) func(*generator.Bundle) {
		return changed("ImageValidatingPolicy", func(spec manifest.Object) {
			for _, v := range spec.Maps("variables") {
				if v.String("name") == name {
					v["expression"] = strings.ReplaceAll(v.String("expression"), old, replacement)
				}
			}
		})
	}
	const clusterPolicy, inCEL = "ClusterPolicy", "ValidatingPolicy"
	tests := []struct {
		name, policyType string
		damage           func(*generator.Bundle)
		want             string
	}{
		{"nothing", clusterPolicy, func(*generator.Bundle) {}, ""},
		{"one attestor of two", clusterPolicy, notary(func(entry manifest.Object) { entry.Maps("attestors")[0]["count"] = int64(1) }), "bad signed only by a, by tag"},
		{"signatures of cosign", clusterPolicy, notary(func(entry manifest.Object) { entry["type"] = "Cosign" }), "load ClusterPolicy/verify-images-both"},
		{"signatures of the Notary Project by a key", clusterPolicy, entries(func(entry manifest.Object) { entry["type"] = "Notary" }), "load ClusterPolicy/verify-images-cosign"},
		{"nothing asked", clusterPolicy, notary(func(entry manifest.Object) { delete(entry, "attestors") }), "bad unsigned, by tag"},
		{"nothing", inCEL, func(*generator.Bundle) {}, ""},
		{"one attestor of two", inCEL, variable("asked", ">= 2", ">= 1"), "bad signed only by a, by tag"},
		{"nothing asked", inCEL, variable("unsigned", "!variables.resolved", "false && !variables.resolved"), "bad unsigned, by tag"},
	}
	client := start(t)
	for _, test := range tests {
		t.Run(test.policyType+" "+test.name, func(t *testing.T) {
			wantFailure(t, client, notarized(t, test.policyType), test.damage, test.want)
		})
	}
}
