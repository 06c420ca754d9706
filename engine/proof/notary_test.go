package proof_test

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	"github.com/gatehouse-dev/gatehouse/engine/standin"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// subject gives a certificate a name, as those of the Notary Project have one.
func subject(c *x509.Certificate) { c.Subject.CommonName = "signer" }

// TestNotary verifies signatures of the Notary Project in both formats, and refuses what only looks like one.
func TestNotary(t *testing.T) {
	f := newFixture(t)
	authority, foreign := imagetest.NewAuthority(t), imagetest.NewAuthority(t)
	signer, stranger := imagetest.IssueChanged(t, authority, subject), imagetest.IssueChanged(t, foreign, subject)
	changed := func(change func(*x509.Certificate)) *standin.Signer {
		return imagetest.IssueChanged(t, authority, func(c *x509.Certificate) {
			subject(c)
			change(c)
		})
	}
	admitted := map[string]bool{"signed": false, "other-key": false, "unsigned": false} // those of cosign
	add := func(repository string, good bool, signatures ...standin.Notation) {
		digest := f.Push(t, repository)
		for i := range signatures {
			if signatures[i].Signed.Hex == "" {
				signatures[i].Signed = digest
			}
		}
		f.Notarize(t, repository, digest, signatures...)
		admitted[repository] = good
	}
	add("jws", true, standin.Notation{Signer: signer})
	add("cose", true, standin.Notation{Signer: signer, Format: standin.COSE})
	add("after-a-strangers", true, standin.Notation{Signer: stranger}, standin.Notation{Signer: signer})
	add("a-strangers", false, standin.Notation{Signer: stranger})
	add("a-siblings", false, standin.Notation{Signer: imagetest.IssueChanged(t, authority, subject)}) // if only the signer is trusted
	add("other-payload", false, standin.Notation{Signer: signer, Payload: "application/vnd.in-toto+json"})
	add("of-another", false, standin.Notation{Signer: signer, Signed: f.Push(t, "another")})
	add("ended", false, standin.Notation{Signer: changed(func(c *x509.Certificate) { c.NotAfter = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC) })})
	add("revoked-for-all-that-is-known", false, standin.Notation{Signer: changed(func(c *x509.Certificate) { c.OCSPServer = []string{"http://127.0.0.1:1/ocsp"} })})
	materials := f.Push(t, "bill-of-materials")
	f.NotarizeBillOfMaterials(t, "bill-of-materials", materials, signer)
	admitted["bill-of-materials"] = false
	bundled := f.Push(t, "bundled")
	f.Bundle(t, "bundled", bundled, standin.CosignSignature, signer)
	admitted["bundled"] = false
	moved := f.Push(t, "moved")
	f.Notarize(t, "moved", moved, standin.Notation{Signed: moved, Signer: signer})
	f.Push(t, "moved")
	admitted["moved"] = false
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		for name, certificates := range map[string]string{"authority": authority.Roots, "signer": signer.Certificate} {
			t.Run(name, func(t *testing.T) {
				bundle := compile(t, with(imageProfile(object{"notary": object{"file": "trust.pem"}}, nil, f.Host+"/*")), map[string]any{"trust.pem": certificates})
				k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
				for image, good := range admitted {
					good = good || image == "a-siblings" && name == "authority"
					if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked == good {
						t.Errorf("%s: blocked is %v: %s", image, got.Blocked, verdict(got))
					}
				}
			})
		}
	})
}

// TestNotaryCount demands signatures by two authorities, and by one of two.
func TestNotaryCount(t *testing.T) {
	f := newFixture(t)
	authorities := []*standin.Authority{imagetest.NewAuthority(t), imagetest.NewAuthority(t)}
	first, second := imagetest.IssueChanged(t, authorities[0], subject), imagetest.IssueChanged(t, authorities[1], subject)
	for repository, signers := range map[string][]*standin.Signer{"first": {first}, "second": {second}, "both": {first, second}, "twice": {first, first}, "none": nil} {
		digest := f.Push(t, repository)
		var signatures []standin.Notation
		for _, s := range signers {
			signatures = append(signatures, standin.Notation{Signed: digest, Signer: s})
		}
		f.Notarize(t, repository, digest, signatures...)
	}
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		for count, good := range map[int][]string{1: {"first", "second", "both", "twice"}, 2: {"both"}} {
			spec := with(object{
				"controls": object{"verify-images": object{}},
				"trust": object{
					"attestors": []any{object{"name": "a", "notary": object{"file": "a.pem"}}, object{"name": "b", "notary": object{"file": "b.pem"}}},
					"images":    []any{object{"name": "all", "references": []any{f.Host + "/*"}, "attestors": object{"count": count, "of": []any{"a", "b"}}}},
				},
			})
			bundle := compile(t, spec, map[string]any{"a.pem": authorities[0].Roots, "b.pem": authorities[1].Roots})
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
			admitted := map[string]bool{}
			for _, image := range good {
				admitted[image] = true
			}
			for _, image := range []string{"first", "second", "both", "twice", "none", "unsigned"} {
				if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked == admitted[image] {
					t.Errorf("%d of two: %s: blocked is %v: %s", count, image, got.Blocked, verdict(got))
				}
			}
		}
	})
}

