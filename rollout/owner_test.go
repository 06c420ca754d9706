package rollout

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// ownedBy marks an object as applied by a Kustomization.
func ownedBy(o manifest.Object, name string) manifest.Object { return merge(o, owned(name)) }

// Where the root and the source are in a repository, bootstrap leaves them to the
// Kustomization that applies them.
func TestCheckOwned(t *testing.T) {
	cases := []struct {
		name   string
		change func(root, source manifest.Object)
		want   []string
	}{
		{"as exported", func(_, _ manifest.Object) {}, nil},
		{"another interval", func(root, _ manifest.Object) { asMap(root["spec"])["interval"] = "1h" }, nil},
		{"another folder", func(root, _ manifest.Object) { asMap(root["spec"])["path"] = "./clusters/dev-eu/gatehouse" },
			[]string{`error    Kustomization flux-system/flux-system applies Kustomization flux-system/gatehouse, which differs: spec.path: "./clusters/dev-eu/gatehouse" → "./clusters/staging-eu/gatehouse" - gatehouse bootstrap --export`}},
		{"another repository", func(_, source manifest.Object) { asMap(source["spec"])["url"] = "https://example.com/other" },
			[]string{`applies GitRepository flux-system/flux-system, which differs: spec.url: "https://example.com/other" → "` + repositoryURL + `"`}},
		{"pruned when it is removed", func(root, _ manifest.Object) { delete(asMap(root["spec"]), "deletionPolicy") },
			[]string{"warning  Kustomization flux-system/flux-system applies Kustomization flux-system/gatehouse: if it leaves the repository"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, b, _ := newBootstrap(t)
			server.runFlux(1)
			root, source := ownedBy(b.Target.root(), "flux-system"), ownedBy(b.Target.source(Access{URL: repositoryURL, Branch: "main"}), "flux-system")
			c.change(root, source)
			server.put(root)
			server.put(source)
			checkLines(t, wrong(t, b), c.want)
			if _, err := b.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			if writes := server.stored(); !slices.Equal(writes, []string{"PATCH /api/v1/namespaces/flux-system"}) {
				t.Errorf("bootstrap wrote %v", writes)
			}
		})
	}
}

// A root whose file is still in a repository would come back.
func TestUninstallOwnedRoot(t *testing.T) {
	server, u, _ := installed(t)
	server.put(ownedBy(u.Target.root(), "flux-system"))
	err := u.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "Kustomization flux-system/flux-system applies Kustomization flux-system/gatehouse and would bring it back; remove its file") {
		t.Errorf("got %v", err)
	}
	if writes := server.stored(); len(writes) > 0 {
		t.Errorf("it did %v", writes)
	}
	delete(server.objects, server.path(u.Target.root()))
	if err := u.Run(t.Context()); err != nil {
		t.Errorf("without its file: %v", err)
	}
}

// What waits for a layer that goes would wait forever.
func TestUninstallDependent(t *testing.T) {
	for _, namespace := range []string{"flux-system", "tenants"} {
		server, u, _ := installed(t)
		dependent := identity(kustomizationAPI, "Kustomization", namespace, "shop")
		dependent["spec"] = map[string]any{"dependsOn": []any{
			map[string]any{"name": "gatehouse-policies"}, map[string]any{"name": "gatehouse-network", "namespace": "flux-system"}, map[string]any{"name": "other"},
		}}
		server.put(ownedBy(dependent, "flux-system"))
		want := "Kustomization " + namespace + "/shop waits for gatehouse-policies, gatehouse-network; remove that"
		if namespace != "flux-system" {
			want = "Kustomization " + namespace + "/shop waits for gatehouse-network; remove that"
		}
		if err := u.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if writes := server.stored(); len(writes) > 0 {
			t.Errorf("it did %v", writes)
		}
	}
}

// A source that a repository applies stays, even if bootstrap applied it as well.
func TestUninstallOwnedSource(t *testing.T) {
	server, u, _ := installed(t)
	source := u.Target.source(Access{URL: repositoryURL, Branch: "main"})
	server.put(ownedBy(server.objects[server.path(source)], "flux-system"))
	if err := u.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if server.objects[server.path(source)] == nil {
		t.Error("the source was deleted")
	}
	if server.objects[server.path(identity(kustomizationAPI, "Kustomization", "flux-system", layout.Root))] != nil {
		t.Error("the root was not")
	}
}

func TestObjectsOfASourceThatExists(t *testing.T) {
	objects, err := exampleTarget(t, "acme", "prod-eu").Objects(Access{})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 || objects[0].Name() != layout.Root {
		t.Errorf("got %v", objects)
	}
}
