package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

// helmRelease is a HelmRelease in the namespace shop; spec is more of its spec.
func helmRelease(name, chart, spec string) string {
	return fmt.Sprintf(`---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: %s, namespace: shop}
spec: {interval: 10m, serviceAccountName: apps, %s%s}
`, name, chart, spec)
}

// inGit is the chart in a folder of the repository.
func inGit(dir string) string {
	return "chart: {spec: {chart: ./" + dir + ", sourceRef: {kind: GitRepository, name: flux-system}}}"
}

// inHelm is a chart of the HelmRepository acme.
func inHelm(name, version string) string {
	return "chart: {spec: {chart: " + name + ", version: \"" + version + "\", sourceRef: {kind: HelmRepository, name: acme}}}"
}

// hosted is the template of a Deployment that uses the network of the host where the value host
// says so, after a Service.
func hosted() string {
	text := strings.Replace(controller("Deployment", "x", "NAME", "      hostNetwork: {{ .Values.host | default false }}\n"), ", namespace: x", "", 1)
	return "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\nspec: {ports: [{port: 80}]}\n" + strings.ReplaceAll(text, "NAME", "{{ .Release.Name }}")
}

// chartFiles are the files of a chart in a folder.
func chartFiles(dir, name, version string, more map[string]string) map[string]string {
	files := map[string]string{dir + "/Chart.yaml": fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version), dir + "/templates/web.yaml": hosted()}
	for file, text := range more {
		files[dir+"/"+file] = text
	}
	return files
}

