package evaluator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	"github.com/gatehouse-dev/gatehouse/engine/imagetest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// trusting demands a signature by the attestor on every image, as the compiler writes it.
func trusting(t testing.TB, attestor, more string) json.RawMessage {
	t.Helper()
	return object(t, `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: signed}, spec: {background: false, webhookConfiguration: {failurePolicy: Fail}, rules: [{
  name: signature, match: {any: [{resources: {kinds: [Pod]}}]}, context: [{name: keys0, configMap: {name: keys, namespace: kyverno}}], verifyImages: [{imageReferences: ["*"],
  failureAction: Enforce, mutateDigest: true, verifyDigest: true, required: true, `+more+`attestors: [{count: 1, entries: [`+attestor+`]}]}]}]}}`)
}

func quoted(t testing.TB, text string) string {
	t.Helper()
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// standInImages are signed by the attestor, by another key, not at all, or as the name says.
func standInImages(host string, by protocol.Signature) []protocol.Image {
	stranger := protocol.Signature{}
	if by.Identity != nil {
		stranger.Identity = &protocol.Identity{Issuer: by.Identity.Issuer, Subject: by.Identity.Subject, Foreign: true}
	}
	return []protocol.Image{
		{Reference: host + "/app:signed", Signatures: []protocol.Signature{stranger, by}},
		{Reference: host + "/app:unsigned"},
		{Reference: host + "/app:foreign", Signatures: []protocol.Signature{stranger}},
		{Reference: host + "/app:bare", Signatures: []protocol.Signature{{}}},
		{Reference: host + "/app:other", Signatures: []protocol.Signature{by}, Flaw: protocol.FlawOtherImage},
		{Reference: host + "/app:attested", Signatures: []protocol.Signature{by}, Flaw: protocol.FlawAttestation},
		{Reference: host + "/app:disguised", Signatures: []protocol.Signature{by}, Flaw: protocol.FlawDisguised},
	}
}

// TestStandIn has every kind of key and any registry replaced: nothing here is on the network.
func TestStandIn(t *testing.T) {
	pem := imagetest.NewSigner(t).PublicKey
	identity := &protocol.Identity{Issuer: "https://ci.example", Subject: "https://github.com/acme/app"}
	configMap := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: keys, namespace: kyverno}, data: {a.pub: `+quoted(t, pem)+`}}`)
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	const log = `, rekor: {url: "https://rekor.example"}`
	tests := []struct {
		name, attestor, key, more string
		by                        protocol.Signature
	}{
		{name: "inline", attestor: `{keys: {publicKeys: ` + quoted(t, pem) + `}}`, key: pem + "\n"},
		{name: "with a log", attestor: `{keys: {publicKeys: ` + quoted(t, pem) + log + `}}`, key: pem},
		{name: "ConfigMap", attestor: `{keys: {publicKeys: '{{ keys0.data."a.pub" }}'` + log + `}}`, key: pem},
		{name: "Secret", attestor: `{keys: {secret: {name: pub, namespace: kyverno}}}`, key: "k8s://kyverno/pub"},
		{name: "KMS", attestor: `{keys: {kms: "hashivault://release"}}`, key: "hashivault://release"},
		{name: "keyless", attestor: `{keyless: {issuer: "https://ci.example", subject: "https://github.com/acme/app"` + log + `}}`, by: protocol.Signature{Identity: identity}},
		{name: "with credentials", attestor: `{keys: {publicKeys: ` + quoted(t, pem) + `}}`, key: pem, more: `imageRegistryCredentials: {providers: [amazon], secrets: [pull]}, `},
	}
	for _, tt := range tests {
		for _, host := range []string{"ghcr.io/acme", "docker.io/acme", "localhost:5000"} {
			t.Run(tt.name+" "+host, func(t *testing.T) {
				stand := &protocol.StandIn{Images: standInImages(host, tt.by)}
				if tt.key != "" {
					tt.by.Attestor = "a"
					stand.Attestors, stand.Images = []protocol.Attestor{{Name: "a", Key: tt.key}}, standInImages(host, tt.by)
				}
				params := protocol.LoadParams{Policies: []json.RawMessage{trusting(t, tt.attestor, "useCache: false, "+tt.more)}, ConfigMaps: []json.RawMessage{configMap}, StandIn: stand}
				result, err := e.Load(params)
				if err != nil || result.Err() != nil {
					t.Fatal(err, result.Err())
				}
				for _, image := range stand.Images {
					digest := result.Digests[image.Reference]
					good := strings.HasSuffix(image.Reference, ":signed")
					for _, reference := range []string{image.Reference, image.Reference + "@" + digest, host + "/app@" + digest} {
						got := evaluate(t, e, protocol.EvaluateParams{Resource: pod(t, "web", "payments", `{imagePullSecrets: [{name: mine}], containers: [{name: c, image: "`+reference+`"}]}`)})
						if got.Blocked == good || len(got.Results) != 1 || good && !strings.Contains(string(got.Patched), "@"+digest) {
							t.Errorf("%s: %+v", reference, got)
						}
					}
				}
				if again, err := e.Load(params); err != nil || !cmp.Equal(again.Digests, result.Digests) || len(again.Digests) != len(stand.Images) {
					t.Errorf("digests: %v, %v, before %v", again.Digests, err, result.Digests)
				}
			})
		}
	}
}

// TestStandInProblems: what cannot be replaced is told, and not evaluated.
func TestStandInProblems(t *testing.T) {
	pem, other := imagetest.NewSigner(t).PublicKey, imagetest.NewSigner(t).PublicKey
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	inline := `{keys: {publicKeys: ` + quoted(t, pem) + `}}`
	tests := []struct{ name, attestor, more, key, want string }{
		{"another key", inline, "useCache: false, ", other, "ClusterPolicy/signed: rule signature: verifyImages[0].attestors[0].entries[0]: the key"},
		{"an attestor without use", `{keyless: {issuer: "https://ci.example", subject: "https://github.com/acme/app"}}`, "useCache: false, ", pem, "attestor a: its key is in no policy and no ConfigMap"},
		{"another Secret", `{keys: {secret: {name: pub, namespace: other}}}`, "useCache: false, ", "k8s://kyverno/pub", "is of no attestor"},
		{"a key in a KMS", inline + `, {keys: {kms: "hashivault://x"}}`, "useCache: false, ", pem, `the key "hashivault://x" is of no attestor`},
		{"custom roots", `{keyless: {issuer: i, subject: s, roots: r}}`, "useCache: false, ", pem, "nothing stands in for an attestor of this kind"},
		{"certificates", `{certificates: {cert: c}}`, "useCache: false, ", pem, "nothing stands in for an attestor of this kind"},
		{"results from the cache", inline, "useCache: true, ", pem, "enforced with useCache"},
		{"attestations by anyone", inline, "useCache: false, attestations: [{type: t}], ", pem, "attestations[0]: without attestors, anyone may attest"},
		{"attestations by another key", inline, "useCache: false, attestations: [{type: t, attestors: [{entries: [{keys: {kms: k}}]}]}], ", pem, `verifyImages[0].attestations[0].attestors[0].entries[0]: the key "k" is of no attestor`},
		{"bundles", inline, "useCache: false, type: SigstoreBundle, ", pem, "nothing stands in for signatures of type SigstoreBundle"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := e.Load(protocol.LoadParams{
				Policies: []json.RawMessage{trusting(t, tt.attestor, tt.more)}, StandIn: &protocol.StandIn{Attestors: []protocol.Attestor{{Name: "a", Key: tt.key}}},
			})
			if err != nil || result.Err() == nil || !strings.Contains(result.Err().Error(), tt.want) {
				t.Errorf("%v, %v", err, result.Err())
			}
			refused := len(result.Policies) == 0
			if _, err := e.Evaluate(t.Context(), protocol.EvaluateParams{Resource: pod(t, "web", "payments", goodSpec), Policies: []string{"signed"}}); refused && err == nil {
				t.Error("there is a verdict")
			}
		})
	}
}

// TestStandInMakesNoSense: what was loaded before stays.
func TestStandInMakesNoSense(t *testing.T) {
	a := protocol.Attestor{Name: "a", Key: "k"}
	image := protocol.Image{Reference: "ghcr.io/acme/app:v1"}
	signed := func(s protocol.Signature, flaw protocol.Flaw) []protocol.Image {
		return []protocol.Image{{Reference: image.Reference, Signatures: []protocol.Signature{s}, Flaw: flaw}}
	}
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		stand protocol.StandIn
		want  string
	}{
		"key twice":           {protocol.StandIn{Attestors: []protocol.Attestor{a, {Name: "b", Key: "k"}}}, `attestor "b"`},
		"attestor without":    {protocol.StandIn{Attestors: []protocol.Attestor{{Name: "a"}}}, `attestor "a"`},
		"image twice":         {protocol.StandIn{Images: []protocol.Image{image, image}}, "is given twice"},
		"no reference":        {protocol.StandIn{Images: []protocol.Image{{Reference: "A B"}}}, "image A B"},
		"unknown attestor":    {protocol.StandIn{Images: signed(protocol.Signature{Attestor: "b"}, "")}, `attestor "b" is not given`},
		"unknown flaw":        {protocol.StandIn{Images: signed(protocol.Signature{}, "odd")}, `flaw "odd"`},
		"flaw of an attested": {protocol.StandIn{Images: []protocol.Image{{Reference: image.Reference, Flaw: protocol.FlawBundle, Attestations: []protocol.Attestation{{}}}}}, "cannot have the flaw"},
		"subject of no kind":  {protocol.StandIn{Images: signed(protocol.Signature{Identity: &protocol.Identity{Subject: "a b"}}, "")}, `"a b" cannot be`},
	} {
		if _, err := e.Load(protocol.LoadParams{StandIn: &tt.stand}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
