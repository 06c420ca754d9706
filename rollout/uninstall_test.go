package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// installed is a cluster that bootstrap and Flux have brought the example into.
func installed(t *testing.T) (*fakeServer, *Uninstall, *[]string) {
	t.Helper()
	server, b, lines := newBootstrap(t)
	server.served["policies.kyverno.io/v1"] = []served{{"validatingpolicies", "ValidatingPolicy", false}}
	if _, err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range b.Target.Kustomizations {
		live := manifest.Object(merge(k, owned(layout.Root)))
		live["status"] = map[string]any{"inventory": map[string]any{"entries": []any{1.0, 2.0}}}
		server.put(live)
	}
	for _, o := range append(slices.Clone(b.Target.Policies), b.Target.Releases...) {
		owner := "gatehouse-policies"
		if o.Kind() == "HelmRelease" {
			owner = "gatehouse-kyverno"
			o["spec"] = map[string]any{"chart": map[string]any{"spec": map[string]any{"sourceRef": map[string]any{"name": "kyverno"}}}}
		}
		server.put(manifest.Object(merge(o, owned(owner))))
	}
	server.put(identity(sourceAPI, "HelmRepository", "flux-system", "kyverno"))
	deployment, _ := goodKyverno()
	server.put(deployment)
	webhook := identity("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "kyverno-policy-validating-webhook-cfg")
	webhook.Metadata()["labels"] = map[string]any{"webhook.kyverno.io/managed-by": "kyverno"}
	server.put(webhook)
	server.put(identity("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "of-others"))
	server.writes = nil
	*lines = nil
	server.after = server.controllers(deployment)
	return server, &Uninstall{Client: b.Client, Target: b.Target, Every: time.Millisecond, Log: b.Log}, lines
}

func owned(by string) map[string]any {
	return map[string]any{"metadata": map[string]any{"labels": map[string]any{ownerName: by, ownerNamespace: "flux-system"}}}
}

// controllers do what Flux and Helm do when something is deleted.
func (f *fakeServer) controllers(kyverno manifest.Object) func(method, path string) {
	return func(method, path string) {
		switch {
		case method != "DELETE":
		case strings.HasSuffix(path, "/kustomizations/gatehouse-policies"):
			for p, o := range f.objects {
				if o.Kind() == "ClusterPolicy" && o.String("metadata", "labels", ownerName) != "" {
					delete(f.objects, p)
				}
			}
		case strings.HasSuffix(path, "/helmreleases/kyverno"):
			delete(f.objects, f.path(kyverno))
		}
	}
}

func TestUninstall(t *testing.T) {
	server, u, _ := installed(t)
	if err := u.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range server.stored() {
		method, path, _ := strings.Cut(w, " ")
		parts := strings.Split(path, "/")
		got = append(got, method+" "+strings.Join(parts[len(parts)-2:], "/"))
	}
	want := []string{
		"PATCH kustomizations/gatehouse", // suspended, so that it prunes nothing
		"DELETE kustomizations/gatehouse",
		"DELETE kustomizations/apps",
		"DELETE kustomizations/gatehouse-network",
		"DELETE kustomizations/gatehouse-policies",
		"DELETE kustomizations/gatehouse-exceptions",
		"DELETE kustomizations/gatehouse-trust",
		"DELETE kustomizations/gatehouse-kyverno-rbac",
		"DELETE kustomizations/gatehouse-kyverno",
		"DELETE kustomizations/gatehouse-namespaces",
		"DELETE helmreleases/kyverno",
		"DELETE helmrepositories/kyverno",
		"DELETE validatingwebhookconfigurations/kyverno-policy-validating-webhook-cfg",
		"DELETE gitrepositories/flux-system",
	}
	// Those of one group have no order.
	slices.Sort(got[5:7])
	slices.Sort(want[5:7])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok := server.objects["/api/v1/namespaces/flux-system"]; !ok {
		t.Error("a namespace was deleted")
	}
	server.writes = nil
	if err := u.Run(t.Context()); err != nil || len(server.stored()) > 0 {
		t.Errorf("a second run did %v, %v", server.stored(), err)
	}
}

// What a repository installs besides Kyverno goes with its layer, or stays.
func TestUninstallSecondRelease(t *testing.T) {
	for _, install := range []bool{true, false} {
		server, u, _ := installed(t)
		second := identity(helmAPI, "HelmRelease", "flux-system", "external-secrets")
		u.Target.Releases = append(u.Target.Releases, second)
		server.put(manifest.Object(merge(second, owned("gatehouse-trust"))))
		if !install { // Kyverno was installed by other means
			u.Target.Kyverno.Release = nil
			server.refused["helmreleases"] = true
		}
		if err := u.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		writes := server.stored()
		if slices.Contains(writes, "DELETE "+server.path(second)) {
			t.Errorf("it was deleted as if it were Kyverno: %v", writes)
		}
		kyverno := func(w string) bool {
			return strings.HasSuffix(w, "/helmreleases/kyverno") || strings.Contains(w, "webhookconfigurations")
		}
		if got := slices.ContainsFunc(writes, kyverno); got != install {
			t.Errorf("Kyverno was deleted: %v, want %v", got, install)
		}
	}
}

func TestUninstallDryRun(t *testing.T) {
	server, u, lines := installed(t)
	u.DryRun = true
	if err := u.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if writes := server.stored(); len(writes) > 0 {
		t.Errorf("a dry run did %v", writes)
	}
	for _, want := range []string{
		"Kustomization flux-system/gatehouse would be deleted",
		"Kustomization flux-system/gatehouse-policies would be deleted, with the 2 objects that it applied",
		"Kustomization flux-system/gatehouse-namespaces would be deleted; the 2 objects that it applied stay",
		"Kustomization flux-system/apps would be deleted; the 2 objects that it applied stay",
		"HelmRelease flux-system/kyverno would be deleted",
		"GitRepository flux-system/flux-system would be deleted",
	} {
		if !slices.Contains(*lines, want) {
			t.Errorf("not said: %s\n%s", want, strings.Join(*lines, "\n"))
		}
	}
}

func TestUninstallKeeps(t *testing.T) {
	cases := []struct {
		name   string
		change func(f *fakeServer, u *Uninstall)
		stays  string // the end of its path
	}{
		{"Kyverno for policies of others", func(f *fakeServer, _ *Uninstall) {
			f.put(identity("kyverno.io/v1", "ClusterPolicy", "", "of-others"))
		}, "/helmreleases/kyverno"},
		{"Kyverno on demand", func(_ *fakeServer, u *Uninstall) { u.KeepKyverno = true }, "/helmreleases/kyverno"},
		{"a source of others", func(f *fakeServer, _ *Uninstall) {
			f.put(identity(sourceAPI, "GitRepository", "flux-system", "flux-system"))
		}, "/gitrepositories/flux-system"},
		{"a Kustomization of others", func(f *fakeServer, _ *Uninstall) {
			f.put(identity(kustomizationAPI, "Kustomization", "flux-system", "of-others"))
		}, "/kustomizations/of-others"},
		{"a webhook of others", func(*fakeServer, *Uninstall) {}, "/mutatingwebhookconfigurations/of-others"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, u, _ := installed(t)
			c.change(server, u)
			if err := u.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for path := range server.objects {
				if strings.HasSuffix(path, c.stays) {
					return
				}
			}
			t.Errorf("%s is gone", c.stays)
		})
	}
}

func TestUninstallNotPermitted(t *testing.T) {
	server, u, _ := installed(t)
	server.refused["validatingwebhookconfigurations"] = true
	err := u.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not permitted: list ValidatingWebhookConfiguration, delete ValidatingWebhookConfiguration") {
		t.Errorf("got %v", err)
	}
	if writes := server.stored(); len(writes) > 0 {
		t.Errorf("it did %v", writes)
	}
}

// A suspended Kustomization would leave its policies behind when it is deleted.
func TestUninstallResumes(t *testing.T) {
	server, u, _ := installed(t)
	policies := server.path(identity(kustomizationAPI, "Kustomization", "flux-system", "gatehouse-policies"))
	asMap(server.objects[policies]["spec"])["suspend"] = true
	if err := u.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	writes := server.stored()
	if i := slices.Index(writes, "PATCH "+policies); i < 0 || i > slices.Index(writes, "DELETE "+policies) {
		t.Errorf("it was not resumed first: %v", writes)
	}
}

// As long as policies are there, what they need stays.
func TestUninstallWaitsForPolicies(t *testing.T) {
	server, u, _ := installed(t)
	server.after = nil // Flux does not prune
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := u.Run(ctx)
	var late *NotReadyError
	if !errors.As(err, &late) || !strings.Contains(err.Error(), "the policies of gatehouse-policies") {
		t.Errorf("got %v", err)
	}
	for _, w := range server.stored() {
		if strings.HasSuffix(w, "gatehouse-exceptions") || strings.HasSuffix(w, "helmreleases/kyverno") {
			t.Errorf("%s while policies were there", w)
		}
	}
}
