package proof_test

import (
	"crypto/x509"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	"github.com/gatehouse-dev/gatehouse/engine/standin"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	ciIssuer  = "https://token.actions.githubusercontent.com"
	ciSubject = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"
)

// ciIdentities are ways to name the same identity in a profile.
func ciIdentities() map[string]object {
	return map[string]object{
		"exact":  {"issuer": ciIssuer, "subject": ciSubject},
		"regexp": {"issuerRegExp": `^https://token\.actions\.githubusercontent\.com$`, "subjectRegExp": `^https://github\.com/acme/app/\.github/workflows/release\.yml@refs/tags/v[0-9]$`},
	}
}

// sigstore returns the stand-in for sigstore's trust root, served.
func sigstore(t *testing.T) *standin.Sigstore {
	t.Helper()
	s, err := standin.TheSigstore()
	if err == nil {
		err = s.Serve()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trusting are the objects with the trust root of a stand-in at a mirror, and without logs.
func trusting(t *testing.T, s *standin.Sigstore, mirror string, objects []manifest.Object) []manifest.Object {
	t.Helper()
	var out []manifest.Object
	for _, o := range objects {
		o = clone(t, o)
		for _, a := range o.Maps("spec", "attestors") {
			cosign := a["cosign"].(map[string]any)
			cosign["tuf"] = map[string]any{"mirror": mirror, "root": map[string]any{"data": base64.StdEncoding.EncodeToString(s.Root)}}
			cosign["ctlog"] = map[string]any{"insecureIgnoreSCT": true, "insecureIgnoreTlog": true}
		}
		out = append(out, o)
	}
	return out
}

// TestKeylessInCEL verifies certificates of sigstore's authority, and of others, in both formats, against issuer and
// subject as the compiler writes them.
func TestKeylessInCEL(t *testing.T) {
	f, s := newFixture(t), sigstore(t)
	rival, err := s.Authority.Rival()
	if err != nil {
		t.Fatal(err)
	}
	right := standin.Identity{Subject: ciSubject, Issuer: ciIssuer}
	changed := func(identity standin.Identity, change func(*x509.Certificate)) *standin.Signer {
		signer, err := s.Authority.IssueChanged(identity, change)
		if err != nil {
			t.Fatal(err)
		}
		return signer
	}
	signers := map[string]*standin.Signer{
		"right":          imagetest.Issue(t, s.Authority, right),
		"other-subject":  imagetest.Issue(t, s.Authority, standin.Identity{Subject: "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1", Issuer: ciIssuer}),
		"longer-subject": imagetest.Issue(t, s.Authority, standin.Identity{Subject: ciSubject + "1", Issuer: ciIssuer}),
		"other-issuer":   imagetest.Issue(t, s.Authority, standin.Identity{Subject: ciSubject, Issuer: "https://issuer.evil.example"}),
		"no-issuer":      imagetest.Issue(t, s.Authority, standin.Identity{Subject: ciSubject}),
		"no-identity":    imagetest.Issue(t, s.Authority, standin.Identity{}),
		"no-subject":     imagetest.Issue(t, s.Authority, standin.Identity{Issuer: ciIssuer}), // a ClusterPolicy with roots admits it
		"rival":          imagetest.Issue(t, rival, right),
		"bare-key":       f.signer,
		"common-name":    changed(standin.Identity{Issuer: ciIssuer}, func(c *x509.Certificate) { c.Subject.CommonName = ciSubject }),
		"dns-name":       changed(standin.Identity{Issuer: ciIssuer}, func(c *x509.Certificate) { c.DNSNames = []string{"github.com"} }),
		"mail":           imagetest.Issue(t, s.Authority, standin.Identity{Subject: "ci@github.com", Issuer: ciIssuer}),
		"expired":        changed(right, func(c *x509.Certificate) { c.NotAfter = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"for-servers":    changed(right, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	}
	for name, signer := range signers {
		f.Sign(t, name, f.Push(t, name), signer)
		f.Bundle(t, name+"-bundle", f.Push(t, name+"-bundle"), standin.CosignSignature, signer)
	}
	f.Bundle(t, "attested", f.Push(t, "attested"), standin.VulnerabilityScan, signers["right"])
	scanned := f.Push(t, "scanned")
	f.Sign(t, "scanned", scanned, signers["right"])
	f.Bundle(t, "scanned", scanned, standin.VulnerabilityScan, signers["right"])
	for name, identity := range ciIdentities() {
		t.Run(name, func(t *testing.T) {
			bundle := compile(t, inCEL(imageProfile(object{"keyless": identity}, nil, f.Host+"/*")), nil)
			k := newCluster(t, bundle.Plan.ExceptionNamespace, trusting(t, s, standin.Mirror, applied(bundle, enforced)))
			for _, image := range append(slices.Sorted(maps.Keys(signers)), "attested", "scanned", "unsigned") {
				for _, format := range []string{"", "-bundle"} {
					if got := k.ask(t, imagePod(t, f.Host+"/"+image+format+":v1")); got.Blocked != (image != "right") {
						t.Errorf("%s: blocked is %v: %s", image+format, got.Blocked, verdict(got))
					}
				}
			}
		})
	}
}

// counted counts requests.
type counted struct {
	http.RoundTripper
	requests *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c counted) RoundTrip(req *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return c.RoundTripper.RoundTrip(req)
}

// TestTrustRootDown: without sigstore's trust root, what is audited passes, and what is enforced does not. It is asked
// again for each question about a signature.
func TestTrustRootDown(t *testing.T) {
	f, s := newFixture(t), sigstore(t)
	f.Sign(t, "right", f.Push(t, "right"), imagetest.Issue(t, s.Authority, standin.Identity{Subject: ciSubject, Issuer: ciIssuer}))
	bundle := compile(t, inCEL(imageProfile(object{"keyless": ciIdentities()["exact"]}, nil, f.Host+"/*")), nil)
	for env, blocked := range map[string]bool{audited: false, mixed: false, enforced: true} {
		k := newCluster(t, bundle.Plan.ExceptionNamespace, trusting(t, s, standin.Mirror+"/gone", applied(bundle, env)))
		if got := k.ask(t, imagePod(t, f.Host+"/right:v1")); got.Blocked != blocked {
			t.Errorf("%s: blocked is %v: %s", env, got.Blocked, verdict(got))
		}
	}
	var requests atomic.Int64
	http.DefaultTransport.(*http.Transport).RegisterProtocol("httpcounted", counted{s, &requests})
	k := newCluster(t, bundle.Plan.ExceptionNamespace, trusting(t, s, strings.Replace(standin.Mirror, "httpstandin", "httpcounted", 1), applied(bundle, enforced)))
	ask := func() int64 {
		before := requests.Load()
		if got := k.ask(t, imagePod(t, f.Host+"/right:v1")); got.Blocked {
			t.Errorf("refused: %s", verdict(got))
		}
		return requests.Load() - before
	}
	// Kyverno has two clients, of which the other one stays with the first mirror of the process.
	if first, next := ask(), ask(); first <= next || next != 6 {
		t.Errorf("one client asks %d and %d times for a Pod with one image; docs/image-traps.md says how often", first, next)
	}
}
