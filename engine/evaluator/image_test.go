package evaluator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

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
	r := imagetest.NewRegistry(t)
	signer, foreign := imagetest.NewSigner(t), imagetest.NewSigner(t)
	signed, unsigned, other := r.Push(t, "team/signed"), r.Push(t, "team/unsigned"), r.Push(t, "team/other")
	r.Sign(t, "team/signed", signed, signer)
	r.Sign(t, "team/other", other, foreign)
	e := loaded(t, protocol.LoadParams{Policies: []json.RawMessage{signedPolicy(t, r.Host, signer.PublicKey, "Enforce", "Fail")}})

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
			got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", `{containers: [{name: c, image: "`+r.Host+"/"+tt.image+`"}]}`)})
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
			r.Host+`/team/unsigned:v1"}]}}}}`)})
		if diff := cmp.Diff([]row{{rule: "autogen-signature", result: protocol.OutcomeFail, action: protocol.ActionEnforce, blocks: true}}, rows(got), cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
	t.Run("DELETE is not verified", func(t *testing.T) {
		got := evaluate(t, e, protocol.EvaluateParams{Operation: protocol.Delete, Resource: pod(t, "web", "payments", `{containers: [{name: c, image: "`+r.Host+`/team/unsigned:v1"}]}`)})
		if got.Blocked || len(got.Results) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestImagesAudited: an audited image rule reports a bad image and blocks nothing, not even while the registry is down
// (docs/image-traps.md#audited-image-rules).
func TestImagesAudited(t *testing.T) {
	r := imagetest.NewRegistry(t)
	publicKey := imagetest.NewSigner(t).PublicKey
	r.Push(t, "team/unsigned")
	resource := pod(t, "web", "payments", `{containers: [{name: c, image: "`+r.Host+`/team/unsigned:v1"}]}`)
	e := newEvaluator(t)
	load := func(failurePolicy string) {
		t.Helper()
		if result, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{signedPolicy(t, r.Host, publicKey, "Audit", failurePolicy)}}); err != nil || result.Err() != nil {
			t.Fatal(err, result.Err())
		}
	}
	load("Ignore")
	want := []row{{rule: "signature", result: protocol.OutcomeFail, action: protocol.ActionAudit}}
	if diff := cmp.Diff(want, rows(evaluate(t, e, protocol.EvaluateParams{Resource: resource})), cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("bad image (-want +got):\n%s", diff)
	}
	r.Close()
	want = []row{{rule: "signature", result: protocol.OutcomeError, action: protocol.ActionAudit}}
	if diff := cmp.Diff(want, rows(evaluate(t, e, protocol.EvaluateParams{Resource: resource})), cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("registry down (-want +got):\n%s", diff)
	}
	load("Fail")
	if got := evaluate(t, e, protocol.EvaluateParams{Resource: resource}); !got.Blocked || !got.Results[0].Blocks {
		t.Errorf("Audit under failurePolicy Fail: %+v; the cluster refuses this", got)
	}
}
