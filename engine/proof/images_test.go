package proof_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	"github.com/gatehouse-dev/gatehouse/engine/standin"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/templates"
	"github.com/kyverno/kyverno/pkg/config"
	engineutils "github.com/kyverno/kyverno/pkg/engine/utils"
	imageutils "github.com/kyverno/kyverno/pkg/utils/image"
)

// fixture is a registry with three different images, as the cases of
// verify-images expect them.
type fixture struct {
	*imagetest.Registry
	signer, other *standin.Signer
	digests       map[string]string
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{Registry: imagetest.NewRegistry(t), signer: imagetest.NewSigner(t), other: imagetest.NewSigner(t), digests: map[string]string{}}
	for _, name := range []string{"signed", "other-key", "unsigned"} {
		digest := f.Push(t, name)
		f.digests[name] = digest.String()
		switch name {
		case "signed":
			f.Sign(t, name, digest, f.signer)
		case "other-key":
			f.Sign(t, name, digest, f.other)
		}
	}
	return f
}

// imageProfile demands a signature by one attestor on all images of the references.
func imageProfile(attestor object, rule object, references ...string) object {
	attestor["name"] = "signer"
	image := object{"name": "all", "references": references, "attestors": []any{"signer"}}
	maps.Copy(image, rule)
	return object{
		"controls": object{"verify-images": object{}},
		"trust":    object{"attestors": []any{attestor}, "images": []any{image}},
	}
}

// imageTargets are the kinds of policies that an image rule becomes.
func imageTargets() []string { return []string{catalog.ClusterPolicy, catalog.ValidatingPolicy} }

// onImageTargets runs a test for each kind of policies that an image rule becomes. with
// returns a profile for it.
func onImageTargets(t *testing.T, test func(t *testing.T, with func(spec object) object)) {
	t.Helper()
	for _, target := range imageTargets() {
		t.Run(target, func(t *testing.T) {
			test(t, func(spec object) object {
				out := object{"kyverno": object{"policyType": target}}
				maps.Copy(out, spec)
				return out
			})
		})
	}
}

// keySources are the places from which Kyverno can take a public key.
func keySources(publicKey string) map[string]object {
	return map[string]object{
		"inline":    {"keys": object{"publicKeys": publicKey}},
		"ConfigMap": {"keys": object{"configMap": object{"name": "cosign-keys", "file": "release.pub"}}},
		"Secret":    {"keys": object{"secret": object{"name": "cosign-secret", "file": "release.pub"}}},
	}
}

// serveSecrets answers for the Secrets of a bundle as an API server would.
// Kyverno reads the keys of Secrets with a client of its own, from KUBECONFIG.
func serveSecrets(t *testing.T, objects []manifest.Object) {
	t.Helper()
	secrets := map[string]json.RawMessage{}
	for _, o := range objects {
		if o.Kind() == "Secret" {
			secrets["/api/v1/namespaces/"+o.Namespace()+"/secrets/"+o.Name()] = encode(t, o)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret, found := secrets[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(secret)
	}))
	t.Cleanup(server.Close)
	config := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion": "v1", "kind": "Config", "current-context": "test", "contexts": [{"name": "test", "context": {"cluster": "test"}}], "clusters": [{"name": "test", "cluster": {"server": "` + server.URL + `"}}]}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", config)
}

