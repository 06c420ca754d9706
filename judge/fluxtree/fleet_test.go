package fluxtree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// write writes the files of an archive into a new folder.
func write(t testing.TB, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read returns what a repository applies, as "namespace/name kind file:line root", with the
// unknown fields, and its problems. Kinds of Flux are left out.
func read(t testing.TB, dir, scope string, o fluxtree.Options) (objects, problems []string) {
	t.Helper()
	r, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, "", scope, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Flux() {
		t.Fatal("nothing of Flux was found")
	}
	list, err := r.Each(t.Context(), func(o fluxtree.Object) error {
		var h struct {
			APIVersion, Kind string
			Metadata         struct{ Name, Namespace string }
		}
		decode(t, o.JSON, &h)
		if strings.Contains(h.APIVersion, "toolkit.fluxcd.io") {
			return nil
		}
		line := fmt.Sprintf("%s/%s %s %s %s", h.Metadata.Namespace, h.Metadata.Name, h.Kind, o.At, o.Root)
		for _, u := range o.Unknown {
			line += " ?" + u.Path
		}
		objects = append(objects, line)
		if strings.Contains(string(o.JSON), "config.kubernetes.io") {
			t.Errorf("%s is judged with an annotation of kustomize: %s", line, o.JSON)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		problems = append(problems, strings.ReplaceAll(d.String(), dir, "DIR"))
	}
	slices.Sort(objects)
	return objects, problems
}

const (
	sync = `
-- clusters/prod/flux-system/gotk-sync.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {url: "ssh://git@example.com/fleet.git", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {path: ./clusters/prod, prune: true, interval: 10m, sourceRef: {kind: GitRepository, name: flux-system}}
-- clusters/prod/flux-system/kustomization.yaml --
resources: [gotk-sync.yaml]
`
	apps = `
-- clusters/prod/apps.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./apps
  prune: true
  interval: 10m
  sourceRef: {kind: GitRepository, name: flux-system}
`
)

// bomb is a ConfigMap with aliases of aliases: nine to the power of its levels.
func bomb(levels int) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na0: &a0 x\n"
	for i := range levels {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9))
	}
	return text
}

func pod(file, name string) string {
	return fmt.Sprintf("-- %s --\napiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: c, image: x}]}\n", file, name)
}

// child is a Kustomization.
func child(name, path, spec string) string {
	return fmt.Sprintf("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: %s, namespace: flux-system}\n"+
		"spec: {path: %s, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}%s}\n", name, path, spec)
}

