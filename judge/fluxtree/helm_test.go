package fluxtree_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// fakeHelm renders charts whose templates only have NAME, for the name of the release, and VALUE,
// for the value v of the release or of the last source of values that has it. A document is made only for the release of
// ONLY, and where there is the version of NEEDS. It notes what it is asked.
type fakeHelm struct {
	asked  []engine.RenderParams
	pulled []engine.PullParams
}

func (f *fakeHelm) Pull(_ context.Context, params engine.PullParams) (engine.PullResult, error) {
	f.pulled = append(f.pulled, params)
	return engine.PullResult{}, errors.New("no network")
}

func (f *fakeHelm) Render(_ context.Context, params engine.RenderParams) (engine.RenderResult, error) {
	f.asked = append(f.asked, params)
	var values struct{ V any }
	for _, source := range params.Sources {
		var content struct{ Data, StringData map[string]string }
		if err := json.Unmarshal(source, &content); err != nil {
			return engine.RenderResult{}, err
		}
		for _, data := range []map[string]string{content.Data, content.StringData} {
			for _, text := range data {
				if !strings.HasPrefix(text, "ENC[") && yaml.Unmarshal([]byte(text), &values) != nil { // a single value
					values.V = text
				}
			}
		}
	}
	if err := json.Unmarshal(params.Values, &values); len(params.Values) > 0 && err != nil {
		return engine.RenderResult{}, err
	}
	result := engine.RenderResult{Chart: "chart", Version: "1.0.0", Manifests: []engine.Manifest{}}
	if schema := string(params.Files["values.schema.json"]); schema != "" && !params.SkipSchema {
		if schema != "https\n" {
			return result, &engine.Error{Code: engine.CodeSchema, Message: "values do not match"}
		}
		result.Unchecked = schema
	}
	for _, name := range slices.Sorted(maps.Keys(params.Files)) {
		if !strings.Contains(name, "templates/") {
			continue
		}
		text := strings.NewReplacer("NAME", params.Name, "VALUE", fmt.Sprint(values.V)).Replace(string(params.Files[name]))
		for document := range strings.SplitSeq(text, "---\n") {
			if strings.Contains(document, "FAIL") {
				return result, &engine.Error{Code: engine.CodeChart, Message: name + ": never"}
			}
			first, rest, _ := strings.Cut(document, "\n")
			if name, only := strings.CutPrefix(first, "ONLY "); only {
				if document = rest; name != params.Name {
					continue
				}
			}
			if api, needs := strings.CutPrefix(first, "NEEDS "); needs {
				if document = rest; !slices.Contains(params.APIVersions, api) {
					continue
				}
			}
			object, err := yaml.YAMLToJSON([]byte(document))
			if err != nil {
				return result, err
			}
			m := engine.Manifest{Template: "chart/" + name, Object: object}
			if strings.Contains(document, "hook") {
				m.Hooks = []string{"pre-install"}
			}
			result.Manifests = append(result.Manifests, m)
		}
	}
	return result, nil
}

// inRepository is a HelmRelease of the chart charts/web.
func inRepository(name, spec string) string {
	return "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: " + name + ", namespace: shop}\n" +
		"spec: {interval: 10m, chart: {spec: {chart: charts/web, sourceRef: {kind: GitRepository, name: flux-system}}}" + spec + "}\n"
}

const (
	chartYAML = "-- charts/web/Chart.yaml --\n{apiVersion: v2, name: web, version: 1.0.0}\n"
	// shows has the value in a field, and the name.
	shows = "-- charts/web/templates/web.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {v: \"VALUE\", other: x}\n"
)

