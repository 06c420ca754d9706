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

// celImages is a profile with image rules in CEL, with keys of each source.
func celImages(t *testing.T) fstest.MapFS {
	t.Helper()
	key, err := json.Marshal(imagetest.NewSigner(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"release.pub": {Data: []byte(imagetest.NewSigner(t).PublicKey)},
		"all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: bite}
spec:
  kyverno: {policyType: ValidatingPolicy}
  controls: {verify-images: {}}
  namespaces: [{name: ops, tier: platform}, {name: shop, tier: apps}]
  trust:
    attestors:
      - {name: a, keys: {publicKeys: ` + string(key) + `}}
      - {name: file, keys: {configMap: {name: keys, key: release.pub, file: release.pub}}}
      - {name: secret, keys: {secret: {name: pub, file: release.pub}}}
      - {name: kms, keys: {kms: "hashivault://release"}}
    images:
      - {name: two, references: [ghcr.io/acme/app], attestors: [a, file]}
      - {name: any, references: ["*"], attestors: {count: 1, of: [secret, kms]}, tiers: [platform]}
      - {name: hub, references: [nginx], attestors: [kms], requireDigest: true, tiers: [platform]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
---
kind: Exception
metadata: {name: agent}
spec: {controls: [verify-images-two], match: {namespaces: [ops], kinds: [DaemonSet], names: [agent]}, reason: because, owner: ops, expires: 2027-03-31}
---
kind: Exception
metadata: {name: proxy}
spec: {controls: [verify-images-two], match: {namespaces: [ops], kinds: [Deployment], names: [web]}, containers: [proxy], images: ["ghcr.io/acme/app:*"], reason: because, owner: ops, expires: 2027-03-31}
`)}}
}

// TestImageVerdictsBiteInCEL is TestImageVerdictsBite for ImageValidatingPolicies and MutatingPolicies.
func TestImageVerdictsBiteInCEL(t *testing.T) {
	objects := func(kind, suffix string, change func(spec map[string]any)) func(*generator.Bundle) {
		return func(b *generator.Bundle) {
			for _, f := range b.Files {
				for _, o := range f.Objects {
					if o.Kind() == kind && f.Folder.Applied() && strings.HasSuffix(o.Name(), "-audit") == (suffix != "") {
						change(o["spec"].(map[string]any))
					}
				}
			}
		}
	}
	verifying := func(change func(spec map[string]any)) func(*generator.Bundle) {
		return objects("ImageValidatingPolicy", "", change)
	}
	variable := func(name, old, replacement string) func(*generator.Bundle) {
		return verifying(func(spec map[string]any) {
			for _, v := range manifest.Object(spec).Maps("variables") {
				if v.String("name") == name {
					v["expression"] = strings.ReplaceAll(v.String("expression"), old, replacement)
				}
			}
		})
	}
	tests := []struct {
		name   string
		damage func(*generator.Bundle)
		want   string
	}{
		{"nothing", func(*generator.Bundle) {}, ""},
		{"audited instead of enforced", verifying(func(spec map[string]any) { spec["validationActions"] = []any{"Audit"} }), "bad unsigned, by tag"},
		{"enforced instead of audited", objects("ImageValidatingPolicy", "-audit", func(spec map[string]any) { spec["validationActions"] = []any{"Deny"} }), "bad unsigned, by tag"},
		{"a webhook with others", verifying(func(spec map[string]any) { delete(spec, "webhookConfiguration") }), "load ImageValidatingPolicy/verify-images-two"},
		{"digests by Kyverno itself", verifying(func(spec map[string]any) {
			spec["validationConfigurations"].(map[string]any)["mutateDigest"] = true
		}), "load ImageValidatingPolicy/verify-images-two"},
		{"one attestor of two", func(b *generator.Bundle) {
			variable("asked", ">= 2", ">= 1")(b)
			variable("signed", ">= 2", ">= 1")(b)
		}, "bad signed only by a, by tag"},
		{"any bundle", variable("signed", "> 0 ? verify", ">= 0 ? verifyImageSignatures(d, [attestors.a1]) > 0 || verify"), "bad attested in a bundle and not signed, by tag"},
		{"nothing is asked", variable("unsigned", "!variables.resolved", "false && !variables.resolved"), "bad unsigned, by tag"},
		{"no references by digest", variable("covered", "variables.places", `variables.places.filter(p, !p.image.contains("@"))`), "bad unsigned, by digest"},
		{"a name that begins alike", variable("covered", `app:.*`, `app.*`), "good not covered by the rule"},
		{"image volumes are not looked at", variable("covered", "variables.places", `variables.places.filter(p, !p.path.contains("/volumes/"))`), "bad unsigned-image-volume"},
		{"init containers are not looked at", variable("covered", "variables.places", `variables.places.filter(p, !p.path.contains("/initContainers/"))`), "bad unsigned-init-container"},
		{"digests are not put in", objects("MutatingPolicy", "", func(spec map[string]any) {
			spec["mutations"] = []any{map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": "[]"}}}
		}), "good signed by a, file, by tag"},
		{"only created Pods", verifying(func(spec map[string]any) {
			for _, rule := range spec["matchConstraints"].(map[string]any)["resourceRules"].([]any) {
				rule.(map[string]any)["operations"] = []any{"CREATE"}
			}
		}), "bad set-image"},
		{"system namespaces included", verifying(func(spec map[string]any) { delete(spec["matchConstraints"].(map[string]any), "namespaceSelector") }), "system unsigned-by-tag"},
		{"an exception without end", variable("exceptions_1", `"end"`, `"ended"`), "exception agent: after the expiry"},
		{"an exception for all containers", variable("exceptions_1", `"containers"`, `"others"`), "exception proxy"},
	}
	client, source := start(t), celImages(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantFailure(t, client, source, test.damage, test.want) })
	}
}

// celKeyless is a small profile with keyless attestors in CEL: Kyverno asks for sigstore's trust root each time.
func celKeyless(attestors string) fstest.MapFS {
	return fstest.MapFS{"all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: keyless}
spec:
  kyverno: {policyType: ValidatingPolicy}
  tiers: [apps]
  controls: {verify-images: {}}
  trust:
    attestors:
      - {name: ci, keyless: {issuerRegExp: '^https://ci\.acme\.com$', subject: "https://github.com/acme/app"}}
      - {name: mail, keyless: {issuer: "https://accounts.example", subjectRegExp: '^[a-z]+@acme\.example$'}}
      - {name: kms, keys: {kms: "hashivault://release"}}
    images: [{name: app, references: [ghcr.io/acme/app], attestors: ` + attestors + `}]
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, allowSkip: true}
`)}}
}

