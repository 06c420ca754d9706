package proof_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	"github.com/gatehouse-dev/gatehouse/engine/standin"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"github.com/kyverno/kyverno/pkg/cel/compiler"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	"github.com/kyverno/sdk/extensions/imagedataloader"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// inCEL is a profile with policies in CEL.
func inCEL(spec object) object {
	spec["kyverno"] = object{"policyType": catalog.ValidatingPolicy}
	return spec
}

// TestBundles has images with bundles: to Kyverno's ImageValidatingPolicy, any bundle by the key is a signature
// (docs/image-traps.md#bundles).
func TestBundles(t *testing.T) {
	f := newFixture(t)
	bundled := f.Push(t, "bundled")
	f.Bundle(t, "bundled", bundled, standin.CosignSignature, f.signer)
	attested := f.Push(t, "attested")
	f.Bundle(t, "attested", attested, standin.VulnerabilityScan, f.signer)
	foreign := f.Push(t, "foreign")
	f.Bundle(t, "foreign", foreign, standin.CosignSignature, f.other)
	both := f.Push(t, "both")
	f.Sign(t, "both", both, f.signer)
	f.Bundle(t, "both", both, standin.CosignSignature, f.signer)
	scanned := f.Push(t, "scanned")
	f.Sign(t, "scanned", scanned, f.signer)
	f.Bundle(t, "scanned", scanned, standin.VulnerabilityScan, f.signer)
	moved := f.Push(t, "moved")
	f.Bundle(t, "moved", moved, standin.CosignSignature, f.signer)
	f.Push(t, "moved")
	bundle := compile(t, inCEL(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for image, blocked := range map[string]bool{
		"signed": false, "bundled": false, "both": false,
		"attested": true, "foreign": true, "moved": true,
		"scanned": true, // Kyverno looks no further than at bundles if there are any
	} {
		if got := k.ask(t, imagePod(t, f.Host+"/"+image+":v1")); got.Blocked != blocked {
			t.Errorf("%s: blocked is %v: %s", image, got.Blocked, verdict(got))
		}
	}
}

// TestOneImageTwice asks about Pods that have an image more than once, before and after others. Kyverno waits without
// end if it is asked about an image twice, and then about another one (docs/image-traps.md#two-policies-one-image).
func TestOneImageTwice(t *testing.T) {
	f := newFixture(t)
	second := f.Push(t, "second")
	f.Sign(t, "second", second, f.signer)
	bundle := compile(t, inCEL(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	request := imagePod(t, "")
	one, two := f.Host+"/signed:v1", f.Host+"/second:v1"
	request.Resource = encode(t, object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": "shop"}, "spec": object{
		"initContainers": []any{calm("i", one), calm("j", one)},
		"containers":     []any{calm("c", one), calm("d", two), calm("e", one+"@"+f.digests["signed"])},
		"volumes":        []any{volume(two)},
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 { // what passed is remembered
			if got := k.ask(t, request); got.Blocked {
				t.Errorf("refused: %s", verdict(got))
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("no answer")
	}
}

// TestKyvernoWaitsWithoutEnd fails when Kyverno answers: then image policies could share a webhook.
func TestKyvernoWaitsWithoutEnd(t *testing.T) {
	f := newFixture(t)
	images, err := imagedataloader.NewImageContext(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string) {
		if _, err := images.Get(t.Context(), f.Host+"/"+name+":v1", nil, nil); err != nil {
			t.Error(err)
		}
	}
	get("signed")
	get("signed")
	done := make(chan struct{})
	go func() {
		defer close(done)
		get("unsigned")
	}()
	select {
	case <-done:
		t.Error("Kyverno no longer waits for a lock that it never gives back")
	case <-time.After(2 * time.Second):
	}
}

// TestImageNamesInCEL asks Kyverno whether the emitted expression covers an image that is written in another way.
func TestImageNamesInCEL(t *testing.T) {
	const digest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for reference, names := range map[string]struct{ covered, others []string }{
		"nginx": {
			[]string{"nginx", "library/nginx", "docker.io/nginx", "index.docker.io/library/nginx", "registry-1.docker.io/library/nginx", "docker.io:443/nginx", "Docker.IO/library/nginx"},
			[]string{"nginx2", "acme/nginx", "ghcr.io/nginx", "localhost/nginx"},
		},
		"docker.io/acme/*":     {[]string{"acme/app", "acme/deep/app", "docker.io/acme/app", "index.docker.io/acme/app"}, []string{"acme2/app", "ghcr.io/acme/app"}},
		"ghcr.io/acme/app":     {[]string{"ghcr.io/acme/app", "GHCR.io/acme/app", "ghcr.io:443/acme/app", "ghcr.io:0443/acme/app"}, []string{"ghcr.io/acme/app2", "ghcr.io:444/acme/app", "ghcr.io.example/acme/app", "example.org/ghcr.io/acme/app"}},
		"ghcr.io:443/acme/app": {[]string{"ghcr.io/acme/app", "ghcr.io:443/acme/app"}, []string{"ghcr.io:5000/acme/app"}},
		"ghcr.io/acme/app*":    {[]string{"ghcr.io/acme/app", "ghcr.io/acme/app2"}, []string{"ghcr.io/acme/ap"}},
		"localhost/app":        {[]string{"localhost/app"}, []string{"localhost:5000/app"}},
		"localhost:5000/app":   {[]string{"localhost:5000/app", "LOCALHOST:5000/app"}, []string{"localhost/app"}},
		"*":                    {[]string{"nginx", "acme/app", "ghcr.io/acme/app", "localhost/app", "localhost:5000/app"}, nil},
	} {
		bundle := compile(t, inCEL(imageProfile(keySources(imagetest.NewSigner(t).PublicKey)["inline"], nil, reference)), nil)
		objects := applied(bundle, enforced)
		policy := objects[slices.IndexFunc(objects, func(o manifest.Object) bool { return o.Kind() == "ImageValidatingPolicy" })]
		expression := policy.List("spec", "matchImageReferences")[0].(map[string]any)["expression"].(string)
		env, err := compiler.NewMatchImageEnv()
		if err != nil {
			t.Fatal(err)
		}
		matches, errs := compiler.CompileMatchImageReferences(field.NewPath("spec"), env, policiesv1beta1.MatchImageReference{Expression: expression})
		if len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		for covered, repositories := range map[bool][]string{true: names.covered, false: names.others} {
			for _, repository := range repositories {
				for _, version := range []string{"", ":latest", ":v1", ":V1-RC", digest, ":v1" + digest} {
					if got, err := matching.MatchImage(repository+version, matches...); got != covered || err != nil {
						t.Errorf("the reference %s covers %s%s: %v, %v", reference, repository, version, got, err)
					}
				}
			}
		}
	}
}