// verifyImagesCases are the cases of the catalogue with the images of the fixture.
func verifyImagesCases(t *testing.T, f fixture) (good, bad []catalog.Case) {
	t.Helper()
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	i := slices.IndexFunc(set.Controls, func(c *catalog.Control) bool { return c.ID == "verify-images" })
	good, bad, err := set.Controls[i].Tests(nil)
	if err != nil {
		t.Fatal(err)
	}
	written := func(n string) string { return "sha256:" + strings.Repeat(n, 64) }
	texts := strings.NewReplacer("registry.example", f.Host, written("1"), f.digests["signed"], written("2"), f.digests["unsigned"], written("3"), f.digests["other-key"])
	for _, cases := range [][]catalog.Case{good, bad} {
		for i, c := range cases {
			if err := json.Unmarshal([]byte(texts.Replace(string(encode(t, c)))), &cases[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return good, bad
}

// TestVerifyImages runs the catalogue's cases of verify-images against real
// signatures, for each source of the key and each stage.
func TestVerifyImages(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		good, bad := verifyImagesCases(t, f)
		for source, attestor := range keySources(f.signer.PublicKey) {
			t.Run(source, func(t *testing.T) {
				bundle := compile(t, with(imageProfile(attestor, nil, f.Host+"/*")), map[string]any{"release.pub": f.signer.PublicKey})
				serveSecrets(t, applied(bundle, enforced))
				clusters := map[string]cluster{}
				for _, env := range environments() {
					clusters[env] = newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, env))
				}
				for _, c := range good {
					t.Run("good/"+c.Name, func(t *testing.T) {
						wantGood(t, clusters[audited], in("apps", requestOf(t, c)))
						wantGood(t, clusters[mixed], in("platform", requestOf(t, c)))
						wantGood(t, clusters[mixed], in("apps", requestOf(t, c)))
						wantGood(t, clusters[enforced], in("apps", requestOf(t, c)))
					})
				}
				for _, c := range bad {
					t.Run("bad/"+c.Name, func(t *testing.T) { wantUnsigned(t, clusters, c) })
				}
			})
		}
	})
}

// wantUnsigned wants a request refused where enforced, reported and left as it
// is where audited, and not looked at in a system namespace.
func wantUnsigned(t *testing.T, clusters map[string]cluster, c catalog.Case) {
	t.Helper()
	for _, want := range []struct {
		environment, tier string
		blocked           bool
	}{{audited, "platform", false}, {mixed, "platform", true}, {mixed, "apps", false}, {mixed, "", false}, {enforced, "apps", true}, {enforced, "", true}} {
		got := clusters[want.environment].ask(t, in(want.tier, requestOf(t, c)))
		if got.Blocked != want.blocked || faults(got) == 0 {
			t.Errorf("%s, tier %q: blocked is %v, want a fault and %v: %s", want.environment, want.tier, got.Blocked, want.blocked, verdict(got))
		}
		if !want.blocked && got.Patched != nil && specOf(t, got.Patched) != string(encode(t, c.Object["spec"])) {
			t.Errorf("%s, tier %q: an audited object is changed: %s", want.environment, want.tier, got.Patched)
		}
	}
	if got := clusters[enforced].ask(t, requestOf(t, moved(t, c, "kube-system"))); got.Blocked || len(got.Results) > 0 {
		t.Errorf("judged in kube-system: %s", verdict(got))
	}
}

// specOf is the spec of an encoded object, as encode writes it. Kyverno adds
// annotations wherever it has looked at an image.
func specOf(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return string(encode(t, o["spec"]))
}

// imagePod is a Pod of one image.
func imagePod(t testing.TB, image string) protocol.EvaluateParams {
	t.Helper()
	return protocol.EvaluateParams{NamespaceLabels: tier("apps"), Resource: encode(t, object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": "shop"},
		"spec": object{"containers": []any{object{"name": "c", "image": image}}},
	})}
}

// TestImageReferences writes the reference of an unsigned image in every way,
// under each form in which a profile may name it (docs/image-traps.md#references).
func TestImageReferences(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		digest := f.Push(t, "team/app").String()
		for _, reference := range []string{"*", "/*", "/team/*", "/team/app", "/team/app:*", "/team/app@*", "/team/app*"} {
			t.Run(strings.Trim(reference, "/"), func(t *testing.T) {
				if reference != "*" {
					reference = f.Host + reference
				}
				bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, reference)), nil)
				k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
				for _, image := range []string{"team/app:v1", "team/app", "team/app@" + digest, "team/app:v1@" + digest, "team/app:v2@" + digest} {
					if got := k.ask(t, imagePod(t, f.Host+"/"+image)); !got.Blocked {
						t.Errorf("%s is admitted: %s", image, verdict(got))
					}
				}
			})
		}
	})
}