// packed is a packaged chart.
func packed(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// found lists findings of one control in prod.
func found(report *impact.Report, control string) []string {
	var all []string
	for _, f := range report.Findings {
		if f.Environment == "prod" && (f.Control == control || f.Control == "") {
			line := fmt.Sprintf("%s %s %s", f.Status, f.Workload(), f.Position)
			if f.Template != "" {
				line += " " + f.Template
			}
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// TestImpactHelm: of the workloads in charts, each bad one is found, with its namespace and its
// template, and nothing else is; what is not rendered is named.
func TestImpactHelm(t *testing.T) {
	var source *httptest.Server
	archive := packed(t, chartFiles("far", "far", "3.1.0", nil))
	source = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".tgz") {
			_, _ = w.Write(archive)
			return
		}
		fmt.Fprint(w, "apiVersion: v1\nentries: {far: [{version: 3.1.0, urls: [far.tgz]}, {version: 2.0.0, urls: [old.tgz]}]}\n")
	}))
	t.Cleanup(source.Close)
	git := inGit("charts/web")
	files := map[string]string{
		"clusters/prod/flux-system/gotk-sync.yaml": fluxKustomization("flux-system", "clusters/prod", ""),
		"clusters/prod/apps.yaml":                  fluxKustomization("apps", "apps", `, postBuild: {substitute: {HOST: "true"}, substituteFrom: [{kind: Secret, name: elsewhere}]}`),
		"apps/sources.yaml": "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: acme, namespace: shop}\nspec: {url: \"" + source.URL + "\"}\n---\n" +
			"apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {name: made, namespace: shop}\nspec: {chart: ./charts/web, sourceRef: {kind: GitRepository, name: flux-system}}\n---\n" +
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: shop}\ndata: {values.yaml: 'host: true', off.yaml: 'host: false', key: 'true', var.yaml: 'host: ${SECRET}'}\n---\n" +
			"apiVersion: v1\nkind: Secret\nmetadata: {name: sealed, namespace: shop}\nstringData: {values.yaml: 'ENC[AES256_GCM,data:x]', key: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x}\n",
		"apps/releases.yaml": helmRelease("good", git, "") +
			helmRelease("inline", git, ", values: {host: true}") +
			helmRelease("from", git, ", valuesFrom: [{kind: ConfigMap, name: values}]") +
			helmRelease("mended", git, ", valuesFrom: [{kind: ConfigMap, name: values}], values: {host: false}") +
			helmRelease("path", git, ", valuesFrom: [{kind: ConfigMap, name: values, valuesKey: key, targetPath: host}]") +
			helmRelease("file", strings.Replace(git, "sourceRef", "valuesFiles: [charts/web/values.yaml, charts/bad.yaml], sourceRef", 1), "") +
			helmRelease("target", git, ", targetNamespace: payments, releaseName: other, values: {host: true}") +
			helmRelease("patched", git, `, postRenderers: [{kustomize: {patches: [{patch: "- {op: add, path: /spec/template/spec/hostNetwork, value: true}", target: {kind: Deployment}}]}}]`) +
			helmRelease("ref", "chartRef: {kind: HelmChart, name: made}", ", values: {host: true}") +
			helmRelease("nested", inGit("charts/parent"), ", values: {child: {host: true}, host: false}") +
			helmRelease("near", inHelm("near", "1.x"), ", values: {host: true}") +
			helmRelease("pulled", inHelm("far", ">=3"), ", values: {host: true}") +
			helmRelease("resolved", git, ", values: {host: \"${HOST}\"}") +
			helmRelease("open", git, ", values: {host: \"${SECRET}\"}") +
			helmRelease("open-file", git, ", valuesFrom: [{kind: ConfigMap, name: values, valuesKey: var.yaml}]") +
			helmRelease("sealed-key", git, ", valuesFrom: [{kind: Secret, name: sealed, valuesKey: key, targetPath: host}]") +
			helmRelease("sealed", git, ", valuesFrom: [{kind: Secret, name: sealed}]") +
			helmRelease("absent", git, ", valuesFrom: [{kind: Secret, name: nowhere}]") +
			helmRelease("optional", git, ", valuesFrom: [{kind: Secret, name: nowhere, optional: true}], values: {host: true}") +
			helmRelease("missing", inHelm("none", ""), "") +
			helmRelease("broken", inGit("charts/broken"), "") +
			helmRelease("hooks", inGit("charts/hooks"), "") +
			helmRelease("makes", inGit("charts/makes"), ""),
		"charts/bad.yaml": "host: true\n",
	}
	for _, some := range []map[string]string{
		chartFiles("charts/web", "web", "1.2.3", map[string]string{"values.yaml": "host: false\n"}),
		chartFiles("charts/child", "child", "1.2.3", nil),
		{"charts/parent/Chart.yaml": "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: [{name: child, version: 1.x, repository: 'file://../child'}]\n"},
		chartFiles("charts/broken", "broken", "1.0.0", map[string]string{"templates/no.yaml": "{{ fail `never` }}"}),
		{"charts/hooks/Chart.yaml": "apiVersion: v2\nname: hooks\nversion: 1.0.0\n",
			"charts/hooks/templates/hook.yaml": strings.NewReplacer("NAME", "hook", "metadata: {name: hook}", "metadata: {name: hook, annotations: {\"helm.sh/hook\": pre-install}}").
				Replace(strings.Replace(controller("Deployment", "x", "hook", "      hostNetwork: true\n"), ", namespace: x", "", 1)),
			"charts/hooks/templates/test.yaml": strings.Replace(controller("Deployment", "x", "test", "      hostNetwork: true\n"), ", namespace: x", ", annotations: {\"helm.sh/hook\": test}", 1)},
		{"charts/makes/Chart.yaml": "apiVersion: v2\nname: makes\nversion: 1.0.0\n", "charts/makes/templates/r.yaml": helmRelease("inner", git, ", values: {host: true}")},
	} {
		maps.Copy(files, some)
	}
	given := t.TempDir()
	for _, version := range []string{"1.0.0", "1.4.0", "2.0.0"} {
		if err := os.WriteFile(filepath.Join(given, "near-"+version+".tgz"), packed(t, chartFiles("near", "near", version, nil)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	charts, err := fluxtree.Charts(os.DirFS(given), "given")
	if err != nil {
		t.Fatal(err)
	}
	report, problems := impactOf(t, files, &fluxtree.Helm{Charts: charts, Pull: true, Cache: t.TempDir()})
	at := func(name string) string {
		line := strings.Index(files["apps/releases.yaml"], "{name: "+name+",")
		return fmt.Sprintf("apps/releases.yaml:%d", strings.Count(files["apps/releases.yaml"][:line], "\n")-1)
	}
	want := []string{
		"unknown Deployment shop/open charts/web/templates/web.yaml:6",
		"unknown Deployment shop/open-file charts/web/templates/web.yaml:6",
		"unknown Deployment shop/sealed-key charts/web/templates/web.yaml:6",
		"would-block Deployment payments/other charts/web/templates/web.yaml:6",
		"would-block Deployment shop/file charts/web/templates/web.yaml:6",
		"would-block Deployment shop/from charts/web/templates/web.yaml:6",
		"would-block Deployment shop/hook charts/hooks/templates/hook.yaml:2",
		"would-block Deployment shop/inline charts/web/templates/web.yaml:6",
		"would-block Deployment shop/inner charts/web/templates/web.yaml:6",
		"would-block Deployment shop/near " + at("near") + " near/templates/web.yaml",
		"would-block Deployment shop/nested charts/child/templates/web.yaml:6",
		"would-block Deployment shop/optional charts/web/templates/web.yaml:6",
		"would-block Deployment shop/patched charts/web/templates/web.yaml:6",
		"would-block Deployment shop/path charts/web/templates/web.yaml:6",
		"would-block Deployment shop/pulled " + at("pulled") + " far/templates/web.yaml",
		"would-block Deployment shop/ref charts/web/templates/web.yaml:6",
		"would-block Deployment shop/resolved charts/web/templates/web.yaml:6",
	}
	if diff := cmp.Diff(want, found(report, "disallow-host-namespaces")); diff != "" {
		t.Error(diff)
	}
	var unjudged []string
	for _, n := range report.NotJudged {
		line := n.Name + ": " + n.Reason
		if n.Part {
			line = "in part: " + line
		}
		unjudged = append(unjudged, line)
	}
	wantUnjudged := []string{
		"shop/absent: its values come from Secret nowhere, which is not in the repository (give it with --substitute)",
		`shop/missing: its chart none cannot be pulled: the chart none in ` + source.URL + `: none of its versions is in the range *`,
		"in part: shop/open: spec.values.host: ${SECRET} may come from Secret flux-system/elsewhere, which is not in the repository",
		"in part: shop/open-file: ConfigMap values: ${SECRET} may come from Secret flux-system/elsewhere, which is not in the repository",
		"in part: shop/optional: Secret nowhere is optional and not in the repository",
		"shop/sealed: its values come from Secret sealed, which is encrypted (SOPS) (give it with --substitute)",
		"in part: shop/sealed-key: spec.values.host comes from Secret sealed, which is encrypted (SOPS)",
	}
	if diff := cmp.Diff(wantUnjudged, unjudged); diff != "" {
		t.Error(diff)
	}
	if len(report.Unread) != 1 || !strings.Contains(report.Unread[0].Summary, "HelmRelease shop/broken: cannot be rendered: ") || !strings.Contains(report.Unread[0].Summary, "never") || len(problems) > 0 {
		t.Errorf("unread %v, problems %v", report.Unread, problems)
	}
	if len(report.Rendered) != 20 || !slices.ContainsFunc(report.Rendered, func(r impact.Rendered) bool {
		return r.Name == "shop/near" && r.Chart == "near 1.4.0 from given/near-1.4.0.tgz"
	}) {
		t.Errorf("rendered %v", report.Rendered)
	}
	if raw, err := json.Marshal(report); err != nil || bytes.Contains(raw, []byte("ENC[")) {
		t.Error("what is encrypted is in the report", err)
	}
}

// TestHostileChart: a chart that needs too much ends its engine, and nothing else.
func TestHostileChart(t *testing.T) {
	files := map[string]string{
		"clusters/prod/flux-system/gotk-sync.yaml": fluxKustomization("flux-system", "clusters/prod", ""),
		"clusters/prod/releases.yaml":              helmRelease("bomb", inGit("charts/bomb"), "") + helmRelease("web", inGit("charts/web"), ", values: {host: true}"),
		"charts/bomb/Chart.yaml":                   "apiVersion: v2\nname: bomb\nversion: 1.0.0\n",
		"charts/bomb/templates/x.yaml":             "{{ repeat 3000000000 `x` }}",
	}
	maps.Copy(files, chartFiles("charts/web", "web", "1.2.3", nil))
	report, _ := impactOf(t, files, &fluxtree.Helm{})
	if got := found(report, "disallow-host-namespaces"); len(got) != 1 || !strings.Contains(got[0], "Deployment shop/web") {
		t.Error(got)
	}
	if len(report.Unread) != 1 || !strings.Contains(report.Unread[0].Summary, "needs more than 1024 MiB") {
		t.Error(report.Unread)
	}
}