func TestFleet(t *testing.T) {
	tests := []struct {
		name, files string
		options     fluxtree.Options
		want        []string
		problems    []string
	}{
		{name: "a tree of ks.yaml", files: sync + apps + `
-- apps/kustomization.yaml --
resources: [web/ks.yaml]
-- apps/web/ks.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec: {path: ./apps/web/app, targetNamespace: web, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- apps/web/app/kustomization.yaml --
resources: [pod.yaml]
` + pod("apps/web/app/pod.yaml", "web") + pod("apps/old/pod.yaml", "old"),
			want:     []string{"web/web Pod apps/web/app/pod.yaml:1 clusters/prod"},
			problems: []string{"apps/old: warning: not judged: no root leads to 1 file [workload-unreached]"}},

		{name: "the source and the output of gatehouse", files: sync + apps + pod("apps/web.yaml", "web") + `
-- profile/profile.yaml --
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
-- policies/gatehouse.lock --
version: 1
` + pod("policies/environments/prod/x.yaml", "x") + pod("profile/pod.yaml", "y") + pod("old/pod.yaml", "old"),
			want: []string{"/web Pod apps/web.yaml:1 clusters/prod"},
			problems: []string{
				"old: warning: not judged: no root leads to 1 file [workload-unreached]",
				"profile: warning: not judged: no root leads to 1 file [workload-unreached]",
			}},

		{name: "patches of old versions", files: sync + strings.Replace(apps, "/v1\n", "/v1beta2\n", 1) + `  patchesStrategicMerge: [{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {a: b}}}, {apiVersion: v1, kind: Pod, metadata: {name: old}, $patch: delete}]
  patchesJson6902: [{target: {kind: Pod, name: web}, patch: [{op: replace, path: /metadata/name, value: patched}]}]
` + pod("apps/pod.yaml", "web") + "---\n{apiVersion: v1, kind: Pod, metadata: {name: old}}\n",
			want: []string{"/patched Pod apps/pod.yaml clusters/prod"}},

		{name: "the root of a repository that is not known", files: sync + strings.Replace(strings.Replace(apps, "./apps", "./", 1), "name: flux-system}\n", "name: tenant}\n", 1) + pod("pod.yaml", "web"),
			problems: []string{"clusters/prod/apps.yaml:1: warning: Kustomization flux-system/apps: not judged: it applies GitRepository tenant", "pod.yaml: warning: not judged: "}},

		{name: "a ResourceSet", files: sync + apps + pod("apps/pod.yaml", "web") + "---\n{apiVersion: fluxcd.controlplane.io/v1, kind: ResourceSet, metadata: {name: sets}, spec: {}}\n",
			want:     []string{"/sets ResourceSet apps/pod.yaml:6 clusters/prod", "/web Pod apps/pod.yaml:1 clusters/prod"},
			problems: []string{"apps/pod.yaml:6: warning: ResourceSet default/sets: not judged: the Flux operator makes its objects in the cluster"}},

		{name: "a folder that is left out", files: sync + apps + pod("apps/pod.yaml", "web") + "-- .sourceignore --\n/*\n!/clusters\n",
			problems: []string{"clusters/prod/apps.yaml:1: Kustomization flux-system/apps: there is no folder apps in the repository"}},

		{name: "aliases of aliases", files: sync + apps + pod("apps/pod.yaml", "web") + "-- apps/bomb.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: bomb}}\n---\n" + bomb(10),
			want:     []string{"/web Pod apps/pod.yaml:1 clusters/prod"},
			problems: []string{"apps/bomb.yaml: Kustomization flux-system/apps: not read: apps/bomb.yaml: the aliases of a document stand for more than 100000 values"}},

		{name: "an alias of itself", files: sync + apps + pod("apps/pod.yaml", "web") + "-- apps/bomb.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\ndata: &a {a: *a}\n",
			want:     []string{"/web Pod apps/pod.yaml:1 clusters/prod"},
			problems: []string{"apps/bomb.yaml: Kustomization flux-system/apps: not read"}},

		{name: "words that YAML 1.1 takes for booleans", files: sync + apps + "  commonMetadata: {labels: {a: y}}\n  postBuild: {substitute: {A: on}}\n" + pod("apps/pod.yaml", "web"),
			want: []string{"/web Pod apps/pod.yaml:1 clusters/prod"}},

		{name: "what Flux leaves out by itself", files: sync + apps + pod("apps/web.yaml", "web") + pod("apps/.github/ci.yaml", "ci"),
			want: []string{"/web Pod apps/web.yaml:1 clusters/prod"}},

		{name: "what Flux leaves out is replaced", files: sync + apps + pod("apps/web.yaml", "web") + pod("apps/.github/ci.yaml", "ci") + pod("apps/old.yaml", "old") + "-- apps/.sourceignore --\n/old.yaml\n",
			want: []string{"/ci Pod apps/.github/ci.yaml:1 clusters/prod", "/web Pod apps/web.yaml:1 clusters/prod"}},

		{name: "no root that says so", files: `
-- apps/kustomization.yaml --
resources: [web/ks.yaml]
-- apps/web/ks.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec: {path: ./apps/web/app, targetNamespace: web, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- apps/web/app/kustomization.yaml --
resources: [pod.yaml]
` + pod("apps/web/app/pod.yaml", "web"),
			want:     []string{"web/web Pod apps/web/app/pod.yaml:1 apps"},
			problems: []string{"warning: no Kustomization here applies itself, so the roots are guessed: apps (name the folder that a cluster applies with --flux) [kustomization-roots]"}},

		{name: "a generated kustomization", files: sync + apps + pod("apps/a.yaml", "a") + pod("apps/b/c.yml", "c") + `
-- apps/k/kustomization.yaml --
resources: [d.yaml]
namespace: k
` + pod("apps/k/d.yaml", "d") + pod("apps/k/unlisted.yaml", "u") + `
-- apps/README.md --
# no manifest
-- .sourceignore --
/apps/ignored/
` + pod("apps/ignored/x.yaml", "x"),
			want:     []string{"/a Pod apps/a.yaml:1 clusters/prod", "/c Pod apps/b/c.yml:1 clusters/prod", "k/d Pod apps/k/d.yaml:1 clusters/prod"},
			problems: []string{"apps/k/unlisted.yaml: warning: not judged: no root leads to 1 file [workload-unreached]"}},

		{name: "base and overlays of two clusters", files: `
-- clusters/prod/apps.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./apps/prod, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- clusters/dev/apps.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./apps/dev, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- apps/base/kustomization.yaml --
resources: [pod.yaml]
-- apps/prod/kustomization.yaml --
resources: [../base]
namespace: shop
-- apps/dev/kustomization.yaml --
resources: [../base]
namespace: shop-dev
` + pod("apps/base/pod.yaml", "web"), options: fluxtree.Options{Roots: []string{"clusters/prod", "./clusters/dev"}},
			want: []string{"shop-dev/web Pod apps/base/pod.yaml:1 clusters/dev", "shop/web Pod apps/base/pod.yaml:1 clusters/prod"}},

		{name: "only one cluster", files: sync + apps + pod("apps/a.yaml", "a") + strings.ReplaceAll(sync, "prod", "dev") + strings.ReplaceAll(apps, "prod", "dev"), options: fluxtree.Options{Roots: []string{"clusters/dev"}},
			want:     []string{"/a Pod apps/a.yaml:1 clusters/dev"},
			problems: []string{"clusters/prod: warning: not judged: no root leads to 3 files [workload-unreached]"}},

		{name: "namespace, names, components, patches, images, common metadata", files: sync + apps + `  targetNamespace: shop
  namePrefix: a-
  nameSuffix: -z
  components: [../components/label]
  images: [{name: x, newName: ghcr.io/acme/x, newTag: "2"}]
  patches:
    - patch: |
        - {op: add, path: /spec/hostNetwork, value: true}
      target: {kind: Pod}
  commonMetadata: {labels: {team: shop}, annotations: {by: flux}}
-- components/label/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [extra.yaml]
` + pod("components/label/extra.yaml", "extra") + pod("apps/web.yaml", "web"),
			want: []string{"shop/a-extra-z Pod components/label/extra.yaml:1 clusters/prod", "shop/a-web-z Pod apps/web.yaml:1 clusters/prod"}},

		{name: "files outside the folder", files: sync + apps + `
-- apps/kustomization.yaml --
resources: [../shared/pod.yaml]
configMapGenerator: [{name: v, namespace: shop, files: [../shared/values.txt], options: {disableNameSuffixHash: true}}]
-- shared/values.txt --
a
` + pod("shared/pod.yaml", "p"),
			want: []string{"/p Pod shared/pod.yaml:1 clusters/prod", "shop/v ConfigMap apps/kustomization.yaml:1 clusters/prod"}},

		{name: "files outside the repository", files: sync + apps + `
-- apps/kustomization.yaml --
resources: [pod.yaml]
configMapGenerator: [{name: v, files: [/etc/passwd]}]
` + pod("apps/pod.yaml", "p") + pod("clusters/prod/fine.yaml", "fine"),
			want:     []string{"/fine Pod clusters/prod/fine.yaml:1 clusters/prod"},
			problems: []string{"lies outside the repository"}},

		{name: "variables", files: sync + apps + `  postBuild:
    substitute: {CLUSTER: prod, EMPTY: ""}
    substituteFrom: [{kind: ConfigMap, name: settings}]
-- clusters/prod/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: flux-system}
data: {NS: shop, CLUSTER: lost}
-- apps/pods.yaml --
apiVersion: v1
kind: Pod
metadata: {name: "web-${CLUSTER}", namespace: "${NS}"}
spec: {containers: [{name: c, image: "x:${TAG:=1}"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: literal, namespace: a, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}}
spec: {containers: [{name: c, image: "x:${NOPE}"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: escaped, namespace: a}
spec: {containers: [{name: c, image: "x", args: ["$${HOME}"]}]}
`,
			want: []string{"a/escaped Pod apps/pods.yaml:11 clusters/prod", "a/literal Pod apps/pods.yaml:6 clusters/prod", "flux-system/settings ConfigMap clusters/prod/settings.yaml:1 clusters/prod", "shop/web-prod Pod apps/pods.yaml:1 clusters/prod"}},

		{name: "variables that are not there", files: sync + apps + `  postBuild:
    substitute: {NS: shop}
    substituteFrom: [{kind: Secret, name: cluster-secrets}, {kind: ConfigMap, name: maybe, optional: true}]
-- apps/pods.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: "${NS}"}
spec: {containers: [{name: c, image: "${REGISTRY}/web:${TAG:=1}"}]}
`,
			want: []string{"shop/web Pod apps/pods.yaml:1 clusters/prod ?spec.containers[0].image ?spec.containers[0].image"}},

		{name: "text that nothing replaces", files: sync + apps + `
-- apps/pods.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: c, image: "${REGISTRY}/web"}]}
`, want: []string{"shop/web Pod apps/pods.yaml:1 clusters/prod"}},

		{name: "a variable that is not set", files: sync + apps + `  postBuild: {substitute: {A: a}}
-- apps/pods.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: c, image: "${REGISTRY}/web"}]}
`, want: []string{"shop/web Pod apps/pods.yaml:1 clusters/prod ?spec.containers[0].image"},
			problems: []string{"${REGISTRY} is not set and has no default"}},

		{name: "nested Kustomizations pass variables on", files: sync + apps + `  postBuild: {substituteFrom: [{kind: Secret, name: elsewhere}], substitute: {NS: shop}}
-- apps/ks.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  path: ./web
  targetNamespace: ${NS}
  interval: ${INTERVAL}
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substitute: {DOMAIN: "${SECRET_DOMAIN}", APP: web}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: lost, namespace: flux-system}
spec: {path: "./${WHERE}", interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- web/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: "${APP}", labels: {domain: "${DOMAIN}"}}
spec: {containers: [{name: c, image: x}]}
`, want: []string{"shop/web Pod web/pod.yaml:1 clusters/prod ?metadata.labels.domain"},
			problems: []string{"apps/ks.yaml:12: Kustomization flux-system/lost: what it applies is not known: spec.path: ${WHERE} may come from Secret flux-system/elsewhere, which is not in the repository [kustomize-build]"}},

		{name: "SOPS", files: sync + apps + `  decryption: {provider: sops}
  postBuild: {substituteFrom: [{kind: Secret, name: cluster-secrets}]}
-- clusters/prod/secret.yaml --
apiVersion: v1
kind: Secret
metadata: {name: cluster-secrets, namespace: flux-system}
stringData: {DOMAIN: "ENC[AES256_GCM,data:x,type:str]"}
sops: {mac: "ENC[AES256_GCM,data:y]", lastmodified: "2026-01-01T00:00:00Z"}
-- apps/web.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, annotations: {domain: "${DOMAIN}"}}
spec: {containers: [{name: c, image: x}]}
`, want: []string{"flux-system/cluster-secrets Secret clusters/prod/secret.yaml:1 clusters/prod ?stringData.DOMAIN", "shop/web Pod apps/web.yaml:1 clusters/prod ?metadata.annotations.domain"}},

		{name: "foreign YAML beside manifests", files: sync + apps + pod("apps/web.yaml", "web") + `
-- apps/playbook.yaml --
- hosts: all
-- ansible/site.yaml --
- hosts: all
-- charts/web/Chart.yaml --
apiVersion: v2
name: web
-- charts/web/templates/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}}
-- values.yaml --
a: 1
`, want: []string{"/web Pod apps/web.yaml:1 clusters/prod"},
			problems: []string{"apps/playbook.yaml: Kustomization flux-system/apps: no manifest of Kubernetes, so Flux applies nothing of it"}},

		{name: "a key twice", files: sync + apps + `
-- apps/kustomization.yaml --
resources: [x.yaml, pod.yaml]
-- apps/x.yaml --
apiVersion: example.net/v1
kind: Thing
metadata: {name: x, namespace: a}
spec: {list: [{a: 1, a: 2}]}
` + pod("apps/pod.yaml", "fine"), want: []string{"/fine Pod apps/pod.yaml:1 clusters/prod"},
			problems: []string{"apps/x.yaml:1: Kustomization flux-system/apps: Thing x: Flux cannot apply it: "}},

		{name: "one that is broken, and another repository", files: sync + apps + `
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: broken, namespace: flux-system}
spec: {path: ./broken, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: nowhere, namespace: flux-system}
spec: {path: ./nowhere, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: podinfo, namespace: flux-system}
spec: {url: "https://example.com/podinfo", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: podinfo, namespace: flux-system}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: podinfo}}
-- broken/kustomization.yaml --
resources: [missing.yaml]
commonLabels: {a: b}
` + pod("broken/unread.yaml", "unread") + pod("apps/pod.yaml", "fine"), want: []string{"/fine Pod apps/pod.yaml:1 clusters/prod"},
			problems: []string{
				"broken/kustomization.yaml: warning: commonLabels is deprecated in kustomize: use labels [kustomize-deprecated]",
				"clusters/prod/apps.yaml:11: Kustomization flux-system/broken: accumulating resources",
				"clusters/prod/apps.yaml:16: Kustomization flux-system/nowhere: there is no folder nowhere in the repository [kustomization-path]",
				"clusters/prod/apps.yaml:26: warning: Kustomization flux-system/podinfo: not judged: it applies GitRepository podinfo (https://example.com/podinfo), which is not this repository [kustomization-source]",
			}},

		{name: "two of a name, by two parents", files: sync + apps + "-- apps/ks.yaml --\n" + child("web", "./web", "") + "---\n" + child("more", "./more", "") + "-- more/ks.yaml --\n" + child("web", "./other", "") + pod("web/pod.yaml", "web") + pod("other/pod.yaml", "other"),
			want:     []string{"/other Pod other/pod.yaml:1 clusters/prod", "/web Pod web/pod.yaml:1 clusters/prod"},
			problems: []string{"more/ks.yaml:1: warning: Kustomization flux-system/web: there is another one of this name, apps/ks.yaml:1: what applies them overwrites one with the other, and Flux follows the last, so both are judged [flux-twice]"}},

		{name: "the same twice", files: sync + apps + "-- apps/ks.yaml --\n" + child("web", "./web", "") + "---\n" + child("more", "./more", "") + "-- more/ks.yaml --\n" + child("web", "./web", "") + pod("web/pod.yaml", "web"),
			want: []string{"/web Pod web/pod.yaml:1 clusters/prod"}},

		{name: "two of a name in two clusters", files: sync + apps + "-- apps/ks.yaml --\n" + child("web", "./web", "") + "---\n" + child("more", "./more", ", kubeConfig: {secretRef: {name: remote}}") + "-- more/ks.yaml --\n" + child("web", "./other", "") + pod("web/pod.yaml", "web") + pod("other/pod.yaml", "other"),
			want: []string{"/other Pod other/pod.yaml:1 clusters/prod", "/web Pod web/pod.yaml:1 clusters/prod"}},

		{name: "the name of the root", files: sync + apps + "-- apps/ks.yaml --\n" + child("flux-system", "./other", "") + pod("other/pod.yaml", "other"),
			want:     []string{"/other Pod other/pod.yaml:1 clusters/prod"},
			problems: []string{"apps/ks.yaml:1: warning: Kustomization flux-system/flux-system: there is another one of this name, clusters/prod/flux-system/gotk-sync.yaml:6: "}},

		{name: "a root that is patched where it applies itself", files: strings.Replace(sync, "resources: [gotk-sync.yaml]", "resources: [gotk-sync.yaml]\nnamePrefix: ''\npatches: [{target: {kind: Kustomization}, patch: '[{\"op\": \"add\", \"path\": \"/spec/force\", \"value\": true}, {\"op\": \"add\", \"path\": \"/spec/targetNamespace\", \"value\": \"x\"}]'}]", 1) + apps + pod("apps/web.yaml", "web"),
			want: []string{"/web Pod apps/web.yaml:1 clusters/prod"}},

		{name: "one that waits for nothing", files: sync + apps + `  dependsOn: [{name: infra}, {name: flux-system}]
` + pod("apps/web.yaml", "web"), want: []string{"/web Pod apps/web.yaml:1 clusters/prod"},
			problems: []string{"clusters/prod/apps.yaml:1: warning: Kustomization flux-system/apps: it waits for flux-system/infra, which nothing here applies [kustomization-depends]"}},

		{name: "one that applies itself under other names", files: sync + `
-- clusters/prod/self.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: "self-${N:=a}", namespace: flux-system}
spec: {path: ./clusters/prod, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}, postBuild: {substitute: {N: "${N:=a}a"}}}
`, problems: []string{"more than 50 Kustomizations apply each other"}},

		{name: "a Kustomization that Flux refuses", files: sync + `
-- clusters/prod/apps.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}, postBuild: {substitute: {N: 7}}}
`, problems: []string{"clusters/prod/apps.yaml:1: a Kustomization of Flux that is not readable: spec.postBuild.substitute must be a string, not a number [kustomize-build]"}},

		{name: "artifacts", files: sync + `
-- clusters/prod/apps.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: vendor, namespace: flux-system}
spec: {url: "oci://example.com/vendor", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: vendor, namespace: flux-system}
spec: {path: ./, interval: 1h, prune: true, sourceRef: {kind: OCIRepository, name: vendor}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: made, namespace: flux-system}
spec: {path: ./, interval: 1h, prune: true, sourceRef: {kind: ExternalArtifact, name: made}}
`, problems: []string{"flux-system/vendor: not judged: it applies OCIRepository vendor (oci://example.com/vendor)", "flux-system/made: not judged: it applies ExternalArtifact made,"}},

		{name: "the same repository by another name", files: sync + `
-- .git/config --
[remote "origin"]
	url = git@example.com:acme/fleet.git
-- clusters/prod/apps.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: "https://example.com/acme/fleet", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: fleet}}
` + pod("apps/web.yaml", "web"), want: []string{"/web Pod apps/web.yaml:1 clusters/prod"}},

		{name: "sources of one name in two namespaces", files: sync + `
-- clusters/prod/tenants.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: team-a}
spec: {url: "https://example.com/team-a/apps", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: team-a}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: team-b}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}
` + pod("apps/web.yaml", "web"), want: []string{"/web Pod apps/web.yaml:1 clusters/prod"},
			problems: []string{"team-a/apps: not judged: it applies GitRepository flux-system (https://example.com/team-a/apps)"}},

		{name: "a tenant's base without a path, completed by an overlay", files: sync + `
-- clusters/prod/tenants.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: tenants, namespace: flux-system}
spec: {path: ./tenants/prod, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- tenants/base/kustomization.yaml --
namespace: apps
resources: [sync.yaml]
-- tenants/base/sync.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: dev-team
spec: {url: "https://example.com/acme/dev-team", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: dev-team
spec: {interval: 1h, prune: true, serviceAccountName: dev-team, sourceRef: {kind: GitRepository, name: dev-team}}
-- tenants/prod/kustomization.yaml --
resources: [../base]
patches: [{path: path.yaml}]
-- tenants/prod/path.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: dev-team}
spec: {path: ./prod}
`, problems: []string{"apps/dev-team: not judged: it applies GitRepository dev-team (https://example.com/acme/dev-team)"}},

		{name: "guessed roots with a source of others that comes first", files: `
-- clusters/prod/a-monitoring.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: monitoring, namespace: flux-system}
spec: {url: "https://example.com/vendor/monitoring", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: monitoring, namespace: flux-system}
spec: {path: ./monitoring, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: monitoring}}
-- clusters/prod/artifact.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: artifact, namespace: flux-system}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: ExternalArtifact, name: apps}}
-- clusters/prod/b-apps.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./apps, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: fleet}}
` + pod("apps/web.yaml", "web") + pod("monitoring/x.yaml", "theirs"), want: []string{"/web Pod apps/web.yaml:1 clusters/prod"},
			problems: []string{"roots are guessed: clusters/prod", "flux-system/monitoring: not judged: it applies GitRepository monitoring (https://example.com/vendor/monitoring)",
				"flux-system/artifact: not judged: it applies ExternalArtifact apps, which is made in the cluster", "monitoring: warning: not judged: no root leads to 1 file"}},

		{name: "a folder of Kustomizations that patch others, with variables from one of them", files: `
-- kubernetes/flux/cluster/ks.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: cluster-apps, namespace: flux-system}
spec:
  path: ./kubernetes/apps
  interval: 1h
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
  patches:
    - patch: |
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: any}
        spec: {postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}}
      target: {group: kustomize.toolkit.fluxcd.io, kind: Kustomization}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: cluster-meta, namespace: flux-system}
spec: {path: ./kubernetes/flux/meta, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
-- kubernetes/flux/meta/kustomization.yaml --
resources: [settings.yaml]
-- kubernetes/flux/meta/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: flux-system}
data: {HOST: example.com}
-- kubernetes/apps/shop/kustomization.yaml --
namespace: shop
resources: [web/ks.yaml]
-- kubernetes/apps/shop/web/ks.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec: {path: ./kubernetes/apps/shop/web/app, targetNamespace: shop, interval: 1h, prune: true, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}
-- kubernetes/apps/shop/web/app/kustomization.yaml --
resources: [pod.yaml]
-- kubernetes/apps/shop/web/app/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web, annotations: {host: "${HOST}"}}
spec: {containers: [{name: c, image: x}]}
`, want: []string{"flux-system/settings ConfigMap kubernetes/flux/meta/settings.yaml:1 kubernetes/flux/cluster", "shop/web Pod kubernetes/apps/shop/web/app/pod.yaml:1 kubernetes/flux/cluster ?metadata.annotations.host"},
			problems: []string{"the roots are guessed: kubernetes/flux/cluster"}},

		{name: "excluded", files: sync + apps + pod("apps/web.yaml", "web") + pod("apps/vendor/x.yaml", "x") + pod("other/x.yaml", "x"), options: fluxtree.Options{Exclude: []string{"vendor/", "/other"}},
			want: []string{"/web Pod apps/web.yaml:1 clusters/prod"}},

		{name: "the Flux operator", files: apps + pod("apps/web.yaml", "web") + `
-- bootstrap/instance.yaml --
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec: {sync: {kind: GitRepository, url: "https://example.com/fleet.git", path: clusters/prod}}
`, want: []string{"/web Pod apps/web.yaml:1 clusters/prod"}, problems: []string{"bootstrap: warning: not judged: no root leads to 1 file [workload-unreached]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expect(t, write(t, tt.files), tt.options, tt.want, tt.problems) })
	}
}

// TestIgnore: what sources leave out, as source-controller decides it.
func TestIgnore(t *testing.T) {
	ignoring := func(text string) string {
		return strings.Replace(sync, `interval: 1m}`, fmt.Sprintf("interval: 1m, ignore: %q}", text), 1) + apps
	}
	web := pod("apps/web.yaml", "web")
	const first = "/web Pod apps/web.yaml:1 clusters/prod"
	more := web + pod("apps/old.yaml", "old") + pod("apps/.github/ci.yaml", "ci")
	ci, old := "/ci Pod apps/.github/ci.yaml:1 clusters/prod", "/old Pod apps/old.yaml:1 clusters/prod"
	bucket := strings.NewReplacer("kind: GitRepository", "kind: Bucket", `url: "ssh://git@example.com/fleet.git"`, "endpoint: example.com, bucketName: fleet")
	tests := []struct {
		name, files    string
		want, problems []string
	}{
		{"spec.ignore, without the usual ones", ignoring("/apps/old.yaml") + more, []string{ci, first}, nil},
		{"only comments", ignoring("# /apps/old.yaml\n\n") + more, []string{old, first}, nil},
		{"after .sourceignore", ignoring("!/apps/web.yaml") + more + "-- .sourceignore --\n/apps/*\n", []string{first}, nil},
		{"with .sourceignore", ignoring("/apps/old.yaml") + more + "-- apps/.sourceignore --\n.github/\n", []string{first}, nil},
		{"a whole folder", ignoring("/apps/") + web, nil, []string{"Kustomization flux-system/apps: there is no folder apps in the repository"}},
		{"a folder in one that is left out", ignoring("/*\n!/clusters/prod\n!/apps/*.yaml") + more, []string{old, first}, nil},
		{"the same in .sourceignore", sync + apps + more + "-- .sourceignore --\n/*\n!/clusters/prod\n!/apps/web.yaml\n", []string{first}, nil},
		{"patched where it is applied", strings.Replace(sync, "resources: [gotk-sync.yaml]", "resources: [gotk-sync.yaml]\npatches: [{target: {kind: GitRepository}, patch: '[{\"op\": \"add\", \"path\": \"/spec/ignore\", \"value\": \"/apps/old.yaml\"}]'}]", 1) + apps + more, []string{ci, first}, nil},
		{"of another source of the same repository", sync + strings.Replace(apps, "name: flux-system}\n", "name: apps}\n", 1) + more +
			"-- clusters/prod/source.yaml --\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: flux-system}\nspec: {url: \"https://example.com/fleet\", ignore: /apps/old.yaml}\n",
			[]string{ci, first}, []string{"apps/old.yaml: warning: not judged: no root leads to 1 file"}},
		{"of two clusters", ignoring("/apps/old.yaml") + strings.ReplaceAll(ignoring("/apps/web.yaml"), "clusters/prod", "clusters/dev") + web + pod("apps/old.yaml", "old"),
			[]string{"/old Pod apps/old.yaml:1 clusters/dev", first}, nil},
		{"an OCIRepository", strings.NewReplacer("kind: GitRepository", "kind: OCIRepository").Replace(ignoring("/apps/old.yaml")) + more, []string{ci, first}, nil},
		{"a Bucket, which has no usual ones", bucket.Replace(sync+apps) + more, []string{ci, old, first}, nil},
		{"a Bucket, which has one .sourceignore", bucket.Replace(ignoring("/apps/.github/")) + more + "-- .sourceignore --\n/apps/old.yaml\n-- apps/.sourceignore --\nweb.yaml\n", []string{first}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expect(t, write(t, tt.files), fluxtree.Options{}, tt.want, tt.problems) })
	}
}

// TestRoots: a problem has the roots that it was met under, and none if it may be about any cluster.
func TestRoots(t *testing.T) {
	cluster := func(name, more string) string {
		return strings.ReplaceAll(sync+apps, "clusters/prod", "clusters/"+name) + more
	}
	child := func(name, spec string) string { return "---\n" + child(name, "./"+name, spec) }
	const elsewhere = ", kubeConfig: {secretRef: {name: remote}}"
	broken := "-- broken/kustomization.yaml --\nresources: [missing.yaml]\n"
	twice := "-- broken/x.yaml --\napiVersion: example.net/v1\nkind: Thing\nmetadata: {name: x}\nspec: {a: 1, a: 2}\n-- broken/kustomization.yaml --\nresources: [x.yaml]\n"
	release := "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec: {interval: 10m%s}\n"
	web := pod("apps/web.yaml", "web")
	tests := []struct {
		name, files string
		want        []string // the code, and the roots
	}{
		{"in one of two clusters", cluster("dev", "") + cluster("prod", child("broken", "")) + broken + web, []string{"kustomize-build clusters/prod"}},
		{"in a folder of both", cluster("dev", "") + cluster("prod", "") + "-- apps/kustomization.yaml --\nresources: [missing.yaml]\n",
			[]string{"kustomize-build clusters/dev", "kustomize-build clusters/prod"}}, // the place of its Kustomization
		{"in a file of both", cluster("dev", child("broken", "")) + cluster("prod", child("broken", "")) + twice + web, []string{"kustomization-object clusters/dev clusters/prod"}},
		{"a release of both", cluster("dev", "") + cluster("prod", "") + "-- apps/release.yaml --\n" + fmt.Sprintf(release, ""), []string{"helm-render clusters/dev clusters/prod"}},
		{"what both apply, one of them elsewhere", cluster("dev", child("broken", "")) + cluster("prod", child("broken", elsewhere)) + twice + web, []string{"kustomization-object"}},
		{"in another cluster", cluster("prod", child("broken", elsewhere)) + broken + web, []string{"kustomize-build"}},
		{"a Kustomization in another cluster", cluster("prod", child("away", elsewhere)) + "-- away/ks.yaml --\n" + child("broken", "") + broken + web, []string{"kustomize-build"}},
		{"a release in another cluster", cluster("prod", "") + "-- apps/release.yaml --\n" + fmt.Sprintf(release, elsewhere), []string{"helm-render"}},
		{"a release with values of that name", cluster("prod", "") + "-- apps/release.yaml --\n" + strings.Replace(fmt.Sprintf(release, ", chart: {spec: {chart: charts/web, sourceRef: {kind: GitRepository, name: flux-system}}}, values: {kubeConfig: x}"), "shop", "flux-system", 1) +
			chartYAML + "-- charts/web/templates/web.yaml --\nFAIL\n", []string{"helm-render clusters/prod"}},
		{"a path that is not there", cluster("dev", "") + cluster("prod", child("nowhere", "")) + web, []string{"kustomization-path clusters/prod"}},
		{"a Kustomization that is not readable", cluster("dev", "") + cluster("prod", child("bad", ", postBuild: {substitute: {N: 7}}")) + web, []string{"kustomize-build clusters/prod"}},
		{"one that no root leads to", cluster("prod", "") + "-- old/ks.yaml --\n" + child("bad", ", postBuild: {substitute: {N: 7}}") + web, []string{"kustomize-build"}},
		{"no manifest", cluster("dev", "") + cluster("prod", child("more", "")) + web + "-- more/playbook.yaml --\n- hosts: all\n", []string{"kustomization-manifest clusters/prod"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			r, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, "", ".", fluxtree.Options{Helm: &fluxtree.Helm{Renderer: &fakeHelm{}}})
			if err != nil {
				t.Fatal(err)
			}
			problems, err := r.Each(t.Context(), func(fluxtree.Object) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				if p.Severity == diag.Error {
					got = append(got, strings.Join(append([]string{p.Code}, p.Roots...), " "))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s\n%v", diff, problems)
			}
		})
	}
}

// TestFields: what a Kustomization says reaches the objects.
func TestFields(t *testing.T) {
	dir := write(t, sync+apps+`  targetNamespace: shop
  images: [{name: x, newName: ghcr.io/acme/x, newTag: "2"}]
  patches:
    - patch: |
        - {op: add, path: /spec/hostNetwork, value: true}
      target: {kind: Pod}
  commonMetadata: {labels: {team: shop}, annotations: {by: flux}}
  postBuild: {substitute: {N: "7", LIST: "[a, b]"}}
-- apps/kustomization.yaml --
resources: [web.yaml]
images: [{name: x, newTag: "1", digest: "sha256:0"}]
-- apps/web.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {priority: "${N}", nodes: "${LIST}", containers: [{name: c, image: x}]}
`)
	r, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, "repo", ".", fluxtree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"by":"flux"},"labels":{"team":"shop"},"name":"web","namespace":"shop"},` +
		`"spec":{"containers":[{"image":"ghcr.io/acme/x:2","name":"c"}],"hostNetwork":true,"nodes":["a","b"],"priority":7}}`
	found := false
	problems, err := r.Each(t.Context(), func(o fluxtree.Object) error {
		if o.By != "Kustomization flux-system/apps" {
			return nil
		}
		found = true
		if diff := cmp.Diff(want, string(o.JSON)); diff != "" || o.At.String() != "repo/apps/web.yaml:1" {
			t.Errorf("%s: %s", o.At, diff)
		}
		return nil
	})
	if err != nil || len(problems) > 0 || !found {
		t.Errorf("found %v, problems %v, error %v", found, problems, err)
	}
}