// TestImageNames asks Kyverno, without any registry, whether the emitted
// references meet an image that is written in another way.
func TestImageNames(t *testing.T) {
	const digest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	hub := []string{"docker.io/", "index.docker.io/", "registry-1.docker.io/"}
	for reference, repositories := range map[string][]string{
		"nginx":                   append([]string{"nginx", "library/nginx"}, each(hub, "nginx", "library/nginx")...),
		"library/nginx":           append([]string{"nginx", "library/nginx"}, each(hub, "nginx", "library/nginx")...),
		"docker.io/library/nginx": append([]string{"nginx", "library/nginx"}, each(hub, "nginx", "library/nginx")...),
		"acme/app":                append([]string{"acme/app"}, each(hub, "acme/app")...),
		"docker.io/acme/*":        append([]string{"acme/app", "acme/deep/app"}, each(hub, "acme/app")...),
		"ghcr.io/acme/app":        {"ghcr.io/acme/app"},
		"ghcr.io/acme/*":          {"ghcr.io/acme/app", "ghcr.io/acme/deep/app"},
		"ghcr.io/acme/app*":       {"ghcr.io/acme/app", "ghcr.io/acme/app2"},
		"localhost:5000/app":      {"localhost:5000/app"},
		"*":                       {"nginx", "acme/app", "ghcr.io/acme/app", "localhost:5000/app", "index.docker.io/x"},
	} {
		bundle := compile(t, imageProfile(keySources(imagetest.NewSigner(t).PublicKey)["inline"], nil, reference), nil)
		var globs []string
		for _, glob := range rulesOf(policyNamed(t, applied(bundle, enforced), "verify-images-all"))[0]["verifyImages"].([]any)[0].(map[string]any)["imageReferences"].([]any) {
			globs = append(globs, glob.(string))
		}
		for _, repository := range repositories {
			for _, version := range []string{"", ":latest", ":v1", digest, ":v1" + digest} {
				info, err := imageutils.GetImageInfo(repository+version, config.NewDefaultConfiguration(false))
				if err != nil {
					t.Errorf("%s%s: %v", repository, version, err)
				} else if !engineutils.ImageMatches(info.String(), globs) {
					t.Errorf("the reference %s does not cover %s%s, which Kyverno reads as %s", reference, repository, version, info)
				}
			}
		}
	}
}

// each puts every prefix before every name.
func each(prefixes []string, names ...string) []string {
	var out []string
	for _, prefix := range prefixes {
		for _, name := range names {
			out = append(out, prefix+name)
		}
	}
	return out
}

// TestImageOfLongerName does not take an image for another one whose name it begins with.
func TestImageOfLongerName(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		f.Push(t, "team/app2")
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/team/app")), nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		if got := k.ask(t, imagePod(t, f.Host+"/team/app2:v1")); got.Blocked {
			t.Errorf("app2 is judged by the rule for app: %s", verdict(got))
		}
	})
}

// TestMovedTag moves a tag from a signed image to an unsigned one after the
// signed one was admitted. The evaluator has no cache of results, so the test
// also looks at the setting that keeps Kyverno from using its own.
func TestMovedTag(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		if got := k.ask(t, imagePod(t, f.Host+"/signed:v1")); got.Blocked || !strings.Contains(string(got.Patched), "/signed:v1@"+f.digests["signed"]) {
			t.Fatalf("the signed image: %s, patched %s", verdict(got), got.Patched)
		}
		f.Push(t, "signed")
		if got := k.ask(t, imagePod(t, f.Host+"/signed:v1")); !got.Blocked {
			t.Errorf("the tag now names an unsigned image, which is admitted: %s", verdict(got))
		}
		if with(nil)["kyverno"].(object)["policyType"] != catalog.ClusterPolicy {
			return // the evaluator has the cache, and is asked about digests
		}
		for _, rule := range rulesOf(policyNamed(t, applied(bundle, enforced), "verify-images-all")) {
			for _, entry := range rule["verifyImages"].([]any) {
				if entry.(map[string]any)["useCache"] != false {
					t.Error("an enforced rule uses Kyverno's cache")
				}
			}
		}
	})
}

