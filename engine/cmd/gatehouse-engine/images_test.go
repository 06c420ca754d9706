package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestImageVerdicts is `gatehouse test` for references and settings of many kinds.
func TestImageVerdicts(t *testing.T) {
	publicKey := imagetest.NewSigner(t).PublicKey
	key, err := json.Marshal(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	source := fstest.MapFS{"release.pub": {Data: []byte(publicKey)}, "all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: many}
spec:
  controls: {verify-images: {}}
  trust:
    attestors:
      - {name: a, keys: {publicKeys: ` + string(key) + `, rekor: {url: "https://rekor.example"}}}
      - {name: again, keys: {secret: {name: pub, file: release.pub}}}
      - {name: mail, keyless: {issuer: "https://accounts.example", subjectRegExp: '^[a-z]+@acme\.example$'}}
    images:
      - {name: hub, references: [nginx, acme/app], attestors: [a], mutateDigest: false}
      - {name: once, references: [quay.io/acme/app], attestors: [a, again]}
      - {name: globs, references: ["*.acme.example/team/*", "localhost:5000/app"], attestors: [a, mail], requireDigest: true}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, allowSkip: true}
`)}}
	wantFailure(t, start(t), source, func(*generator.Bundle) {}, "")
}

// TestImageVerdictsBite breaks image policies in each way that lets an unsigned
// image in or blocks what is audited (docs/image-traps.md): `gatehouse test` must show it.
func TestImageVerdictsBite(t *testing.T) {
	quoted := func() string {
		raw, err := json.Marshal(imagetest.NewSigner(t).PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	source := fstest.MapFS{
		"release.pub": {Data: []byte(imagetest.NewSigner(t).PublicKey)},
		"all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: bite}
spec:
  controls: {verify-images: {}}
  namespaces: [{name: ops, tier: platform}, {name: shop, tier: apps}]
  trust:
    attestors:
      - {name: a, keys: {publicKeys: ` + quoted() + `}}
      - {name: b, keys: {publicKeys: ` + quoted() + `}}
      - {name: file, keys: {configMap: {name: keys, key: release.pub, file: release.pub}}}
      - {name: secret, keys: {secret: {name: pub, file: release.pub}}}
      - {name: kms, keys: {kms: "hashivault://release"}}
      - name: ci
        keyless: {issuerRegExp: '^https://ci\.acme\.com$', subject: "https://github.com/acme/app"}
    images:
      - {name: two, references: [ghcr.io/acme/app], attestors: [a, b]}
      - {name: any, references: ["*"], attestors: {count: 1, of: [file, secret, kms, ci]}, tiers: [platform]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
---
kind: Exception
metadata: {name: agent}
spec: {controls: [verify-images-two], match: {namespaces: [ops], kinds: [DaemonSet], names: [agent]}, reason: because, owner: ops, expires: 2027-03-31}
`)}}
	// each changes an entry of verifyImages of the enforced policies; of the audited ones if the name says so.
	each := func(suffix string, change func(rule, entry map[string]any)) func(*generator.Bundle) {
		return func(b *generator.Bundle) {
			for _, f := range b.Files {
				for _, o := range f.Objects {
					if o.Kind() != "ClusterPolicy" || !f.Folder.Applied() || strings.HasSuffix(o.Name(), "-audit") != (suffix != "") {
						continue
					}
					for _, r := range o["spec"].(map[string]any)["rules"].([]any) {
						change(r.(map[string]any), r.(map[string]any)["verifyImages"].([]any)[0].(map[string]any))
					}
				}
			}
		}
	}
	set := func(suffix, field string, value any) func(*generator.Bundle) {
		return each(suffix, func(_, entry map[string]any) { entry[field] = value })
	}
	attestors := func(change func(set map[string]any)) func(*generator.Bundle) {
		return each("", func(_, entry map[string]any) { change(entry["attestors"].([]any)[0].(map[string]any)) })
	}
	entries := func(change func(attestor map[string]any)) func(*generator.Bundle) {
		return attestors(func(set map[string]any) {
			for _, a := range set["entries"].([]any) {
				change(a.(map[string]any))
			}
		})
	}
	keyless := func(change func(map[string]any)) func(*generator.Bundle) {
		return entries(func(a map[string]any) {
			if a["keyless"] != nil {
				change(a["keyless"].(map[string]any))
			}
		})
	}
	without := func(suffix string) func(*generator.Bundle) {
		return each("", func(_, entry map[string]any) {
			entry["imageReferences"] = slices.DeleteFunc(entry["imageReferences"].([]any), func(glob any) bool { return strings.HasSuffix(glob.(string), suffix) })
		})
	}
	objects := func(kind string, change func(o manifest.Object)) func(*generator.Bundle) {
		return func(b *generator.Bundle) {
			for _, f := range b.Files {
				for _, o := range f.Objects {
					if o.Kind() == kind && f.Folder.Applied() {
						change(o)
					}
				}
			}
		}
	}
	tests := []struct {
		name   string
		damage func(*generator.Bundle)
		want   string
	}{
		{"nothing", func(*generator.Bundle) {}, ""},
		{"audited instead of enforced", each("", func(_, entry map[string]any) {
			maps.Copy(entry, map[string]any{"failureAction": "Audit", "mutateDigest": false, "verifyDigest": false, "required": false})
		}), "bad unsigned, by tag"},
		{"open while the registry is down", func(b *generator.Bundle) {
			each("", func(_, entry map[string]any) {
				maps.Copy(entry, map[string]any{"mutateDigest": false, "verifyDigest": false, "required": false})
			})(b)
			objects("ClusterPolicy", func(o manifest.Object) {
				o["spec"].(map[string]any)["webhookConfiguration"] = map[string]any{"failurePolicy": "Ignore"}
			})(b)
		}, "bad in a registry that does not answer, by tag"},
		{"closed while the registry is down, although audited", objects("ClusterPolicy", func(o manifest.Object) {
			o["spec"].(map[string]any)["webhookConfiguration"] = map[string]any{"failurePolicy": "Fail"}
		}), "bad in a registry that does not answer, by tag"},
		{"results from the cache", set("", "useCache", true), "load ClusterPolicy/verify-images-two"},
		{"enforced instead of audited", each("audit", func(_, entry map[string]any) {
			maps.Copy(entry, map[string]any{"failureAction": "Enforce", "useCache": false})
		}), "bad unsigned, by tag"},
		{"a count of one", attestors(func(set map[string]any) { set["count"] = int64(1) }), "bad signed only by a, by tag"},
		{"one attestor left out", attestors(func(set map[string]any) { set["count"], set["entries"] = int64(1), set["entries"].([]any)[:1] }), "bad signed only by a, by digest"},
		{"an attestor too many", attestors(func(set map[string]any) { set["count"] = int64(len(set["entries"].([]any))) }), "good signed by file, by tag"},
		{"another key", entries(func(a map[string]any) {
			if keys, _ := a["keys"].(map[string]any); keys["publicKeys"] != nil && !strings.HasPrefix(keys["publicKeys"].(string), "{{") {
				keys["publicKeys"] = imagetest.NewSigner(t).PublicKey
			}
		}), "load ClusterPolicy/verify-images-two"},
		{"the key of another attestor", attestors(func(set map[string]any) { set["entries"].([]any)[1] = set["entries"].([]any)[0] }), "bad signed only by a, by tag"},
		{"another key in the ConfigMap", objects("ConfigMap", func(o manifest.Object) {
			o["data"] = map[string]any{"release.pub": imagetest.NewSigner(t).PublicKey}
		}), "load attestor file"},
		{"a Secret of another name", entries(func(a map[string]any) {
			if keys, _ := a["keys"].(map[string]any); keys["secret"] != nil {
				keys["secret"].(map[string]any)["name"] = "other"
			}
		}), "load ClusterPolicy/verify-images-any"},
		{"no references by digest", without("@*"), "bad unsigned, by digest"},
		{"no references by tag", without(":*"), "bad unsigned, by tag"},
		{"a bare repository", each("", func(_, entry map[string]any) { entry["imageReferences"] = []any{"ghcr.io/acme/app"} }), "bad unsigned, by tag and digest"},
		{"a name that begins alike", each("", func(_, entry map[string]any) {
			entry["imageReferences"] = append(entry["imageReferences"].([]any), "ghcr.io/acme/app*")
		}), "good not covered by the rule"},
		{"digests are not put in", each("", func(_, entry map[string]any) { entry["mutateDigest"], entry["verifyDigest"] = false, false }), "good signed by a, b, by tag"},
		{"signatures of sigstore bundles, which attestations are, too", set("", "type", "SigstoreBundle"), "load ClusterPolicy/verify-images-two"},
		{"no issuer", keyless(func(k map[string]any) { delete(k, "issuerRegExp") }), "bad signed with another issuer for ci"},
		{"an open issuer", keyless(func(k map[string]any) { k["issuerRegExp"] = "^https://ci" }), "bad signed with a longer issuer for ci"},
		{"no subject", keyless(func(k map[string]any) { delete(k, "subject") }), "bad signed with another subject for ci"},
		{"an open subject", keyless(func(k map[string]any) { k["subject"] = k["subject"].(string) + "*" }), "bad signed with a longer subject for ci"},
		{"image volumes are not looked at", each("", func(rule, _ map[string]any) { delete(rule, "imageExtractors") }), "bad unsigned-image-volume"},
		{"init containers are not looked at", each("", func(rule, _ map[string]any) {
			pods := rule["imageExtractors"].(map[string]any)["Pod"].([]any)
			rule["imageExtractors"].(map[string]any)["Pod"] = slices.DeleteFunc(pods, func(e any) bool { return e.(map[string]any)["name"] == "initContainers" })
		}), "bad unsigned-init-container"},
		{"only created Pods", each("", func(rule, _ map[string]any) {
			for _, filter := range rule["match"].(map[string]any)["any"].([]any) {
				filter.(map[string]any)["resources"].(map[string]any)["operations"] = []any{"CREATE"}
			}
		}), "bad set-image"},
		{"system namespaces included", each("", func(rule, _ map[string]any) { delete(rule, "exclude") }), "system unsigned-by-tag"},
		{"a rule skips images", set("", "skipImageReferences", []any{"*"}), "bad unsigned, by tag"},
		{"an exception of the enforced policy only", objects("PolicyException", func(o manifest.Object) {
			for _, e := range o["spec"].(map[string]any)["exceptions"].([]any) {
				e.(map[string]any)["policyName"] = "verify-images-any"
			}
		}), "exception agent: the object that it names"},
		{"an exception from other image rules", objects("PolicyException", func(o manifest.Object) {
			spec := o["spec"].(map[string]any)
			first := spec["exceptions"].([]any)[0].(map[string]any)
			spec["exceptions"] = append(spec["exceptions"].([]any), map[string]any{"policyName": "verify-images-any", "ruleNames": first["ruleNames"]})
		}), "exception agent: an image rule that it does not name"},
		{"an exception without end", objects("PolicyException", func(o manifest.Object) { delete(o["spec"].(map[string]any), "conditions") }), "exception agent: after the expiry"},
	}
	client := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantFailure(t, client, source, test.damage, test.want) })
	}
}
