package proof_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/engine/standin"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const slsaProvenance = "https://slsa.dev/provenance/v1"

// TestAttestationFormats says which formats of attestations count with each kind of policies
// (docs/image-traps.md#demanded-attestations). All images are signed in both.
func TestAttestationFormats(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"older", "bundle", "both", "none"} {
		digest := f.Push(t, name)
		f.Sign(t, name, digest, f.signer)
		attested := standin.Statements(digest, slsaProvenance, f.signer)
		bundles := standin.Statements(digest, standin.CosignSignature, f.signer)
		if name == "older" || name == "both" {
			f.State(t, name, digest, standin.AttestationTag, attested...)
		}
		if name == "bundle" || name == "both" {
			bundles = append(bundles, attested...)
		}
		f.Bundles(t, name, digest, bundles...)
	}
	admitted := map[string][]string{catalog.ClusterPolicy: {"older", "both"}, catalog.ValidatingPolicy: {"bundle", "both"}}
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		spec := with(imageProfile(keySources(f.signer.PublicKey)["inline"], object{"attestations": []any{object{"type": slsaProvenance}}}, f.Host+"/*"))
		bundle := compile(t, spec, nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		blocked := map[string]bool{"older": true, "bundle": true, "both": true, "none": true}
		for _, name := range admitted[spec["kyverno"].(object)["policyType"].(string)] {
			blocked[name] = false
		}
		for image, want := range blocked {
			if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked != want {
				t.Errorf("%s: blocked is %v: %s", image, got.Blocked, verdict(got))
			}
		}
	})
}

// TestLastAttestationInCEL fails when Kyverno shows all attestations of a type to expressions: then conditions can be in
// CEL, too (docs/image-traps.md#attestations-in-cel).
func TestLastAttestationInCEL(t *testing.T) {
	f := newFixture(t)
	statement := func(predicate string) standin.Statement {
		return standin.Statement{Type: slsaProvenance, Predicate: predicate, Signer: f.signer}
	}
	for name, statements := range map[string][]standin.Statement{
		"bad-good": {statement(`{"ok":false}`), statement(`{"ok":true}`)}, "good-bad": {statement(`{"ok":true}`), statement(`{"ok":false}`)},
	} {
		digest := f.Push(t, name)
		for i := range statements {
			statements[i].Subject = digest
		}
		f.Bundles(t, name, digest, append(standin.Statements(digest, standin.CosignSignature, f.signer), statements...)...)
	}
	bundle := compile(t, inCEL(imageProfile(keySources(f.signer.PublicKey)["inline"], object{"attestations": []any{object{"type": slsaProvenance}}}, f.Host+"/*")), nil)
	var objects []manifest.Object
	for _, o := range applied(bundle, enforced) {
		o = clone(t, o)
		for _, v := range o.Maps("spec", "variables") {
			if v.String("name") == "attested" {
				v["expression"] = "variables.signed.filter(d, verifyAttestationSignatures(d, attestations.t1, [attestors.t1a1]) > 0 && extractPayload(d, attestations.t1).predicate.ok)"
			}
		}
		objects = append(objects, o)
	}
	k := newCluster(t, bundle.Plan.ExceptionNamespace, objects)
	for image, blocked := range map[string]bool{"bad-good": false, "good-bad": true} {
		if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked != blocked {
			t.Errorf("%s: blocked is %v: %s", image, got.Blocked, verdict(got))
		}
	}
}
