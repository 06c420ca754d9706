package evaluator_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/internal/engine"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageRegistry is a registry in this process.
type imageRegistry struct {
	server *httptest.Server
	host   string
}

func newRegistry(t testing.TB) *imageRegistry {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return &imageRegistry{server: server, host: strings.TrimPrefix(server.URL, "http://")}
}

// push pushes an image of its own under repository:v1 and returns its digest.
func (r *imageRegistry) push(t testing.TB, repository string) v1.Hash {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, repository+":v1", image)
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func (r *imageRegistry) write(t testing.TB, tag string, image v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(r.host + "/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
}

// sign stores a signature as cosign does: the "simple signing" payload as a layer of an image tagged sha256-….sig, the
// signature over it in an annotation of the layer (cosign specs/SIGNATURE_SPEC.md).
func (r *imageRegistry) sign(t testing.TB, repository string, digest v1.Hash, key *ecdsa.PrivateKey) {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
	sum := sha256.Sum256(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signature)},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, repository+":"+strings.ReplaceAll(digest.String(), ":", "-")+".sig", image)
}

func newKey(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// signedPolicy demands a signature by the key on every image of the host, without any service of sigstore.
func signedPolicy(t testing.TB, host, publicKey, action, failurePolicy string) json.RawMessage {
	t.Helper()
	strict := fmt.Sprint(action == "Enforce")
	quoted, err := json.Marshal(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: signed}, spec: {background: false,
  webhookConfiguration: {failurePolicy: `+failurePolicy+`}, rules: [{name: signature, match: {any: [{resources: {kinds: [Pod]}}]},
  verifyImages: [{imageReferences: ["`+host+`/*"], failureAction: `+action+`, mutateDigest: `+strict+`, verifyDigest: `+strict+`, required: `+strict+`, useCache: false,
  attestors: [{entries: [{keys: {publicKeys: `+string(quoted)+`, rekor: {url: "https://rekor.invalid", ignoreTlog: true}, ctlog: {ignoreSCT: true}}}]}]}]}]}}`)
}

// TestImages verifies real signatures against a registry in this process.
func TestImages(t *testing.T) {
	r := newRegistry(t)
	key, publicKey := newKey(t)
	foreign, _ := newKey(t)
	signed, unsigned, other := r.push(t, "team/signed"), r.push(t, "team/unsigned"), r.push(t, "team/other")
	r.sign(t, "team/signed", signed, key)
	r.sign(t, "team/other", other, foreign)
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{signedPolicy(t, r.host, publicKey, "Enforce", "Fail")}})

	tests := []struct {
		name    string
		image   string
		blocked bool
		message string
		patched string // part of the patched object
	}{
		{"signed, by tag", "team/signed:v1", false, "verified", "team/signed:v1@" + signed.String()},
		{"signed, by digest", "team/signed@" + signed.String(), false, "verified", "kyverno.io/verify-images"},
		{"signed, by tag and digest", "team/signed:v1@" + signed.String(), false, "verified", "kyverno.io/verify-images"},
		{"unsigned, by tag", "team/unsigned:v1", true, "no signatures found", ""},
		{"unsigned, by digest", "team/unsigned@" + unsigned.String(), true, "no signatures found", ""},
		{"unsigned, by tag and digest", "team/unsigned:v1@" + unsigned.String(), true, "no signatures found", ""},
		{"signed by another key", "team/other:v1", true, "no matching signatures", ""},
		{"no such image", "team/absent:v1", true, "team/absent:v1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", `{containers: [{name: c, image: "`+r.host+"/"+tt.image+`"}]}`)})
			if got.Blocked != tt.blocked || len(got.Results) != 1 || got.Results[0].Blocks != tt.blocked || got.Results[0].Type != "ImageVerify" ||
				got.Results[0].Action != protocol.ActionEnforce || !strings.Contains(got.Results[0].Message, tt.message) {
				t.Errorf("got %+v, want blocked %v and a message with %q", got, tt.blocked, tt.message)
			}
			if !strings.Contains(string(got.Patched), tt.patched) || tt.blocked != (got.Patched == nil) {
				t.Errorf("patched is %s, want %q in it", got.Patched, tt.patched)
			}
		})
	}

	t.Run("Deployment by autogen", func(t *testing.T) {
		got := evaluate(t, e, protocol.EvaluateParams{Resource: object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: "`+
			r.host+`/team/unsigned:v1"}]}}}}`)})
		if diff := cmp.Diff([]row{{rule: "autogen-signature", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}}, rows(got), cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
	t.Run("DELETE is not verified", func(t *testing.T) {
		got := evaluate(t, e, protocol.EvaluateParams{Operation: protocol.Delete, Resource: pod(t, "web", "payments", `{containers: [{name: c, image: "`+r.host+`/team/unsigned:v1"}]}`)})
		if got.Blocked || len(got.Results) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestImagesAudited pins DESIGN 2: an audited image rule blocks neither a bad image nor anything while the registry is down, and says so.
func TestImagesAudited(t *testing.T) {
	r := newRegistry(t)
	_, publicKey := newKey(t)
	r.push(t, "team/unsigned")
	resource := pod(t, "web", "payments", `{containers: [{name: c, image: "`+r.host+`/team/unsigned:v1"}]}`)
	e := newEvaluator(t)
	load := func(failurePolicy string) {
		t.Helper()
		if result, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{signedPolicy(t, r.host, publicKey, "Audit", failurePolicy)}}); err != nil || result.Err() != nil {
			t.Fatal(err, result.Err())
		}
	}
	load("Ignore")
	want := []row{{rule: "signature", result: protocol.OutcomeFail, action: protocol.ActionAudit}}
	if diff := cmp.Diff(want, rows(evaluate(t, e, protocol.EvaluateParams{Resource: resource})), cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("bad image (-want +got):\n%s", diff)
	}
	r.server.Close()
	want = []row{{rule: "signature", result: protocol.OutcomeError, action: protocol.ActionAudit}}
	if diff := cmp.Diff(want, rows(evaluate(t, e, protocol.EvaluateParams{Resource: resource})), cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("registry down (-want +got):\n%s", diff)
	}
	load("Fail")
	if got := evaluate(t, e, protocol.EvaluateParams{Resource: resource}); !got.Blocked || !got.Results[0].Blocks {
		t.Errorf("Audit under failurePolicy Fail: %+v; the cluster refuses this", got)
	}
}
