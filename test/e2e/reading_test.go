//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
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
	}
}

// TestReading compares what `gatehouse impact` reads in a repository with what the real kustomize-controller applies of
// it: the same objects, in the same namespaces, with the same content.
func TestReading(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for name, text := range fieldRepository() {
		file := filepath.Join(f.repository, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.git(t, "add", "--all")
	f.git(t, "commit", "-q", "-m", "The field")
	read := reading(t, f.repository)
	f.followPath(t, "./clusters/prod")
	commit := f.push(t)
	for _, by := range slices.Sorted(maps.Keys(read)) {
		name := strings.TrimPrefix(by, "Kustomization flux-system/")
		f.waitFor(t, name, commit)
		live := f.get(t, newObject(kustomizationAPI, "Kustomization", "flux-system", name, nil))
		var applied []string
		for _, entry := range live.Maps("status", "inventory", "entries") {
			applied = append(applied, entry.String("id"))
		}
		slices.Sort(applied)
		if got := slices.Sorted(maps.Keys(read[by])); !slices.Equal(got, applied) {
			t.Errorf("%s: read %q\napplied %q", by, got, applied)
		}
		for id, o := range read[by] {
			if missing := beyond("", map[string]any(o), map[string]any(f.get(t, o))); len(missing) > 0 {
				t.Errorf("%s: %s: what is read and not applied: %q", by, id, missing)
			}
		}
	}
	if len(read) != 5 {
		t.Errorf("%d Kustomizations are read", len(read))
	}
}

// reading returns what is read of a repository, by the Kustomization that applies it and as its inventory names it.
func reading(t *testing.T, dir string) map[string]map[string]manifest.Object {
	t.Helper()
	repository, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, ".", ".", fluxtree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]map[string]manifest.Object{}
	problems, err := repository.Each(t.Context(), func(o fluxtree.Object) error {
		var object manifest.Object
		if err := json.Unmarshal(o.JSON, &object); err != nil {
			return err
		}
		kind, _ := kinds.Find(object.Group(), object.Kind())
		if object.Namespace() == "" && kind.Scope == kinds.Namespaced {
			object.Metadata()["namespace"] = "default"
		}
		if read[o.By] == nil {
			read[o.By] = map[string]manifest.Object{}
		}
		read[o.By][strings.Join([]string{object.Namespace(), object.Name(), object.Group(), object.Kind()}, "_")] = object
		return nil
	})
	if err != nil || problems.HasErrors() {
		t.Fatal(err, problems)
	}
	return read
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
	if !reflect.DeepEqual(want, got) && fmt.Sprint(want) != fmt.Sprint(got) {
		return []string{fmt.Sprintf("%s: %v, not %v", at, want, got)}
	}
	return nil
}