// TestNotaryRegistryDown stops the registry: what is audited passes, what is enforced does not.
func TestNotaryRegistryDown(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		authority := imagetest.NewAuthority(t)
		digest := f.Push(t, "app")
		f.Notarize(t, "app", digest, standin.Notation{Signed: digest, Signer: imagetest.IssueChanged(t, authority, subject)})
		bundle := compile(t, with(imageProfile(object{"notary": object{"file": "trust.pem"}}, nil, f.Host+"/*")), map[string]any{"trust.pem": authority.Roots})
		f.Close()
		for env, blocked := range map[string]bool{audited: false, mixed: false, enforced: true} {
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, env))
			if got := k.ask(t, imagePod(t, f.Host+"/app:v1")); got.Blocked != blocked {
				t.Errorf("%s: blocked is %v: %s", env, got.Blocked, verdict(got))
			}
		}
	})
}

// ended lets a certificate end before the test.
func ended(c *x509.Certificate) { c.NotAfter = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC) }

// withoutCertificate returns the signer with its key only.
func withoutCertificate(s *standin.Signer) *standin.Signer {
	bare := *s
	bare.Certificate, bare.Chain = "", ""
	return &bare
}

// TestCertificates demands signatures by the key of a certificate. Of one that ended, Kyverno refuses signatures that it
// lies beside (docs/adr/0023-certificates-are-keys.md).
func TestCertificates(t *testing.T) {
	f := newFixture(t)
	authority := imagetest.NewAuthority(t)
	signer, sibling, old := imagetest.IssueChanged(t, authority, subject), imagetest.IssueChanged(t, authority, subject), imagetest.IssueChanged(t, authority, ended)
	for repository, by := range map[string]*standin.Signer{
		"with-certificate": signer, "without-certificate": withoutCertificate(signer), "sibling": sibling,
		"old-with-certificate": old, "old-without-certificate": withoutCertificate(old),
	} {
		f.Sign(t, repository, f.Push(t, repository), by)
	}
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		for certificate, admitted := range map[string][]string{signer.Certificate: {"with-certificate", "without-certificate"}, old.Certificate: {"old-without-certificate"}} {
			bundle := compile(t, with(imageProfile(object{"certificates": object{"file": "signer.pem"}}, nil, f.Host+"/*")), map[string]any{"signer.pem": certificate})
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
			for _, image := range []string{"with-certificate", "without-certificate", "sibling", "old-with-certificate", "old-without-certificate", "signed", "unsigned"} {
				if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked == slices.Contains(admitted, image) {
					t.Errorf("%s: blocked is %v: %s", image, got.Blocked, verdict(got))
				}
			}
		}
	})
}

// TestKyvernoCertificates shows what Kyverno itself makes of certificates in a ClusterPolicy. The compiler emits none for
// signatures of cosign because of this (docs/image-traps.md#certificates-and-the-notary-project).
func TestKyvernoCertificates(t *testing.T) {
	f := newFixture(t)
	authority := imagetest.NewAuthority(t)
	right, old := imagetest.IssueChanged(t, authority, subject), imagetest.IssueChanged(t, authority, ended)
	for repository, by := range map[string]*standin.Signer{
		"right": right, "bare": withoutCertificate(right), "sibling": imagetest.IssueChanged(t, authority, subject),
		"old": old, "old-bare": withoutCertificate(old),
	} {
		f.Sign(t, repository, f.Push(t, repository), by)
	}
	for form, c := range map[string]struct {
		certificates object
		admitted     []string
	}{
		"cert":               {object{"cert": right.Certificate}, []string{"right", "bare"}},
		"old cert":           {object{"cert": old.Certificate}, []string{"old-bare"}},
		"cert and certChain": {object{"cert": right.Certificate, "certChain": authority.Roots}, nil},
		"certChain":          {object{"certChain": authority.Roots}, []string{"right", "sibling"}},
	} {
		c.certificates["rekor"], c.certificates["ctlog"] = object{"url": "https://rekor.invalid", "ignoreTlog": true}, object{"ignoreSCT": true}
		bundle := compile(t, imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*"), nil)
		policy := clone(t, policyNamed(t, applied(bundle, enforced), "verify-images-all"))
		for _, rule := range rulesOf(policy) {
			for _, entry := range rule["verifyImages"].([]any) {
				entry.(map[string]any)["attestors"] = []any{object{"entries": []any{object{"certificates": c.certificates}}}}
			}
		}
		k := newCluster(t, bundle.Plan.ExceptionNamespace, []manifest.Object{policy})
		for _, image := range []string{"right", "bare", "sibling", "old", "old-bare"} {
			if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked == slices.Contains(c.admitted, image) {
				t.Errorf("%s: %s: blocked is %v: %+v", form, image, got.Blocked, got.Results)
			}
		}
	}
}