// TestRequiredDigest wants a digest in the reference itself.
func TestRequiredDigest(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], object{"requireDigest": true}, f.Host+"/*")), nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		for image, blocked := range map[string]bool{"signed:v1": true, "signed": true, "signed@" + f.digests["signed"]: false, "signed:v1@" + f.digests["signed"]: false} {
			if got := k.ask(t, imagePod(t, f.Host+"/"+image)); got.Blocked != blocked {
				t.Errorf("%s: blocked is %v: %s", image, got.Blocked, verdict(got))
			}
		}
	})
}

// TestAttestationIsNoSignature has images that carry an attestation by the
// right key and no signature; the second one's is stored where signatures are.
func TestAttestationIsNoSignature(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		for repository, tag := range map[string]string{"attested": standin.AttestationTag, "disguised": standin.SignatureTag} {
			f.Attest(t, repository, f.Push(t, repository), tag, f.signer)
		}
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		for _, repository := range []string{"attested", "disguised"} {
			if got := k.ask(t, imagePod(t, f.Host+"/"+repository+":v1")); !got.Blocked {
				t.Errorf("%s: an attestation counts as a signature: %s", repository, verdict(got))
			}
		}
	})
}

// TestSignatureOfAnotherImage stores the signature of one image with another image.
func TestSignatureOfAnotherImage(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		victim := f.Push(t, "victim")
		f.SignFor(t, "victim", victim, f.Push(t, "elsewhere"), f.signer)
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		if got := k.ask(t, imagePod(t, f.Host+"/victim:v1")); !got.Blocked {
			t.Errorf("a signature of another image counts: %s", verdict(got))
		}
	})
}

// TestAttestorCount asks for both of two keys, and for one of them.
func TestAttestorCount(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		both := f.Push(t, "both")
		f.Sign(t, "both", both, f.signer, f.other)
		for _, tt := range []struct {
			name      string
			attestors any
			admitted  []string
			refused   []string
		}{
			{"all", []any{"a", "b"}, []string{"both"}, []string{"signed", "other-key", "unsigned"}},
			{"one of two", object{"count": 1, "of": []any{"a", "b"}}, []string{"both", "signed", "other-key"}, []string{"unsigned"}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				spec := object{"controls": object{"verify-images": object{}}, "trust": object{
					"attestors": []any{object{"name": "a", "keys": object{"publicKeys": f.signer.PublicKey}}, object{"name": "b", "keys": object{"publicKeys": f.other.PublicKey}}},
					"images":    []any{object{"name": "all", "references": []any{f.Host + "/*"}, "attestors": tt.attestors}},
				}}
				bundle := compile(t, with(spec), nil)
				k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
				for _, image := range tt.admitted {
					wantGood(t, k, imagePod(t, f.Host+"/"+image+":v1"))
				}
				for _, image := range tt.refused {
					if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); !got.Blocked {
						t.Errorf("%s is admitted: %s", image, verdict(got))
					}
				}
			})
		}
	})
}

// TestRegistryDown stops the registry: what is audited passes, what is enforced does not.
func TestRegistryDown(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), nil)
		f.Close()
		for env, blocked := range map[string]bool{audited: false, mixed: false, enforced: true} {
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, env))
			if got := k.ask(t, imagePod(t, f.Host+"/signed:v1")); got.Blocked != blocked {
				t.Errorf("%s: blocked is %v: %s", env, got.Blocked, verdict(got))
			}
		}
	})
}

