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

const provenance = "https://slsa.dev/provenance/v1"

// attesting is a small profile with an image rule that demands attestations.
func attesting(t *testing.T, policyType, attestations string) fstest.MapFS {
	t.Helper()
	key, err := json.Marshal(imagetest.NewSigner(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"scan.pub": {Data: []byte(imagetest.NewSigner(t).PublicKey)}, "all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: attesting}
spec:
  kyverno: {policyType: ` + policyType + `}
  tiers: [apps]
  controls: {verify-images: {}}
  trust:
    attestors:
      - {name: key, keys: {publicKeys: ` + string(key) + `}}
      - {name: scanner, keys: {configMap: {name: keys, file: scan.pub}}}
      - {name: ci, keyless: {issuer: "https://ci.example", subject: "https://github.com/acme/app"}}
    images: [{name: app, references: [ghcr.io/acme/app], attestors: [key], attestations: ` + attestations + `}]
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, allowSkip: true}
`)}}
}

// changed changes the rule of an emitted policy of a kind.
func changed(kind string, change func(spec manifest.Object)) func(*generator.Bundle) {
	return func(b *generator.Bundle) {
		for _, f := range b.Files {
			for _, o := range f.Objects {
				if o.Kind() == kind && f.Folder.Applied() {
					change(o["spec"].(map[string]any))
				}
			}
		}
	}
}

// TestAttestationVerdictsBite weakens what an image rule demands besides signatures: `gatehouse test` must show it.
func TestAttestationVerdictsBite(t *testing.T) {
	const both = `[{type: "` + provenance + `", conditions: [{path: runDetails.builder.id, equals: "https://ci.example/builder"}, {path: level, atLeast: 2, atMost: 4}]},
      {type: "https://cosign.sigstore.dev/attestation/vuln/v1", attestors: [key, scanner], conditions: [{path: scanner.ok, equals: true}, {path: "@by", matches: '^scanner-[0-9]{2}$'}, {path: level-of, in: [1, none]}]}]`
	each := func(change func(entry, attestation manifest.Object)) func(*generator.Bundle) {
		return changed("ClusterPolicy", func(spec manifest.Object) {
			for _, rule := range spec.Maps("rules") {
				for _, entry := range rule.Maps("verifyImages") {
					for _, a := range entry.Maps("attestations") {
						change(entry, a)
					}
				}
			}
		})
	}
	conditions := func(change func(condition manifest.Object)) func(*generator.Bundle) {
		return each(func(_, a manifest.Object) {
			for _, set := range a.Maps("conditions") {
				for _, c := range set.Maps("all") {
					change(c)
				}
			}
		})
	}
	expression := func(old, replacement string) func(*generator.Bundle) {
		return conditions(func(c manifest.Object) { c["key"] = strings.ReplaceAll(c.String("key"), old, replacement) })
	}
	tests := []struct {
		name, attestations string
		damage             func(*generator.Bundle)
		want               string
	}{
		{"nothing", both, func(*generator.Bundle) {}, ""},
		{"nothing, keyless", `[{type: "` + provenance + `", attestors: {count: 1, of: [ci, key]}, conditions: [{path: ok, equals: true}]}]`, func(*generator.Bundle) {}, ""},
		{"no attestations", both, each(func(entry, _ manifest.Object) { delete(entry, "attestations") }), "bad without an attestation (" + provenance + "), by tag"},
		{"no signatures", both, each(func(entry, _ manifest.Object) { delete(entry, "attestors") }), "bad unsigned, by tag"},
		{"another type", both, each(func(_, a manifest.Object) { a["type"] = a.String("type") + "x" }), "good signed by key, by tag"},
		{"anyone may attest", both, each(func(_, a manifest.Object) { delete(a, "attestors") }), "load ClusterPolicy/verify-images-app"},
		{"one attestor of two", both, each(func(_, a manifest.Object) { a.Maps("attestors")[0]["count"] = int64(1) }), "bad attested only by key"},
		{"no conditions", both, each(func(_, a manifest.Object) { delete(a, "conditions") }), "bad attested with runDetails.builder.id left out"},
		{"any of the conditions", both, each(func(_, a manifest.Object) {
			a["conditions"] = []any{map[string]any{"any": a.Maps("conditions")[0]["all"]}}
		}), "bad attested with level too low"},
		{"a condition that is not evaluated", both, conditions(func(c manifest.Object) { c["key"] = true }), "bad attested with scanner.ok as a text"},
		{"wildcards", both, conditions(func(c manifest.Object) {
			if strings.Contains(c.String("key"), "builder.id") {
				c["key"], c["operator"], c["value"] = "{{ runDetails.builder.id }}", "AnyIn", []any{"https://ci.example/builder"}
			}
		}), "bad attested with runDetails.builder.id *"},
		{"no upper bound", both, expression(" && level <= `4`", ""), "bad attested with level too high"},
		{"an absent field", both, expression("contains(`[true]`, scanner.ok)", "(scanner.ok || `true`)"), "bad attested with scanner.ok left out"},
		{"an open pattern", both, expression(`\u0024`, ""), "bad attested with @by of a longer text"},
		{"any subject", `[{type: "` + provenance + `", attestors: [ci]}]`, each(func(_, a manifest.Object) {
			delete(a.Maps("attestors")[0].Maps("entries")[0]["keyless"].(map[string]any), "subject")
		}), "bad attested with another subject for ci"},
	}
	client := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantFailure(t, client, attesting(t, "ClusterPolicy", test.attestations), test.damage, test.want)
		})
	}
}

// TestAttestationVerdictsBiteInCEL is TestAttestationVerdictsBite for ImageValidatingPolicies, which have no conditions.
func TestAttestationVerdictsBiteInCEL(t *testing.T) {
	const two = `[{type: "` + provenance + `"}, {type: "https://spdx.dev/Document", attestors: [key, scanner]}]`
	attested := func(old, replacement string) func(*generator.Bundle) {
		return changed("ImageValidatingPolicy", func(spec manifest.Object) {
			for _, v := range spec.Maps("variables") {
				if v.String("name") == "attested" {
					v["expression"] = strings.ReplaceAll(v.String("expression"), old, replacement)
				}
			}
		})
	}
	tests := []struct {
		name, attestations string
		damage             func(*generator.Bundle)
		want               string
	}{
		{"nothing", two, func(*generator.Bundle) {}, ""},
		{"nothing, keyless", `[{type: "` + provenance + `", attestors: {count: 1, of: [ci, key]}}]`, func(*generator.Bundle) {}, ""},
		{"no attestations", two, attested("verify", "true || verify"), "bad without an attestation (" + provenance + "), by tag"},
		{"one attestor of two", two, attested(">= 2", ">= 1"), "bad attested only by key"},
		{"the type of signatures", two, changed("ImageValidatingPolicy", func(spec manifest.Object) {
			spec.Maps("attestations")[1]["intoto"] = map[string]any{"type": "https://sigstore.dev/cosign/sign/v1"}
		}), "bad without an attestation (" + provenance + "), by tag"},
		{"the attestors of signatures", two, attested("t2a2", "a1"), "bad attested only by key"},
	}
	client := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantFailure(t, client, attesting(t, "ValidatingPolicy", test.attestations), test.damage, test.want)
		})
	}
}