// TestHelm: which releases are rendered, as what, and what is said of the others.
func TestHelm(t *testing.T) {
	release := "-- apps/release.yaml --\n"
	config := func(kind, data string) string {
		return "-- apps/values.yaml --\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: values, namespace: shop}\n" + data + "\n"
	}
	from := ", valuesFrom: [{kind: Secret, name: values}]"
	key := ", valuesFrom: [{kind: Secret, name: values, valuesKey: k, targetPath: v}]"
	variables := strings.Replace(apps, "  prune: true\n", "  prune: true\n  postBuild: {substitute: {A: a}, substituteFrom: [{kind: Secret, name: none}]}\n", 1)
	tests := []struct {
		name, files string
		want        []string
		problems    []string
	}{
		{"one", apps + release + inRepository("web", "") + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"a file that is ignored", apps + release + inRepository("web", "") + chartYAML + shows + "-- .sourceignore --\n/charts/web/templates\n", nil, nil},
		{"a file that its source ignores", strings.Replace(apps, "clusters/prod/apps.yaml --\n", "clusters/prod/apps.yaml --\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: charts, namespace: shop}\nspec: {url: \"https://example.com/fleet\", ignore: /charts/web/templates}\n---\n", 1) +
			release + strings.Replace(inRepository("web", ""), "name: flux-system}}}", "name: charts}}}", 1) + chartYAML + shows, nil, nil},
		{"name and namespace", apps + release + inRepository("web", ", targetNamespace: other") + chartYAML + shows, []string{"/other-web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"long name", apps + release + inRepository("web", ", releaseName: "+strings.Repeat("a", 60)) + chartYAML + shows,
			[]string{"/" + strings.Repeat("a", 40) + "-11ee391211c6 ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"common metadata", apps + release + inRepository("web", ", commonMetadata: {labels: {a: b}}") + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil> a=b"}, nil},
		{"patched, with a hook", apps + release + inRepository("web", `, postRenderers: [{kustomize: {patches: [{patch: "- {op: add, path: /data/v, value: patched}", target: {kind: ConfigMap}}]}}]`) + chartYAML + shows + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook}\n",
			nil, []string{"error: HelmRelease shop/web: cannot be rendered: spec.postRenderers: "}},
		{"patched", apps + release + inRepository("web", `, postRenderers: [{kustomize: {patches: [{patch: "- {op: add, path: /data/v, value: patched}", target: {kind: ConfigMap}}]}}]`) + chartYAML + shows + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook}\ndata: {}\n",
			[]string{"/hook ConfigMap charts/web/templates/web.yaml:1 patched", "/web ConfigMap charts/web/templates/web.yaml:1 patched"}, nil},
		{"patched, in an old version", apps + release + strings.Replace(inRepository("web", `, postRenderers: [{kustomize: {patchesStrategicMerge: [{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {v: merged}}], patchesJson6902: [{target: {kind: ConfigMap}, patch: [{op: add, path: /metadata/labels/a, value: b}]}]}}]`), "/v2", "/v2beta2", 1) + chartYAML + strings.Replace(shows, "{name: NAME}", "{name: NAME, labels: {c: d}}", 1),
			[]string{"/web ConfigMap charts/web/templates/web.yaml:1 merged a=b"}, nil},
		{"hooks stay", apps + release + inRepository("web", `, postRenderStrategy: nohooks, postRenderers: [{kustomize: {patches: [{patch: "- {op: add, path: /data/v, value: patched}", target: {kind: ConfigMap}}]}}]`) + chartYAML + shows + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook}\ndata: {}\n",
			[]string{"/hook ConfigMap charts/web/templates/web.yaml:1 ", "/web ConfigMap charts/web/templates/web.yaml:1 patched"}, nil},
		{"hooks off", apps + release + inRepository("web", ", install: {disableHooks: true}") + chartYAML + shows + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook}\n", []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"lists", apps + release + inRepository("web", "") + chartYAML + "-- charts/web/templates/web.yaml --\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n" +
			"- {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {v: VALUE}}]}\n---\napiVersion: v1\nkind: NoList\nmetadata: {name: c}\nitems: {}\n",
			[]string{"/a ConfigMap charts/web/templates/web.yaml:1 <nil>", "/b ConfigMap charts/web/templates/web.yaml:1 <nil>", "/c NoList charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"known variable", variables + release + inRepository("web", `, values: {v: "${A}"}`) + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 a"}, nil},
		{"unknown variable", variables + release + inRepository("web", `, values: {v: "${B}"}`) + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 unknown ?data.v"}, []string{
			"HelmRelease shop/web: judged in part: spec.values.v: ${B} may come from Secret flux-system/none, which is not in the repository"}},
		{"unknown name of an object", variables + release + inRepository("web", `, values: {v: "x${B}"}`) + chartYAML + strings.Replace(shows, "name: NAME", "name: VALUE", 1),
			[]string{"/x ConfigMap charts/web/templates/web.yaml:1 x ?", "/x1 ConfigMap charts/web/templates/web.yaml:1 x1 ?", "/xtrue ConfigMap charts/web/templates/web.yaml:1 xtrue ?", "/xunknown ConfigMap charts/web/templates/web.yaml:1 xunknown ?"},
			[]string{"HelmRelease shop/web: judged in part: spec.values.v: "}},
		{"unknown chart", variables + release + strings.Replace(inRepository("web", ""), "charts/web", `"charts/${B}"`, 1) + chartYAML + shows, nil, []string{
			"HelmRelease shop/web: not judged: not known is spec.chart.spec.chart: ${B} "}},
		{"unknown, does not matter", variables + release + strings.Replace(inRepository("web", ""), "10m", `"${B}"`, 1) + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"values", apps + release + inRepository("web", from) + chartYAML + shows + config("Secret", "stringData: {values.yaml: 'v: 7'}"), []string{"/web ConfigMap charts/web/templates/web.yaml:1 7"}, nil},
		{"encrypted values", apps + release + inRepository("web", from) + chartYAML + shows + config("Secret", "stringData: {values.yaml: 'ENC[x]'}\nsops: {mac: x}"), nil, []string{
			"HelmRelease shop/web: not judged: its values come from Secret values, which is encrypted (SOPS) (give it with --substitute)"}},
		{"encrypted values, of a generator", apps + release + inRepository("web", from) + chartYAML + shows + config("Secret", "stringData: {values.yaml: 'v: ENC[AES256_GCM,data:x]'}"), nil, []string{
			"HelmRelease shop/web: not judged: its values come from Secret values, which is encrypted (SOPS) (give it with --substitute)"}},
		{"one encrypted value", apps + release + inRepository("web", key) + chartYAML + shows + config("Secret", "stringData: {k: 'ENC[x]'}\nsops: {mac: x}"), []string{"/web ConfigMap charts/web/templates/web.yaml:1 unknown ?data.v"}, []string{
			"HelmRelease shop/web: judged in part: spec.values.v comes from Secret values, which is encrypted (SOPS)"}},
		{"another key is encrypted", apps + release + inRepository("web", key) + chartYAML + shows + config("Secret", "stringData: {k: 'v: 7', l: 'ENC[x]'}\nsops: {mac: x}"), []string{"/web ConfigMap charts/web/templates/web.yaml:1 7"}, nil},
		{"no values", apps + release + inRepository("web", from) + chartYAML + shows, nil, []string{
			"HelmRelease shop/web: not judged: its values come from Secret values, which is not in the repository (give it with --substitute)"}},
		{"does not render", apps + release + inRepository("web", "") + inRepository("api", "") + chartYAML + "-- charts/web/templates/web.yaml --\nFAIL\n", nil, []string{
			"error: HelmRelease shop/api: cannot be rendered: templates/web.yaml: never", "error: HelmRelease shop/web: cannot be rendered: templates/web.yaml: never"}},
		{"renders with no value", variables + release + inRepository("web", `, values: {v: "${B}"}`) + chartYAML + "-- charts/web/templates/web.yaml --\nFAIL\n", nil, []string{
			"HelmRelease shop/web: not judged: its values are not known: spec.values.v: ${B} "}},
		{"values that Helm refuses", apps + release + inRepository("web", ", upgrade: {disableSchemaValidation: true}") + chartYAML + shows + "-- charts/web/values.schema.json --\nno\n", nil, []string{
			"error: HelmRelease shop/web: Helm refuses to install it: values do not match"}},
		{"values that are not checked", apps + release + inRepository("web", ", install: {disableSchemaValidation: true}") + chartYAML + shows + "-- charts/web/values.schema.json --\nno\n",
			[]string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"values that cannot be checked", apps + release + inRepository("web", "") + chartYAML + shows + "-- charts/web/values.schema.json --\nhttps\n",
			[]string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, []string{"HelmRelease shop/web: its values were not checked: https"}},
		{"made-up values, which no schema checks", variables + release + inRepository("web", `, values: {v: "${B}"}`) + chartYAML + shows + "-- charts/web/values.schema.json --\nno\n",
			[]string{"/web ConfigMap charts/web/templates/web.yaml:1 unknown ?data.v"}, []string{"HelmRelease shop/web: judged in part: spec.values.v: "}},
		{"neither chart nor reference", apps + release + "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec: {interval: 10m}\n", nil, []string{
			"error: HelmRelease shop/web: it has neither spec.chart nor spec.chartRef"}},
		{"made in the cluster", apps + release + strings.Replace(inRepository("web", ""), "chart: {spec: {chart: charts/web, sourceRef: {kind: GitRepository, name: flux-system}}}", "chartRef: {kind: ExternalArtifact, name: x}", 1), nil, []string{
			"HelmRelease shop/web: not judged: its chart is ExternalArtifact shop/x, which is made in the cluster"}},
		{"another repository", apps + release + strings.Replace(inRepository("web", ""), "flux-system}}}", "other}}}", 1) + chartYAML + shows + "-- apps/source.yaml --\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: other, namespace: shop}\nspec: {url: \"https://example.com/x\"}\n", nil, []string{
			"HelmRelease shop/web: not judged: its chart web of GitRepository shop/other is not at hand: give it with --charts, or let it be pulled with --pull"}},
		{"no such chart", apps + release + inRepository("web", ""), nil, []string{
			"HelmRelease shop/web: not judged: its chart web of GitRepository shop/flux-system is not at hand: "}},
		{"missing dependency", apps + release + inRepository("web", "") + "-- charts/web/Chart.yaml --\n{apiVersion: v2, name: web, version: 1.0.0, dependencies: [{name: db, version: 1.x, repository: 'https://example.com'}]}\n" + shows, nil, []string{
			"HelmRelease shop/web: not judged: its chart depends on another: its chart db 1.x of https://example.com is not at hand: "}},
		{"dependency out of the repository", apps + release + inRepository("web", "") + "-- charts/web/Chart.yaml --\n{apiVersion: v2, name: web, version: 1.0.0, dependencies: [{name: db, version: 1.x, repository: 'file://../../../db'}]}\n" + shows, nil, []string{
			"HelmRelease shop/web: not judged: its chart depends on file://../../../db, which is not in the repository"}},
		{"depends on itself", apps + release + inRepository("web", "") + "-- charts/web/Chart.yaml --\n{apiVersion: v2, name: web, version: 1.0.0, dependencies: [{name: web, version: 1.x, repository: 'file://../web'}]}\n" + shows, nil, []string{
			"HelmRelease shop/web: not judged: its chart depends on others that depend on others, more than 5 times"}},
		{"a chart that makes a release of itself", apps + release + inRepository("web", "") + chartYAML + shows + strings.Replace(inRepository("web", ""), "\nspec", "\nspec", 1), []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"a chart that asks for what a later one brings", apps + release + inRepository("api", "") + inRepository("web", ", targetNamespace: crd") + chartYAML + "-- charts/web/templates/web.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n---\nONLY crd-web\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: hook}\nspec: {group: example.com, names: {kind: Thing}, versions: [{name: v1, served: true}]}\n---\nNEEDS example.com/v1/Thing\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: thing}\n",
			[]string{"/api ConfigMap charts/web/templates/web.yaml:1 <nil>", "/crd-web ConfigMap charts/web/templates/web.yaml:1 <nil>", "/hook CustomResourceDefinition charts/web/templates/web.yaml:1 <nil>",
				"/thing ConfigMap charts/web/templates/web.yaml:1 <nil>", "/thing ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"a chart that makes a list", apps + release + inRepository("web", "") + chartYAML + "-- charts/web/templates/web.yaml --\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n" +
			"- apiVersion: helm.toolkit.fluxcd.io/v2\n  kind: HelmRelease\n  metadata: {name: inner}\n  spec: {chart: {spec: {chart: charts/none, sourceRef: {kind: GitRepository, name: flux-system}}}}\n" +
			"- {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: inner, namespace: flux-system}, spec: {path: inner}}\n" + pod("inner/pod.yaml", "inner"),
			[]string{"/inner Pod inner/pod.yaml:1 <nil>", "/x ConfigMap charts/web/templates/web.yaml:1 <nil>"}, []string{"HelmRelease shop/inner: not judged: its chart none "}},
		{"a namespace of its own", apps + release + inRepository("web", ", targetNamespace: other, install: {createNamespace: true}") + inRepository("api", ", targetNamespace: other, install: {createNamespace: true}") + chartYAML + shows,
			[]string{"/other Namespace apps/release.yaml:2 <nil> if missing", "/other-api ConfigMap charts/web/templates/web.yaml:1 <nil>", "/other-web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"a namespace that is there", apps + release + inRepository("web", ", targetNamespace: other, install: {createNamespace: true}") + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: other}}\n" + chartYAML + shows,
			[]string{"/other Namespace apps/release.yaml <nil>", "/other-web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"two of a name", apps + release + inRepository("web", "") + "-- clusters/prod/release.yaml --\n" + inRepository("web", ", values: {v: other}") + chartYAML + shows,
			[]string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>", "/web ConfigMap charts/web/templates/web.yaml:1 other"},
			[]string{"HelmRelease shop/web: there is another one of this name, clusters/prod/release.yaml:2: "}},
		{"its own namespace", apps + release + inRepository("web", ", install: {createNamespace: true}") + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
		{"in another cluster", apps + release + inRepository("web", ", kubeConfig: {secretRef: {name: x}}") + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil> elsewhere"}, nil},
		{"of a Kustomization in another cluster", strings.Replace(apps, "  prune: true\n", "  prune: true\n  kubeConfig: {secretRef: {name: x}}\n", 1) + release + inRepository("web", "") + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil> elsewhere"}, nil},
		{"a switch that is not known", variables + release + inRepository("web", `, test: {enable: "${B}"}`) + chartYAML + shows, []string{"/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, []string{
			"HelmRelease shop/web: judged in part: spec.test.enable: ${B} "}},
		{"a chart that makes Kustomizations", apps + release + inRepository("web", "") + chartYAML + shows + "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: inner, namespace: flux-system}\nspec: {path: inner}\n" + pod("inner/pod.yaml", "inner"),
			[]string{"/inner Pod inner/pod.yaml:1 <nil>", "/web ConfigMap charts/web/templates/web.yaml:1 <nil>"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := readHelm(t, write(t, sync+tt.files), &fluxtree.Helm{Renderer: &fakeHelm{}})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(problems) != len(tt.problems) {
				t.Fatalf("problems %s", strings.Join(problems, "\n"))
			}
			for i, p := range problems {
				if !strings.HasPrefix(p, tt.problems[i]) {
					t.Errorf("problem %s\nwant %s", p, tt.problems[i])
				}
			}
		})
	}
}

// readHelm is read for what charts make, with a value of each object.
func readHelm(t *testing.T, dir string, helm *fluxtree.Helm) (objects, problems []string) {
	t.Helper()
	r, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, "", ".", fluxtree.Options{Helm: helm})
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Each(t.Context(), func(o fluxtree.Object) error {
		var h struct {
			APIVersion, Kind string
			Metadata         struct {
				Name, Namespace string
				Labels          map[string]string
			}
			Data map[string]any
		}
		decode(t, o.JSON, &h)
		if strings.Contains(h.APIVersion, "toolkit.fluxcd.io") || h.Metadata.Name == "values" {
			return nil
		}
		value := fmt.Sprint(h.Data["v"])
		if h.Data != nil && h.Data["v"] == nil {
			value = ""
		}
		line := fmt.Sprintf("%s/%s %s %s %s", h.Metadata.Namespace, h.Metadata.Name, h.Kind, o.At, value)
		for _, u := range o.Unknown {
			line += " ?" + u.Path
		}
		if h.Metadata.Labels["a"] != "" {
			line += " a=" + h.Metadata.Labels["a"]
		}
		if o.Elsewhere {
			line += " elsewhere"
		}
		if o.IfMissing {
			line += " if missing"
		}
		objects = append(objects, line)
		if h.Kind == "ConfigMap" && h.Metadata.Name != "hook" && (h.Metadata.Labels["app.kubernetes.io/managed-by"] != "Helm" || h.Metadata.Labels["helm.toolkit.fluxcd.io/name"] == "") {
			t.Errorf("the labels of Helm and Flux are missing: %s", o.JSON)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		text := d.Summary
		if d.Severity == diag.Error {
			text = "error: " + text
		}
		if d.Code != fluxtree.CodeRendered {
			problems = append(problems, text)
		}
	}
	slices.Sort(objects)
	slices.Sort(problems)
	return objects, problems
}

// TestHelmOrder: a release comes after those that it depends on, and after those of the Kustomizations that its own one
// depends on, so that it knows their definitions. Files of values are told by the version, and missing ones leave none.
func TestHelmOrder(t *testing.T) {
	chart := func(name, template string) string {
		return "-- charts/" + name + "/Chart.yaml --\n{apiVersion: v2, name: web, version: 1.0.0}\n-- charts/" + name + "/templates/web.yaml --\n" + template
	}
	with := func(name, spec, chart string) string {
		return strings.Replace(inRepository(name, spec), "charts/web", "charts/"+chart, 1)
	}
	first := strings.ReplaceAll(strings.Replace(apps, "./apps", "./first", 1), "apps", "first")
	last := strings.Replace(apps, "  prune: true\n", "  prune: true\n  dependsOn: [{name: first}]\n", 1)
	definition := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.NAME}\n" +
		"spec: {group: NAME, names: {kind: Thing}, versions: [{name: v1, served: true}]}\n"
	files := chart("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n") + chart("crd", definition) + last + first +
		"-- apps/release.yaml --\n" + with("a", ", dependsOn: [{name: b}, {name: none}], install: {crds: Skip}", "web") + with("b", ", dependsOn: [{name: b}]", "crd") +
		"-- first/release.yaml --\n" + strings.Replace(with("c", "", "crd"), "flux-system}}}", "flux-system}, valuesFiles: [none.yaml], ignoreMissingValuesFiles: true}}", 1)
	helm := &fakeHelm{}
	_, problems := readHelm(t, write(t, sync+files), &fluxtree.Helm{Renderer: helm})
	var got []string
	for _, asked := range helm.asked {
		got = append(got, fmt.Sprintf("%s %q %t %q %s", asked.Name, asked.APIVersions, asked.SkipCRDs, asked.Metadata, asked.Defaults))
	}
	all := `["c/v1" "c/v1/Thing" "b/v1" "b/v1/Thing"]`
	want := []string{`c [] false "1" [{}]`, `b ["c/v1" "c/v1/Thing"] false "" []`, `a ` + all + ` true "" []`,
		`c ` + all + ` false "1" [{}]`, `b ` + all + ` false "" []`} // as on the next upgrade
	if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

// TestHelmOnce: a release is rendered once for equal charts and values, in however many places.
func TestHelmOnce(t *testing.T) {
	helm := &fakeHelm{}
	second := strings.ReplaceAll(sync+apps, "clusters/prod", "clusters/dev")
	objects, _ := readHelm(t, write(t, sync+apps+second+"-- apps/release.yaml --\n"+inRepository("web", "")+chartYAML+shows), &fluxtree.Helm{Renderer: helm})
	if len(objects) != 2 || len(helm.asked) != 1 {
		t.Errorf("%d objects, asked %d times", len(objects), len(helm.asked))
	}
}

// TestHelmPull: what is asked of repositories, and only if that is allowed.
func TestHelmPull(t *testing.T) {
	of := func(chart string) string {
		return strings.Replace(inRepository("web", ""), "chart: {spec: {chart: charts/web, sourceRef: {kind: GitRepository, name: flux-system}}}", chart, 1)
	}
	source := func(kind, spec string) string {
		return "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: " + kind + "\nmetadata: {name: acme, namespace: shop}\nspec: {" + spec + "}\n"
	}
	listed := of("chart: {spec: {chart: web, version: 1.x, sourceRef: {kind: HelmRepository, name: acme}}}")
	artifact := of("chartRef: {kind: OCIRepository, name: acme}")
	for name, tt := range map[string]struct {
		files string
		want  engine.PullParams
	}{
		"HTTP":         {listed + source("HelmRepository", "url: 'https://example.com/charts'"), engine.PullParams{URL: "https://example.com/charts", Chart: "web", Version: "1.x"}},
		"registry":     {listed + source("HelmRepository", "type: oci, insecure: true, url: 'oci://example.com/charts/'"), engine.PullParams{URL: "oci://example.com/charts/web", Version: "1.x", PlainHTTP: true}},
		"artifact":     {artifact + source("OCIRepository", "url: 'oci://example.com/web', ref: {tag: 1.2.3}"), engine.PullParams{URL: "oci://example.com/web", Tag: "1.2.3"}},
		"its range":    {artifact + source("OCIRepository", "url: 'oci://example.com/web', ref: {tag: x, semver: 1.x, semverFilter: a}"), engine.PullParams{URL: "oci://example.com/web", Version: "1.x", Filter: "a"}},
		"its digest":   {artifact + source("OCIRepository", "url: 'oci://example.com/web', ref: {semver: 1.x, digest: 'sha256:a'}"), engine.PullParams{URL: "oci://example.com/web", Digest: "sha256:a"}},
		"its last tag": {artifact + source("OCIRepository", "url: 'oci://example.com/web'"), engine.PullParams{URL: "oci://example.com/web", Tag: "latest"}},
		"a dependency": {inRepository("web", "") + "-- charts/web/Chart.yaml --\n{apiVersion: v2, name: web, version: 1.0.0, dependencies: [{name: db, version: 1.x, repository: 'https://example.com'}]}\n-- charts/web/Chart.lock --\ndependencies: [{name: db, version: 1.2.3, repository: 'https://example.com'}]\n",
			engine.PullParams{URL: "https://example.com", Chart: "db", Version: "1.2.3"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, sync+apps+"-- apps/release.yaml --\n"+tt.files)
			for _, pull := range []bool{false, true} {
				helm := &fakeHelm{}
				_, problems := readHelm(t, dir, &fluxtree.Helm{Renderer: helm, Pull: pull, Cache: "cache"})
				tt.want.Cache = "cache"
				want := []engine.PullParams{tt.want}
				if !pull {
					want = nil
				}
				if diff := cmp.Diff(want, helm.pulled); diff != "" || len(problems) != 1 {
					t.Error(diff, problems)
				}
			}
		})
	}
}

// TestCharts: charts in folders, by name and version.
func TestCharts(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	got, err := fluxtree.Charts(fstest.MapFS{
		"a/Chart.yaml": file("name: a\nversion: 1.0.0\nfrom: x\n"), "a/charts/b/Chart.yaml": file("name: b\nversion: 1.0.0\n"), "c/d/Chart.yaml": file("name: d\nversion: 2.0.0\n"),
		".git/Chart.yaml": file("name: no\nversion: 1.0.0\n"), "readme.md": file(""),
	}, "x")
	var lines []string
	for _, c := range got {
		lines = append(lines, c.Name+" "+c.Version+" "+c.From)
	}
	if diff := cmp.Diff([]string{"a 1.0.0 x/a", "d 2.0.0 x/c/d"}, lines); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for name, fsys := range map[string]fs.FS{
		"x/e: its Chart.yaml has no name or no version": fstest.MapFS{"e/Chart.yaml": file("version: 1.0.0\n")},
		"x/f.tgz: ": fstest.MapFS{"f.tgz": file("no archive")},
	} {
		if _, err := fluxtree.Charts(fsys, "x"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

// TestHelmLinks: a link in a chart is not followed, as Flux does not keep links.
func TestHelmLinks(t *testing.T) {
	dir := write(t, sync+apps+"-- apps/release.yaml --\n"+inRepository("web", "")+chartYAML+shows)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("kind: X"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"templates/link.yaml": secret, "templates/near.yaml": "web.yaml", "folder": filepath.Dir(secret), "templates/loop": "."} {
		if err := os.Symlink(to, filepath.Join(dir, "charts/web", link)); err != nil {
			t.Skip(err)
		}
	}
	helm := &fakeHelm{}
	readHelm(t, dir, &fluxtree.Helm{Renderer: helm})
	if got := slices.Sorted(maps.Keys(helm.asked[0].Files)); !slices.Equal(got, []string{"Chart.yaml", "templates/web.yaml"}) {
		t.Errorf("files %v", got)
	}
}