// TestKeylessVerdictsBiteInCEL is TestImageVerdictsBiteInCEL for keyless attestors.
func TestKeylessVerdictsBiteInCEL(t *testing.T) {
	attestors := func(change func(cosign manifest.Object)) func(*generator.Bundle) {
		return func(b *generator.Bundle) {
			for _, f := range b.Files {
				for _, o := range f.Objects {
					if o.Kind() == "ImageValidatingPolicy" && f.Folder.Applied() {
						for _, a := range o.Maps("spec", "attestors") {
							change(a["cosign"].(map[string]any))
						}
					}
				}
			}
		}
	}
	identity := func(change func(identity manifest.Object)) func(*generator.Bundle) {
		return attestors(func(cosign manifest.Object) {
			for _, i := range cosign.Maps("keyless", "identities") {
				change(i)
			}
		})
	}
	tests := []struct {
		name, attestors string
		damage          func(*generator.Bundle)
		want            string
	}{
		{"nothing", "[ci]", func(*generator.Bundle) {}, ""},
		{"nothing, with a key", "{count: 1, of: [kms, mail]}", func(*generator.Bundle) {}, ""},
		{"no issuer", "[ci]", identity(func(i manifest.Object) { delete(i, "issuerRegExp") }), "bad signed with another issuer for ci"},
		{"an open issuer", "[ci]", identity(func(i manifest.Object) { i["issuerRegExp"] = "^https://ci" }), "bad signed with a longer issuer for ci"},
		{"no subject", "[ci]", identity(func(i manifest.Object) { delete(i, "subject") }), "bad signed with another subject for ci"},
		{"an open subject", "[mail]", identity(func(i manifest.Object) { i["subjectRegExp"] = "^[a-z]+@acme" }), "bad signed with a longer subject for mail"},
		{"another subject", "[ci]", identity(func(i manifest.Object) { i["subject"] = "https://github.com/acme/other" }), "good signed by ci"},
		{"no identity", "[ci]", attestors(func(cosign manifest.Object) { cosign["keyless"] = map[string]any{"identities": []any{}} }), "bad signed with another subject for ci"},
		{"another authority", "[ci]", attestors(func(cosign manifest.Object) {
			cosign["keyless"].(map[string]any)["roots"] = "mine"
		}), "load ImageValidatingPolicy/verify-images-app"},
	}
	client := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantFailure(t, client, celKeyless(test.attestors), test.damage, test.want) })
	}
}
