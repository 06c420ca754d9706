//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// fieldRepository is a repository in the shapes that real ones have, as `flux bootstrap` begins them.
func fieldRepository() map[string]string {
	kustomization := func(name, path, more string) string {
		return fmt.Sprintf(`apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system}
spec:
  interval: 10m
  retryInterval: 5s
  prune: true
  path: %s
  sourceRef: {kind: GitRepository, name: flux-system}
%s`, name, path, more)
	}
	deployment := func(name, more string) string {
		return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s%[2]s}
spec:
  replicas: 0
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: app, image: "ghcr.io/acme/%[1]s:1.0"}]}
`, name, more)
	}
	configMap := func(name, data string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"%s\"}\ndata: %s\n", name, data)
	}
	return map[string]string{
		"clusters/prod/flux-system/sync.yaml": kustomization("flux-system", "./clusters/prod", ""),
		"clusters/prod/settings.yaml":         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {REGION: eu, REPLICAS: \"0\"}\n",
		"clusters/prod/namespaces.yaml":       "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n",
		"clusters/prod/apps.yaml": kustomization("apps", "./apps", "") + "---\n" +
			kustomization("variables", "./variables", `  targetNamespace: web
  postBuild: {substitute: {NAME: shop}, substituteFrom: [{kind: ConfigMap, name: settings}]}
`) + "---\n" + kustomization("changed", "./changed", `  targetNamespace: team
  namePrefix: pre-
  nameSuffix: -post
  commonMetadata: {labels: {owner: team}, annotations: {note: changed}}
  images: [{name: ghcr.io/acme/changed, newName: quay.io/acme/changed, newTag: "2.0"}]
  components: [../components/labels]
  patches:
    - patch: |
        - {op: add, path: /metadata/annotations, value: {patched: "yes"}}
      target: {kind: Deployment}