// TestKeyless verifies certificates of a private authority against issuer and
// subject as the compiler writes them. The authority and the switches for
// working offline are put into the emitted policy.
func TestKeyless(t *testing.T) {
	const (
		issuer  = "https://token.actions.githubusercontent.com"
		subject = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"
	)
	f := newFixture(t)
	authority, foreign := imagetest.NewAuthority(t), imagetest.NewAuthority(t)
	for repository, signer := range map[string]*standin.Signer{
		"right":             imagetest.Issue(t, authority, standin.Identity{Subject: subject, Issuer: issuer}),
		"other-subject":     imagetest.Issue(t, authority, standin.Identity{Subject: "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1", Issuer: issuer}),
		"longer-subject":    imagetest.Issue(t, authority, standin.Identity{Subject: subject + "1", Issuer: issuer}),
		"other-issuer":      imagetest.Issue(t, authority, standin.Identity{Subject: subject, Issuer: "https://issuer.evil.example"}),
		"no-issuer":         imagetest.Issue(t, authority, standin.Identity{Subject: subject}),
		"no-identity":       imagetest.Issue(t, authority, standin.Identity{}),
		"no-subject":        imagetest.Issue(t, authority, standin.Identity{Issuer: issuer}),
		"foreign-authority": imagetest.Issue(t, foreign, standin.Identity{Subject: subject, Issuer: issuer}),
		"bare-key":          imagetest.NewSigner(t),
	} {
		f.Sign(t, repository, f.Push(t, repository), signer)
	}
	for name, identity := range map[string]object{
		"exact":  {"issuer": issuer, "subject": subject},
		"regexp": {"issuerRegExp": `^https://token\.actions\.githubusercontent\.com$`, "subjectRegExp": `^https://github\.com/acme/app/\.github/workflows/release\.yml@refs/tags/v[0-9]$`},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := compile(t, imageProfile(object{"keyless": identity}, nil, f.Host+"/*"), nil)
			k := newCluster(t, bundle.Plan.ExceptionNamespace, offline(t, bundle, authority))
			wantGood(t, k, imagePod(t, f.Host+"/right:v1"))
			for _, repository := range []string{"other-subject", "longer-subject", "other-issuer", "no-issuer", "no-identity", "foreign-authority", "bare-key", "signed", "unsigned"} {
				if got := k.ask(t, imagePod(t, f.Host+"/"+repository+":v1")); !got.Blocked {
					t.Errorf("%s is admitted: %s", repository, verdict(got))
				}
			}
			// Kyverno compares no subject where a certificate has none. Fulcio issues no such certificate, a private
			// authority may: this is why the language has no roots.
			if got := k.ask(t, imagePod(t, f.Host+"/no-subject:v1")); got.Blocked {
				t.Errorf("Kyverno now refuses a certificate without a subject; roots could be allowed: %s", verdict(got))
			}
		})
	}
}

// offline are the enforced objects of a bundle with a private authority in the
// place of the public one.
func offline(t *testing.T, bundle *generator.Bundle, authority *standin.Authority) []manifest.Object {
	t.Helper()
	policy := clone(t, policyNamed(t, applied(bundle, enforced), "verify-images-all"))
	for _, rule := range rulesOf(policy) {
		for _, entry := range rule["verifyImages"].([]any) {
			for _, set := range entry.(map[string]any)["attestors"].([]any) {
				for _, attestor := range set.(map[string]any)["entries"].([]any) {
					keyless := attestor.(map[string]any)["keyless"].(map[string]any)
					keyless["roots"] = authority.Roots
					keyless["rekor"] = object{"url": "https://rekor.invalid", "ignoreTlog": true}
					keyless["ctlog"] = object{"ignoreSCT": true}
				}
			}
		}
	}
	return []manifest.Object{policy}
}
