package verdict

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// publicKey is the PEM block of a new key.
func publicKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// imageFiles is a source with an image rule, enforced in platform and audited in
// apps, and an exception from it.
func imageFiles(t *testing.T, rule string) map[string]string {
	t.Helper()
	quoted, err := json.Marshal(publicKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"release.pub": publicKey(t),
		"profile.yaml": `{apiVersion: gatehouse.dev/v1alpha1, kind: Profile, metadata: {name: acme}, spec: {controls: {verify-images: {}},
			namespaces: [{name: ops, tier: platform}, {name: shop, tier: apps}],
			trust: {attestors: [{name: key, keys: {publicKeys: ` + string(quoted) + `}}, {name: file, keys: {configMap: {name: keys, key: a.pub, file: release.pub}}},
				{name: vault, keys: {kms: "hashivault://release"}}, {name: secret, keys: {secret: {name: pub, file: release.pub}}},
				{name: ci, keyless: {issuer: "https://ci.example", subject: "https://github.com/acme/app"}}],
			images: [` + rule + `]}}}`,
		"environments.yaml": `
{apiVersion: gatehouse.dev/v1alpha1, kind: Environment, metadata: {name: dev}, spec: {ring: 1, stage: enforce-platform, allowSkip: true}}
---
{kind: Exception, metadata: {name: agent}, spec: {controls: [verify-images-acme], match: {namespaces: [ops], kinds: [DaemonSet], names: [agent]},
	images: ["ghcr.io/acme/*"], reason: because, owner: team, expires: 2027-03-31}}`,
	}
}

// TestRunImages: an engine that verifies as the plan says fails nothing, and every fault is found.
func TestRunImages(t *testing.T) {
	const rule = `{name: acme, references: [ghcr.io/acme/*, quay.io/acme/app], attestors: {count: 2, of: [key, file, ci]}`
	tests := []struct {
		name, rule string
		fake       fake
		want       []string // beginnings of check and case of failures that must be there
	}{
		{name: "as planned"},
		{name: "as planned without digests", rule: ", mutateDigest: false"},
		{name: "as planned with digests required", rule: ", requireDigest: true"},
		{name: "one attestor fewer", fake: fake{fewer: 1}, want: []string{"bad signed only by key, by tag", "bad signed only by ci, by digest", "bad signed with another issuer for ci"}},
		{name: "anything signed", fake: fake{fewer: 2}, want: []string{"bad unsigned, by tag", "bad unsigned-init-container", "bad kubectl-debug", "bad deployment-other-key"}},
		{name: "attestations count", fake: fake{anyFlaw: true}, want: []string{"bad attested and not signed", "bad attested instead of signed", "bad with the signatures of another image"}},
		{name: "any authority", fake: fake{anyAuthority: true}, want: []string{"bad signed with a certificate of another authority for ci"}},
		{name: "no digests", fake: fake{noDigests: true}, want: []string{"good signed by key, file, by tag", "good deployment-signed"}},
		{name: "audit changes objects", fake: fake{changes: true}, want: []string{"good signed by key, file, by tag"}},
		{name: "exempt from everything", fake: fake{everyImage: true, everyName: true}, want: []string{"exception agent: another name"}},
		{name: "never exempt", fake: fake{never: true}, want: []string{"exception agent: the object that it names"}},
		{name: "audited for all", fake: fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) {
			e.Result.Blocked = false
		}}, want: []string{"bad unsigned, by tag", "bad not in the registry, by tag"}},
		{name: "judges what is not covered", fake: fake{distort: func(_ engine.EvaluateParams, e *engine.Evaluation) {
			if len(e.Result.Results) == 0 {
				e.Result.Results = []engine.RuleResult{{Rule: "x", Result: engine.OutcomePass}}
			}
		}}, want: []string{"good not covered by the rule", "system unsigned-by-tag"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bundle := compile(t, imageFiles(t, rule+test.rule+"}"))
			test.fake.plan = bundle.Plan
			failed := failures(t, &test.fake, bundle)
			if len(test.want) == 0 && len(failed) > 0 {
				t.Errorf("failed: %v", failed)
			}
			for _, want := range test.want {
				if !slices.ContainsFunc(failed, func(f string) bool { return strings.HasPrefix(f, want) }) {
					t.Errorf("%s did not fail; failed: %v", want, slices.Compact(failed))
				}
			}
		})
	}
}

