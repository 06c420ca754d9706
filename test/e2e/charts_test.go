//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const releaseAPI = "helm.toolkit.fluxcd.io/v2"

// keptRelease is what Helm keeps of a release.
type keptRelease struct {
	Name, Namespace, Manifest string
	Hooks                     []struct {
		Manifest string
		Events   []string
	}
}

// compareRelease compares what is read of a HelmRelease with what helm-controller applied: the same objects as in the
// release that Helm keeps, with the same content, and as they are in the cluster.
func (f *fleet) compareRelease(t *testing.T, id string, read []manifest.Object) {
	t.Helper()
	namespace, name, _ := strings.Cut(id, "/")
	var release manifest.Object
	var history []manifest.Object // it may come after the condition
	eventually(t, layerTimeout, "the HelmRelease "+id, func() error {
		release = f.get(t, newObject(releaseAPI, "HelmRelease", namespace, name, nil))
		history = release.Maps("status", "history")
		if ready := release.Condition("Ready"); ready.String("status") != "True" || len(history) == 0 {
			return fmt.Errorf("%v", release["status"])
		}
		return nil
	})
	if len(history) != 1 {
		t.Fatalf("%s: there are %d releases", id, len(history))
	}
	kept := f.release(t, release.String("status", "storageNamespace"), history[0].String("name"))
	made := f.made(t, release, kept)
	got := map[string][]manifest.Object{} // what a release makes with later definitions is read, too
	for _, o := range read {
		f.inNamespace(t, o, kept.Namespace)
		got[o.ID()] = append(got[o.ID()], o)
	}
	const lookedUp = "/ConfigMap/flux-system/cluster-looked-up" // what is read has no cluster to look at
	if _, known := made[lookedUp]; known != (id == "flux-system/cluster") {
		t.Errorf("%s: lookup made something: %t", id, known)
	}
	delete(made, lookedUp)
	if at, want := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(made)); !slices.Equal(at, want) {
		t.Errorf("%s: read %q\napplied %q", id, at, want)
	}
	for key, want := range made {
		if got[key] == nil {
			continue
		}
		o := got[key][0]
		if want.object != nil {
			if len(want.events) == 0 { // what Helm adds to the objects of its release, when it applies them
				f.marked(t, want.object, kept)
			}
			if at := slices.IndexFunc(got[key], func(o manifest.Object) bool { return cmp.Equal(want.object, o) }); at >= 0 {
				o = got[key][at]
			} else {
				t.Errorf("%s: %s: (-applied +read) %s", id, key, cmp.Diff(want.object, o))
			}
		}
		if len(want.events) == 0 || strings.Contains(strings.Join(want.events, " "), "-install") {
			f.compareLive(t, id, o)
		}
	}
	t.Logf("%s: %d objects in %s", id, len(made), kept.Namespace)
}

// applied is an object of a release; for a hook with its events.
type applied struct {
	object manifest.Object
	events []string
}

// made returns what helm-controller applies for a release, now or later. Of what is not in the release that Helm keeps
// there is only the name.
func (f *fleet) made(t *testing.T, release manifest.Object, kept keptRelease) map[string]applied {
	t.Helper()
	all := map[string]applied{}
	add := func(text string, events ...string) {
		objects, err := manifest.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			f.inNamespace(t, o, kept.Namespace)
			all[o.ID()] = applied{o, events}
		}
	}
	add(kept.Manifest)
	for _, h := range kept.Hooks {
		off, _ := release.Value("spec", "install", "disableHooks").(bool)
		if !off && !slices.Contains(h.Events, "test") {
			add(h.Manifest, h.Events...)
		}
	}
	if create, _ := release.Value("spec", "install", "createNamespace").(bool); create {
		all[newObject("v1", "Namespace", "", kept.Namespace, nil).ID()] = applied{}
	}
	definitions, err := f.Client().List(t.Context(), "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "helm.toolkit.fluxcd.io/name="+release.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range definitions {
		all[o.ID()] = applied{}
	}
	return all
}

// marked adds what Helm adds to an object of a release.
func (f *fleet) marked(t *testing.T, o manifest.Object, kept keptRelease) {
	t.Helper()
	for field, marks := range map[string]map[string]any{
		"labels":      {"app.kubernetes.io/managed-by": "Helm"},
		"annotations": {"meta.helm.sh/release-name": kept.Name, "meta.helm.sh/release-namespace": kept.Namespace},
	} {
		all, _ := o.Metadata()[field].(map[string]any)
		if all == nil {
			all = map[string]any{}
			o.Metadata()[field] = all
		}
		maps.Copy(all, marks)
	}
}

// release reads a release that Helm keeps in a Secret.
func (f *fleet) release(t *testing.T, namespace, name string) keptRelease {
	t.Helper()
	secret := f.get(t, newObject("v1", "Secret", namespace, "sh.helm.release.v1."+name+".v1", nil))
	var kept keptRelease
	once, err := base64.StdEncoding.DecodeString(secret.String("data", "release"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := base64.StdEncoding.DecodeString(string(once))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kept
}