`),
		// A tree of ks.yaml, whose parent lists nothing else.
		"apps/kustomization.yaml":                       "resources: [web/ks.yaml]\n",
		"apps/web/ks.yaml":                              kustomization("web", "./apps/web/app/overlays/prod", ""),
		"apps/web/app/base/deployment.yaml":             deployment("web", ""),
		"apps/web/app/base/kustomization.yaml":          "resources: [deployment.yaml]\nconfigMapGenerator: [{name: files, files: [../../../../shared/values.txt]}]\n",
		"apps/web/app/overlays/prod/kustomization.yaml": "namespace: web\nresources: [../../base]\nlabels: [{pairs: {env: prod}}]\n",
		"shared/values.txt":                             "a: 1\n",
		// No kustomization.yaml: Flux generates one from what lies there, also in folders below.
		"variables/configmap.yaml":             configMap("${NAME}-${REGION}", `{region: "${REGION}", zone: "${ZONE:=a}", literal: "$${REGION}"}`),
		"variables/deep/kept.yaml":             strings.Replace(configMap("kept", `{region: "${REGION}"}`), `name: "kept"`, "name: kept, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}", 1),
		"variables/deep/deployment.yaml":       strings.Replace(deployment("numbers", ""), "replicas: 0", "replicas: ${REPLICAS}", 1),
		"variables/own/kustomization.yaml":     "resources: [inner.yaml]\nnamePrefix: own-\n",
		"variables/own/inner.yaml":             configMap("inner", "{a: b}"),
		"variables/own/ignored.yaml":           configMap("ignored", "{a: b}"),
		"changed/deployment.yaml":              deployment("changed", ""),
		"components/labels/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels: [{pairs: {component: labels}, includeTemplates: true}]\n",
		".sourceignore":                        "/variables/deep/left-out.yaml\n",
		"variables/deep/left-out.yaml":         configMap("left-out", "{a: b}"),
		"variables/linked/here.yaml":           configMap("here", "{a: b}"), // beside one of the links
	}
}

// fieldLinks are symbolic links of the repository, which Flux does not have.
func fieldLinks() map[string]string {
	return map[string]string{"variables/linked/kustomization.yaml": "../own/kustomization.yaml", "variables/link.yaml": "own/ignored.yaml"}
}

// TestReading compares what `gatehouse impact` reads in a repository with what the real kustomize-controller and
// helm-controller apply of it: the same objects, in the same namespaces, with the same content.
func TestReading(t *testing.T) {
	t.Parallel()
	f := newFleetOn(t, controlplane.Options{Helm: true})
	charts, err := txtar.ParseFile(filepath.Join("testdata", "charts.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files := fieldRepository()
	for _, file := range charts.Files {
		files[file.Name] = string(file.Data)
	}
	for name, text := range files {
		file := filepath.Join(f.repository, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range fieldLinks() {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(f.repository, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	f.git(t, "add", "--all")
	f.git(t, "commit", "-q", "-m", "The field")
	f.followPath(t, "./clusters/prod")
	commit := f.push(t)
	kustomizations, releases := f.reading(t)
	for _, name := range slices.Sorted(maps.Keys(kustomizations)) {
		f.waitFor(t, name, commit)
		f.compareKustomization(t, name, kustomizations[name])
	}
	if len(kustomizations) != 8 || len(releases) != 13 {
		t.Errorf("%d Kustomizations and %d HelmReleases are read", len(kustomizations), len(releases))
	}
	for _, id := range slices.Sorted(maps.Keys(releases)) {
		f.compareRelease(t, id, releases[id])
	}
}

// compareKustomization compares with the inventory of a Kustomization.
func (f *fleet) compareKustomization(t *testing.T, name string, read []manifest.Object) {
	t.Helper()
	live := f.get(t, newObject(kustomizationAPI, "Kustomization", "flux-system", name, nil))
	var got, applied []string
	for _, entry := range live.Maps("status", "inventory", "entries") {
		applied = append(applied, entry.String("id"))
	}
	for _, o := range read {
		f.inNamespace(t, o, "default")
		got = append(got, strings.Join([]string{o.Namespace(), o.Name(), o.Group(), o.Kind()}, "_"))
		f.compareLive(t, name, o)
	}
	slices.Sort(applied)
	slices.Sort(got)
	if !slices.Equal(got, applied) {
		t.Errorf("%s: read %q\napplied %q", name, got, applied)
	}
}

// compareLive reports fields that are read and not in the cluster.
func (f *fleet) compareLive(t *testing.T, by string, o manifest.Object) {
	t.Helper()
	live, err := f.Client().Get(t.Context(), o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
	if err != nil {
		t.Errorf("%s: %s is read: %v", by, o.ID(), err)
		return
	}
	text, err := json.Marshal(live)
	var plain manifest.Object // whose numbers are all of one type
	if err := errorsOf(err, json.Unmarshal(text, &plain)); err != nil {
		t.Fatal(err)
	}
	if missing := beyond("", map[string]any(o), map[string]any(plain)); len(missing) > 0 {
		t.Errorf("%s: %s: what is read and not applied: %q", by, o.ID(), missing)
	}
}

// inNamespace sets the namespace of an object that needs one and has none.
func (f *fleet) inNamespace(t *testing.T, o manifest.Object, namespace string) {
	t.Helper()
	resource, err := f.Client().Resource(t.Context(), o.APIVersion(), o.Kind())
	if err != nil {
		t.Error(err)
		return
	}
	if resource.Namespaced && o.Namespace() == "" {
		o.Metadata()["namespace"] = namespace
	}
}

// reading returns what is read of the repository: by the name of the Kustomization, and by namespace and name of the
// HelmRelease, that applies it. What a release makes has the namespace where it goes.
func (f *fleet) reading(t *testing.T) (kustomizations, releases map[string][]manifest.Object) {
	t.Helper()
	program := filepath.Join(repositoryRoot(t), "bin", "gatehouse-engine-e2e")
	build(t, filepath.Join(repositoryRoot(t), "engine"), program, "./cmd/gatehouse-engine")
	renderer := &engine.Renderer{Start: func(ctx context.Context) (*engine.Client, error) {
		return engine.Start(ctx, exec.Command(program), "")
	}}
	defer renderer.Close()
	repository, err := fluxtree.Open(os.DirFS(f.repository), filesys.MakeFsOnDisk(), f.repository, ".", ".", fluxtree.Options{Helm: &fluxtree.Helm{Renderer: renderer}})
	if err != nil {
		t.Fatal(err)
	}
	kustomizations, releases = map[string][]manifest.Object{}, map[string][]manifest.Object{}
	problems, err := repository.Each(t.Context(), func(o fluxtree.Object) error {
		var object manifest.Object
		if err := json.Unmarshal(o.JSON, &object); err != nil {
			return err
		}
		by, _, _ := strings.Cut(o.By, " of ")
		if id, ok := strings.CutPrefix(by, "HelmRelease "); ok {
			releases[id] = append(releases[id], object)
			return nil
		}
		name := strings.TrimPrefix(by, "Kustomization flux-system/")
		kustomizations[name] = append(kustomizations[name], object)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Severity == diag.Error || p.Code == fluxtree.CodeRelease {
			t.Error(p)
		}
	}
	return kustomizations, releases
}

// beyond returns the fields of an object that another one does not have.
func beyond(at string, want, got any) []string {
	switch want := want.(type) {
	case map[string]any:
		has, _ := got.(map[string]any)
		var missing []string
		for key, value := range want {
			missing = append(missing, beyond(at+"."+key, value, has[key])...)
		}
		return missing
	case []any:
		has, _ := got.([]any)
		if len(has) != len(want) {
			return []string{at}
		}
		var missing []string
		for i, value := range want {
			missing = append(missing, beyond(fmt.Sprintf("%s[%d]", at, i), value, has[i])...)
		}
		return missing
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s: %v, not %v", at, want, got)}
	}
	return nil
}