// failures returns check and case of what fails.
func failures(t *testing.T, e *fake, bundle *generator.Bundle) []string {
	t.Helper()
	report, err := Run(t.Context(), e, bundle, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, r := range report.of(Failed) {
		failed = append(failed, r.Check+" "+r.Case)
	}
	return failed
}

// TestRunAttestations is TestRunImages for attestations that a rule demands.
func TestRunAttestations(t *testing.T) {
	const rule = `{name: acme, references: [ghcr.io/acme/*], attestors: [key], attestations: [{type: "https://slsa.dev/provenance/v1", conditions: [{path: a.b, equals: yes-it-is}, {path: n, atLeast: 2, atMost: 3}]},
		{type: "https://spdx.dev/Document", attestors: {count: 2, of: [file, ci]}, conditions: [{path: by, matches: "^acme-[0-9]$"}, {path: n, in: [1, true, x]}]}], tiers: [platform]}`
	const first, second = " (https://slsa.dev/provenance/v1), by tag", " (https://spdx.dev/Document), by tag"
	tests := []struct {
		name string
		fake fake
		want []string // beginnings of check and case of failures that must be there
	}{
		{name: "as planned"},
		{name: "not demanded", fake: fake{noAttestations: true}, want: []string{"bad without an attestation" + first, "bad without an attestation" + second,
			"bad attested by a key that the profile does not name" + first, "bad with an attestation of another type" + second, "bad with the attestation of another image" + first,
			"bad attested only by file" + second, "bad attested only by ci" + second, "bad attested with another issuer for ci" + second}},
		{name: "without conditions", fake: fake{noConditions: true}, want: []string{"bad attested with a.b left out" + first, "bad attested with a.b in a list" + first, "bad attested with a.b of a longer text" + first,
			"bad attested with n too low" + first, "bad attested with n too high" + first, "bad attested with n as a text" + second, "bad attested with by after another line" + second}},
		{name: "one good attestation of several", fake: fake{oneOfAll: true}, want: []string{"bad with a bad attestation after a good one" + first, "bad with a bad attestation before a good one" + second}},
		{name: "no signatures", fake: fake{fewer: 1}, want: []string{"bad unsigned, by tag"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bundle := compile(t, imageFiles(t, rule))
			test.fake.plan = bundle.Plan
			failed := failures(t, &test.fake, bundle)
			if len(test.want) == 0 && len(failed) > 0 {
				t.Errorf("failed: %v", failed)
			}
			for _, want := range test.want {
				if !slices.Contains(failed, want) {
					t.Errorf("%s did not fail; failed: %v", want, slices.Compact(failed))
				}
			}
		})
	}
}

// TestRunImagesAsks: which images there are, signed by whom, and what is said to be left out.
func TestRunImagesAsks(t *testing.T) {
	bundle := compile(t, imageFiles(t, `{name: acme, references: [quay.io/acme/app], attestors: {count: 1, of: [ci, secret, vault, file]}, tiers: [platform]}`))
	_, stand := standIn(bundle.Plan.Environments[0])
	want := []engine.Attestor{ // the file and the Secret hold the same key
		{Name: "secret", Key: "k8s://kyverno/pub"}, {Name: "vault", Key: "hashivault://release"}, {Name: "secret", Key: strings.TrimSpace(bundle.Plan.Environments[0].Trust[0].Data["a.pub"])},
	}
	if diff := cmp.Diff(want, stand.Attestors); diff != "" {
		t.Errorf("attestors (-want +got):\n%s", diff)
	}
	f := &fake{plan: bundle.Plan}
	report, err := Run(t.Context(), f, bundle, []Test{{
		Name: "signed", Expect: "refuse", Policies: []string{"verify-images-acme"}, Environments: []string{"dev"}, Objects: []json.RawMessage{json.RawMessage(`{"kind":"Pod"}`)},
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var skipped, asked []string
	for _, r := range report.Results {
		if r.Status == Skipped {
			skipped = append(skipped, r.Case+": "+r.Message)
		} else if r.Tier == "platform" && r.Check != CheckException && strings.HasSuffix(r.Case, ", by tag") {
			asked = append(asked, r.Case+": "+r.Expected)
		}
		if r.Tier == "apps" && r.Expected != "admitted, not judged" {
			t.Errorf("the rule is off in apps: %+v", r)
		}
	}
	if diff := cmp.Diff([]string{"signatures of ci in the transparency log: the log is not asked: https://rekor.sigstore.dev", "signed: " + signatures}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	cases := []string{"unsigned: refused", "signed by a key that the profile does not name: refused", "not in the registry: refused",
		"in a registry that does not answer: refused",
		"signed by ci: admitted, by digest", "signed by secret: admitted, by digest", "signed by vault: admitted, by digest", "signed by file: admitted, by digest",
		"with the signatures of another image: refused", "attested and not signed: refused", "attested instead of signed: refused",
		"attested in a bundle and not signed: refused",
		"signed with another subject for ci: refused", "signed with a longer subject for ci: refused", "signed with another issuer for ci: refused",
		"signed with a longer issuer for ci: refused", "signed with no issuer for ci: refused", "signed with a certificate of another authority for ci: refused"}
	for i := range cases {
		cases[i] = strings.Replace(cases[i], ": ", ", by tag: ", 1)
	}
	if diff := cmp.Diff(cases, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestRunImagesWithout: what no image can be made up for is skipped, and nothing is claimed of it.
func TestRunImagesWithout(t *testing.T) {
	source := imageFiles(t, `{name: acme, references: [ghcr.io/acme/*], attestors: [odd]}`)
	source["profile.yaml"] = strings.Replace(source["profile.yaml"], "attestors: [{", `attestors: [{name: odd, keyless: {issuer: "https://ci.example", subjectRegExp: "^(a\\bb)$"}}, {`, 1)
	bundle := compile(t, source)
	f := &fake{plan: bundle.Plan}
	report, err := Run(t.Context(), f, bundle, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	results := slices.DeleteFunc(report.Results, func(r Result) bool { return r.Check == CheckOwn })
	if len(results) != 2 || report.Counts.Skipped != 2 || report.Counts.Failed > 0 || f.asked != report.Counts.Passed || !strings.Contains(results[0].Message, `attestor odd: no text was found that ^(a\bb)$ matches`) {
		t.Errorf("%+v, %d asked: %+v", report.Counts, f.asked, results)
	}
}

// TestEnough: which sets of signers are just enough, and just too few, if some sign for others.
func TestEnough(t *testing.T) {
	key := func(name, key string) signer {
		s := signer{signature: engine.Signature{Attestor: key}}
		s.Name = name
		return s
	}
	keyless := func(name, subject, pattern string) signer {
		s := signer{signature: engine.Signature{Identity: &engine.Identity{Issuer: "https://ci", Subject: "https://acme/app"}}}
		s.Name, s.Keyless = name, keylessOf(subject, pattern)
		return s
	}
	tests := []struct {
		name          string
		count         int
		signers       []signer
		enough, fewer []string
	}{
		{"all", 2, []signer{key("a", "1"), key("b", "2")}, []string{"a, b"}, []string{"a", "b"}},
		{"one", 1, []signer{key("a", "1"), key("b", "2")}, []string{"a", "b"}, nil},
		{"two of three", 2, []signer{key("a", "1"), key("b", "2"), key("c", "3")}, []string{"a, b", "a, c", "b, c"}, []string{"a", "b", "c"}},
		{"two with one key", 2, []signer{key("a", "1"), key("b", "1"), key("c", "3")}, []string{"a", "b"}, []string{"c"}},
		{"a pattern that another one's subject matches", 2, []signer{keyless("exact", "https://acme/app", ""), keyless("any", "", "^https://acme/.*$")}, []string{"exact", "any"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			trial := trialOf(test.count, test.signers)
			smallest, largest := trial.sets()
			names := func(sets []uint) []string {
				var out []string
				for _, set := range sets {
					_, name := trial.by(set)
					out = append(out, name)
				}
				return out
			}
			if diff := cmp.Diff([][]string{test.enough, test.fewer}, [][]string{names(smallest), names(largest)}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestUntriedCombinations: three of six attestors make 20 combinations that are
// enough and 15 of two that are not, more than are tried.
func TestUntriedCombinations(t *testing.T) {
	var signers []signer
	for name := range strings.SplitSeq("abcdef", "") {
		s := signer{key: name, signature: engine.Signature{Attestor: name}}
		s.Name = name
		signers = append(signers, s)
	}
	trial := trialOf(3, signers)
	trial.sample()
	if want := 20 + 15 - 2*maxSets; trial.untried != want {
		t.Errorf("%d combinations are said to be untried, not %d", trial.untried, want)
	}
}

func TestExample(t *testing.T) {
	for pattern, want := range map[string]string{
		`^https://github\.com/acme/[^/]+/\.github/workflows/release\.yml@refs/tags/v.+$`: "https://github.com/acme/x/.github/workflows/release.yml@refs/tags/vx",
		`^(https://a/|https://b/)[0-9]{2,}$`:                                             "https://a/00",
		`^release-(bot)?@acme\.example$`:                                                 "release-@acme.example",
		`^[[:upper:]]*[^\x00-\x7f]$`:                                                     "",
		`^a\bb$`:                                                                         "",
		`^.*$`:                                                                           "",
		`(`:                                                                              "",
	} {
		if got, ok := example(pattern); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", pattern, got, ok)
		}
	}
}

func TestRepositories(t *testing.T) {
	for globs, want := range map[string]string{
		"ghcr.io/acme/*":                        "ghcr.io/acme/any",
		"*":                                     "gatehouse.invalid/any",
		"ghcr.io/acme/app:* ghcr.io/acme/app@*": "ghcr.io/acme/app",
		"ghcr.io/acme/app*":                     "ghcr.io/acme/appany",
		"*.acme.io/app:* *.acme.io/app@*":       "any.acme.io/app",
		"ghcr.io*":                              "ghcr.io/any",
		"*/app:* */app@*":                       "gatehouse.invalid/any/app",
		"localhost:5000/app:* localhost:5000/app@*":                                               "localhost:5000/app",
		"docker.io/nginx:* docker.io/nginx@* docker.io/library/nginx:* docker.io/library/nginx@*": "docker.io/nginx docker.io/library/nginx",
		"ghcr.io/acme/app:*":      "", // half of a repository
		"ghcr.io/a:* ghcr.io/a@*": "", // too short
		"acme_x*":                 "",
	} {
		got, without := repositories(strings.Fields(globs))
		if strings.Join(got, " ") != want || (len(without) > 0) != (want == "") {
			t.Errorf("%s: %v, without %v", globs, got, without)
		}
	}
	if other := uncovered([]string{"ghcr.io/acme/app:*", "ghcr.io/acme/app@*"}, []string{"ghcr.io/acme/app"}); !slices.Equal(other, []string{"uncovered.gatehouse.invalid/any", "ghcr.io/acme/app2"}) {
		t.Errorf("not covered are %s", other)
	}
	if other := uncovered([]string{"*"}, []string{"gatehouse.invalid/any"}); len(other) > 0 {
		t.Errorf("* does not cover %s", other)
	}
}

func keylessOf(subject, pattern string) *plan.Keyless {
	return &plan.Keyless{Issuer: "https://ci", Subject: subject, SubjectRegExp: pattern}
}

func trialOf(count int, signers []signer) *imageTrial {
	return &imageTrial{image: &plan.Image{Count: count}, quorum: quorum{signers, count}}
}
