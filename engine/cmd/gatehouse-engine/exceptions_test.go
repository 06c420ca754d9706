package main

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

// signedImages is a source with an image rule, and what is added to it.
func signedImages(controls, references, exception string) fstest.MapFS {
	return fstest.MapFS{
		"k.pub": {Data: []byte(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6RRIckrIFB3zJi0jjPWPC+ZJN5/W
ZzhV0wE+cuIpJsAKqo/+qhdKFG3peFy+IfrFzV6MD9J/9sHpnmR1lM3ULg==
-----END PUBLIC KEY-----
`)},
		"all.yaml": {Data: []byte(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: signed}
spec:
  controls: {verify-images: {}` + controls + `}
  registries: {allowed: [ghcr.io/acme]}
  namespaces: [{name: shop}]
  trust:
    attestors: [{name: key, keys: {configMap: {name: keys, key: k.pub, file: k.pub}}}]
    images: [{name: acme, references: [` + references + `], attestors: [key]}]
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, allowSkip: true}
---
kind: Exception
metadata: {name: legacy}
spec: ` + exception)},
	}
}

// TestExceptionsAsTheyArrive is `gatehouse test` for exceptions whose Pods have no name yet, or a long one, or images of others.
func TestExceptionsAsTheyArrive(t *testing.T) {
	client := start(t)
	for name, tt := range map[string]struct {
		source fstest.MapFS
		shown  []string // policy and case that must have passed
	}{
		"of an image rule": {
			signedImages("", "ghcr.io/acme/*", "{controls: [verify-images-acme], match: {namespaces: [shop], kinds: [Deployment, CronJob], names: [legacy]}, reason: r, owner: o, expires: 2027-03-31}"),
			[]string{
				"verify-images-acme legacy: made by the deployment-controller", "verify-images-acme legacy: made by the replicaset-controller",
				"verify-images-acme legacy: made by the cronjob-controller", "verify-images-acme legacy: made by the job-controller", "verify-images-acme legacy: made by hand",
				"verify-images-acme legacy: a stranger with the same name", "verify-images-acme legacy: a stranger with the same owner",
				"verify-images-acme legacy: a Job that is not run by hand",
			},
		},
		"with no other policy than about exceptions": {
			signedImages(", restrict-policy-exceptions: {}", "ghcr.io/acme/*", "{controls: [verify-images-acme], match: {namespaces: [shop], kinds: [Deployment, Pod], names: [legacy]}, reason: r, owner: o, expires: 2027-03-31}"),
			[]string{"verify-images-acme legacy: made by the replicaset-controller"},
		},
		"for the images of a vendor": {
			signedImages(", restrict-image-registries: {}, require-image-digest: {}, disallow-latest-tag: {}", `"quay.io/*", "ghcr.io/acme/*"`,
				`{controls: [restrict-image-registries, require-image-digest, disallow-latest-tag, verify-images-acme], match: {namespaces: [shop], kinds: [Pod, DaemonSet], names: ["agent*"]},
  images: ["quay.io/*"], reason: r, owner: o, expires: 2027-03-31}`),
			[]string{
				"restrict-image-registries legacy: the object that it names", "restrict-image-registries legacy: with an injected container",
				"restrict-image-registries legacy: another image", "require-image-digest legacy: made by the daemon-set-controller",
				"verify-images-acme legacy: the object that it names", "verify-images-acme legacy: with an injected container",
			},
		},
		"for one image of an image rule that asks for digests": {
			signedImages("", `"ghcr.io/acme/*"], mutateDigest: false, requireDigest: true, tiers: [platform, apps`,
				`{controls: [verify-images-acme], match: {namespaces: [shop], kinds: [Deployment], names: [tool]}, images: ["ghcr.io/acme/tool:*", "ghcr.io/acme/tool@*"], reason: r, owner: o, expires: 2027-03-31}`),
			[]string{"verify-images-acme legacy: the object that it names"},
		},
		"of a long indexed Job": {
			signedImages(", disallow-privileged-containers: {}", "ghcr.io/acme/*", `{controls: [disallow-privileged-containers],
  match: {namespaces: [shop], kinds: [Job], names: [data-warehouse-nightly-customer-segmentation-training-job1]}, reason: r, owner: o, expires: 2027-03-31}`),
			[]string{"disallow-privileged-containers legacy: made by the job-controller"},
		},
		"for a container": {
			signedImages(", disallow-privileged-containers: {}", "ghcr.io/acme/*", `{controls: [disallow-privileged-containers],
  match: {namespaces: [shop], kinds: [StatefulSet], names: [db]}, containers: [tune], reason: r, owner: o, expires: 2027-03-31}`),
			[]string{
				"disallow-privileged-containers legacy: made by the statefulset-controller", "disallow-privileged-containers legacy: another container",
				"disallow-privileged-containers legacy: with an injected container",
			},
		},
		// Of its rules, some find nothing in a container that another one refuses.
		"for a container, of a control with several rules": {
			signedImages(", require-run-as-nonroot: {}, require-requests-limits: {}", "ghcr.io/acme/*", `{controls: [require-run-as-nonroot, require-requests-limits],
  match: {namespaces: [shop], kinds: [Deployment], names: [narrow]}, containers: [agent], reason: r, owner: o, expires: 2027-03-31}`),
			[]string{
				"require-run-as-nonroot legacy: another container", "require-run-as-nonroot legacy: with an injected container",
				"require-requests-limits legacy: another container", "require-requests-limits legacy: with an injected container",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, problems := generator.Compile(tt.source, ".", generator.Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
			if problems.HasErrors() {
				t.Fatal(problems.Err())
			}
			report, err := verdict.Run(t.Context(), client, bundle, nil, verdict.Options{})
			if err != nil {
				t.Fatal(err)
			}
			shown := map[string]bool{}
			for _, r := range report.Results {
				if r.Status == verdict.Failed {
					t.Errorf("%+v", r)
				}
				shown[r.Policy+" "+r.Case] = shown[r.Policy+" "+r.Case] || r.Status == verdict.Passed
			}
			for _, want := range tt.shown {
				if !shown[want] {
					t.Errorf("%s is not shown", want)
				}
			}
		})
	}
}

// TestExceptionVerdictsBite widens and narrows exceptions of whole and of parts of Pods.
func TestExceptionVerdictsBite(t *testing.T) {
	whole := signedImages(", disallow-privileged-containers: {}", "ghcr.io/acme/*", "{controls: [disallow-privileged-containers], match: {namespaces: [shop], kinds: [Deployment], names: [legacy]}, reason: r, owner: o, expires: 2027-03-31}")
	some := signedImages(", disallow-privileged-containers: {}", "ghcr.io/acme/*", "{controls: [disallow-privileged-containers], match: {namespaces: [shop], kinds: [Deployment], names: [legacy]}, containers: [tune], reason: r, owner: o, expires: 2027-03-31}")
	conditions := func(change func(conditions map[string]any)) func(*generator.Bundle) {
		return func(b *generator.Bundle) {
			for _, f := range b.Files {
				for _, o := range f.Objects {
					if o.Kind() == "PolicyException" {
						change(o["spec"].(map[string]any)["conditions"].(map[string]any))
					}
				}
			}
		}
	}
	replace := func(from, to string) func(*generator.Bundle) {
		return conditions(func(c map[string]any) {
			for _, way := range manifest.Object(c).Maps("any") {
				way["key"] = strings.ReplaceAll(way.String("key"), from, to)
			}
		})
	}
	client := start(t)
	for _, tt := range []struct {
		name   string
		source fstest.MapFS
		damage func(*generator.Bundle)
		want   string
	}{
		{"nothing", some, func(*generator.Bundle) {}, ""},
		{"every user", whole, replace("(request.uid || '') == ''", "`true`"), "legacy: a stranger with the same owner"},
		{"every owner", whole, conditions(func(c map[string]any) { delete(c, "any") }), "legacy: a stranger with the same name"},
		{"another account", whole, replace("replicaset-controller", "replicaset"), "legacy: made by the replicaset-controller"},
		{"only with a user", whole, replace("(request.uid || '') == '' || ", ""), "legacy: in a background scan"},
		{"every container", some, conditions(func(c map[string]any) { c["all"] = c["all"].([]any)[:1] }), "legacy: with an injected container"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want != "" {
				want = verdict.CheckException + " " + want
			}
			wantFailure(t, client, tt.source, tt.damage, want)
		})
	}
}
