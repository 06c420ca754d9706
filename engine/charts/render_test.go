package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

// files returns the files of a chart named web, and others.
func files(more map[string]string) map[string][]byte {
	all := map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: web\nversion: 1.2.3\n")}
	for name, text := range more {
		all[name] = []byte(text)
	}
	return all
}

// configMap is a template that shows a value.
const configMap = `apiVersion: v1
kind: ConfigMap
metadata: {name: shown}
data: {value: {{ toJson .Values.v | quote }}}
`

// shown renders a chart with the template configMap, and returns the value that its last object shows.
func shown(t *testing.T, params protocol.RenderParams) string {
	t.Helper()
	if params.Files == nil && params.Archive == nil {
		params.Files = files(map[string]string{"templates/c.yaml": configMap, "values.yaml": "v: {chart: 1, both: chart}\n"})
	}
	result, err := Render(t.Context(), params)
	if err != nil {
		return "error: " + err.Error()
	}
	var object struct{ Data map[string]string }
	if err := json.Unmarshal(result.Manifests[len(result.Manifests)-1].Object, &object); err != nil {
		t.Fatal(err)
	}
	return object.Data["value"]
}

// TestValues: the order in which sources of values win, as helm-controller has it.
func TestValues(t *testing.T) {
	raw := func(texts ...string) []json.RawMessage {
		var all []json.RawMessage
		for _, text := range texts {
			all = append(all, json.RawMessage(text))
		}
		return all
	}
	a := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"values.yaml":"v: {a: 1, both: a}","x":"7","list":"{1,2}","quoted":"'7'"}}`
	b := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"b"},"data":{"values.yaml":"djoge2JvdGg6IGJ9"},"stringData":{"plain":"v: {both: plain}"}}` // v: {both: b}
	tests := []struct {
		name   string
		params protocol.RenderParams
		want   string
	}{
		{"the chart", protocol.RenderParams{}, `{"both":"chart","chart":1}`},
		{"inline", protocol.RenderParams{Values: json.RawMessage(`{"v":{"both":"own"}}`)}, `{"both":"own","chart":1}`},
		{"null removes", protocol.RenderParams{Values: json.RawMessage(`{"v":{"chart":null}}`)}, `{"both":"chart"}`},
		{"a ConfigMap", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"a"}`)}, `{"a":1,"both":"a","chart":1}`},
		{"the later wins", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"a"}`, `{"kind":"Secret","name":"b"}`)}, `{"a":1,"both":"b","chart":1}`},
		{"plain text of a Secret", protocol.RenderParams{ValuesFrom: raw(`{"kind":"Secret","name":"b","valuesKey":"plain"}`)}, `{"both":"plain","chart":1}`},
		{"inline wins", protocol.RenderParams{Values: json.RawMessage(`{"v":{"both":"own"}}`), ValuesFrom: raw(`{"kind":"ConfigMap","name":"a"}`)}, `{"a":1,"both":"own","chart":1}`},
		{"a path", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"a","valuesKey":"x","targetPath":"v.both"}`)}, `{"both":7,"chart":1}`},
		{"a path to a text", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"a","valuesKey":"quoted","targetPath":"v.both"}`)}, `{"both":"7","chart":1}`},
		{"a path to a list", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"a","valuesKey":"list","targetPath":"v.both"}`)}, `{"both":[1,2],"chart":1}`},
		{"literal", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"a","valuesKey":"list","targetPath":"v.both","literal":true}`)}, `{"both":"{1,2}","chart":1}`},
		{"missing", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"c"}`)}, `error: valuesFrom: could not resolve ConfigMap chart values reference 'shop/c' with key 'values.yaml': ConfigMap "c" not found`},
		{"optional", protocol.RenderParams{ValuesFrom: raw(`{"kind":"ConfigMap","name":"c","optional":true}`)}, `{"both":"chart","chart":1}`},
		{"no object", protocol.RenderParams{Values: json.RawMessage(`[]`)}, `error: values: json: cannot unmarshal array into Go value of type map[string]interface {}`},
		{"defaults", protocol.RenderParams{Defaults: [][]byte{[]byte("v: {both: d, d: 1}"), []byte("v: {both: e}")}}, `{"both":"e","d":1}`},
		{"files of the chart", protocol.RenderParams{ValuesFiles: []string{"values.yaml", "./prod.yaml"}, Files: files(map[string]string{
			"templates/c.yaml": configMap, "values.yaml": "v: {chart: 1, both: chart}\n", "prod.yaml": "v: {both: prod}\n"})}, `{"both":"prod","chart":1}`},
		{"no such file", protocol.RenderParams{ValuesFiles: []string{"prod.yaml"}}, "error: loading the chart: it has no file prod.yaml, which spec.chart.spec.valuesFiles lists"},
		{"no such file, ignored", protocol.RenderParams{ValuesFiles: []string{"prod.yaml"}, IgnoreMissing: true}, `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.params.Name, tt.params.Namespace, tt.params.Owner, tt.params.Sources = "web", "web", "shop", raw(a, b)
			if got := shown(t, tt.params); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSchema: values that Helm refuses to install are refused, and nothing is fetched for it.
func TestSchema(t *testing.T) {
	schema := func(more string) string {
		return `{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"v": {"type": "integer"}}` + more + `}`
	}
	const (
		fine    = `{"v": 1}`
		wrong   = `{"v": "a"}`
		refused = "schema: values do not match values.schema.json of chart web: - at '/v': got string, want integer"
	)
	chart := func(schema string) map[string][]byte {
		return files(map[string]string{"templates/c.yaml": configMap, "values.schema.json": schema})
	}
	below := files(map[string]string{"templates/c.yaml": configMap, "charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n", "charts/db/values.schema.json": schema("")})
	remote := schema(`, "allOf": [{"$ref": "https://schemas.invalid/web.json#/definitions/v"}]`)
	tests := []struct {
		name, values    string
		files           map[string][]byte
		skip            bool
		want, unchecked string
	}{
		{name: "as it should be", values: fine, files: chart(schema("")), want: "1"},
		{name: "another type", values: wrong, files: chart(schema("")), want: refused},
		{name: "skipped", values: wrong, files: chart(schema("")), skip: true, want: `"a"`},
		{name: "required, not given", values: `{}`, files: chart(schema(`, "required": ["v"]`)), want: "schema: values do not match values.schema.json of chart web: - at '': missing property 'v'"},
		{name: "the latest draft", values: wrong, files: chart(strings.Replace(schema(""), "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema", 1)), want: refused},
		{name: "a subchart", values: `{"v": 1, "db": {"v": "a"}}`, files: below, want: "schema: values do not match values.schema.json of chart db: - at '/v': got string, want integer"},
		{name: "a reference within", values: wrong, files: chart(schema(`, "$id": "https://schemas.invalid/web.json", "definitions": {"v": {"required": ["v"]}}, "allOf": [{"$ref": "https://schemas.invalid/web.json#/definitions/v"}]`)), want: refused},
		{name: "a reference to the network", values: wrong, files: chart(remote), want: `"a"`, unchecked: "values.schema.json refers to https://schemas.invalid/web.json, which is not fetched"},
		{name: "a reference to the disk", values: wrong, files: chart(schema(`, "allOf": [{"$ref": "file:///etc/hostname"}]`)), want: `"a"`, unchecked: "values.schema.json refers to file:///etc/hostname, which is not fetched"},
		{name: "a dialect of the network", values: wrong, files: chart(`{"$schema": "https://schemas.invalid/own.json"}`), want: `"a"`, unchecked: "values.schema.json refers to https://schemas.invalid/own.json, which is not fetched"},
		{name: "no schema", values: fine, files: chart("{"), want: "schema: values do not match values.schema.json of chart web: unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := Render(t.Context(), protocol.RenderParams{Files: tt.files, Name: "web", Namespace: "web", Values: json.RawMessage(tt.values), SkipSchema: tt.skip})
			if result.Unchecked != tt.unchecked {
				t.Errorf("unchecked %q, want %q", result.Unchecked, tt.unchecked)
			}
			if failed := new(protocol.Error); errors.As(err, &failed) {
				if got := failed.Code + ": " + failed.Message; got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				return
			}
			if got := shown(t, protocol.RenderParams{Files: tt.files, Name: "web", Namespace: "web", Values: json.RawMessage(tt.values), SkipSchema: tt.skip}); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestDefinitions: which objects of the folder crds are applied, as the client of Helm reads them.
func TestDefinitions(t *testing.T) {
	crd := func(name string) string {
		return `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "` + name + `"}, "spec": {"group": "example.com", "names": {"kind": "` + name + `"}, "versions": [{"name": "v1", "served": true}]}}`
	}
	list := func(kind string, items ...string) string {
		return `{"apiVersion": "v1", "kind": "` + kind + `", "items": [` + strings.Join(items, ",") + "]}\n"
	}
	other := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "no-crd"}}`
	result, err := Render(t.Context(), protocol.RenderParams{Name: "web", Namespace: "web", Files: files(map[string]string{
		"crds/a.yaml":      list("List", crd("A"), crd("B")) + "---\n" + list("CustomResourceDefinitionList", crd("C")),
		"crds/b.yaml":      list("List", other, list("List", crd("D")), crd("E")),
		"crds/c.yaml":      list("List") + "---\n" + strings.Replace(crd("F"), "apiextensions.k8s.io", "example.com", 1) + "\n---\nkind: List\nitems: x\n",
		"templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Capabilities.APIVersions.Has \"example.com/v1/D\" }}'}\n",
	})})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range result.Manifests {
		var object struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal(m.Object, &object); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %t", m.Template, object.Metadata.Name, m.CRD))
	}
	want := []string{"web/crds/a.yaml A true", "web/crds/a.yaml B true", "web/crds/a.yaml C true", "web/crds/b.yaml D true", "web/crds/b.yaml E true", "web/templates/x.yaml true false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRender: what is made, in which order, and where it comes from.
func TestRender(t *testing.T) {
	object := func(kind, name, more string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: %s\nmetadata: {name: %s%s}\n", kind, name, more)
	}
	hook := func(events string) string { return `, annotations: {"helm.sh/hook": "` + events + `"}` }
	result, err := Render(t.Context(), protocol.RenderParams{
		Files: files(map[string]string{
			".helmignore":                     "ignored*\n",
			"crds/c.yaml":                     "# {{ not a template\n" + strings.Replace(object("CustomResourceDefinition", "crd", ""), "v1", "apiextensions.k8s.io/v1", 1) + "---\n" + object("ConfigMap", "no-crd", ""),
			"templates/NOTES.txt":             "{{ .Release.Name }}",
			"templates/_helpers.tpl":          `{{ define "web.name" }}{{ .Release.Name }}-web{{ end }}`,
			"templates/ignored.yaml":          "{{ fail `ignored` }}",
			"templates/.hidden.yaml":          "{{ fail `hidden` }}",
			"templates/empty.yaml":            "{{ if false }}x{{ end }}\n---\n# a comment\n",
			"templates/two.yaml":              "{{- if true }}\n" + object("Service", `{{ include "web.name" . }}`, "") + "---\n" + object("Pod", `{{ include "web.name" . }}`, "") + "{{- end }}",
			"templates/same.yaml":             object("ConfigMap", "{{ .Release.Name }}-a", "") + "---\n" + object("ConfigMap", "{{ .Release.Name }}-b", ""),
			"templates/loop.yaml":             "{{ range list 1 2 }}\n---\n" + object("Secret", "s{{ . }}", "") + "{{ end }}",
			"templates/hook.yaml":             object("Job", "hook", hook("pre-install,post-upgrade")) + "---\n" + object("Pod", "test", hook("test-success")) + "---\n" + object("Pod", "odd", hook("crd-install")),
			"templates/about.yaml":            object("Namespace", "about", `, labels: {x: "{{ .Release.Namespace }} {{ .Release.Service }} {{ .Chart.Name }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.APIVersions.Has "acme.io/v1/Thing" }} {{ .Capabilities.APIVersions.Has "apps/v1" }} {{ .Chart.Version }} {{ .Files.Get "note" }}"}`),
			"note":                            "hello",
			"charts/db/Chart.yaml":            "apiVersion: v2\nname: db\nversion: 0.1.0\n",
			"charts/db/templates/db.yaml":     object("ServiceAccount", "db-{{ .Values.global.x }}-{{ .Values.w }}", ""),
			"charts/idle/Chart.yaml":          "apiVersion: v2\nname: idle\nversion: 0.1.0\n",
			"charts/idle/templates/idle.yaml": object("ServiceAccount", "idle", ""),
			"Chart.yaml":                      "apiVersion: v2\nname: web\nversion: 1.2.3\nkubeVersion: '<1.0'\ndependencies: [{name: db, version: x}, {name: idle, version: x, condition: idle.enabled}]\n",
			"values.yaml":                     "global: {x: g}\ndb: {w: w}\nidle: {enabled: false}\n",
			"values.schema.json":              `{"$ref": "http://127.0.0.1:1/schema.json"}`,
			"templates/tests/test-some.yaml":  object("Pod", "some", hook("test")),
		}),
		Name: "r", Namespace: "shop", APIVersions: []string{"acme.io/v1/Thing"}, Metadata: "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range result.Manifests {
		var o struct {
			Kind     string
			Metadata struct {
				Name   string
				Labels map[string]string
			}
		}
		if err := json.Unmarshal(m.Object, &o); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s %s%s", m.Template, m.Line, o.Kind, o.Metadata.Name, strings.Join(m.Hooks, ","), o.Metadata.Labels["x"])))
	}
	want := []string{
		"web/crds/c.yaml:2 CustomResourceDefinition crd",
		"web/templates/hook.yaml:5 Pod test test",
		"web/templates/tests/test-some.yaml:1 Pod some test",
		"web/templates/hook.yaml:1 Job hook pre-install,post-upgrade",
		"web/templates/about.yaml:1 Namespace about shop Helm web 36 true true 1.2.3+1 hello",
		"web/charts/db/templates/db.yaml:1 ServiceAccount db-g-w",
		"web/templates/loop.yaml:3 Secret s1",
		"web/templates/loop.yaml:3 Secret s2",
		"web/templates/same.yaml:1 ConfigMap r-a",
		"web/templates/same.yaml:5 ConfigMap r-b",
		"web/templates/two.yaml:2 Service r-web",
		"web/templates/two.yaml:6 Pod r-web",
	}
	if diff := cmp.Diff(want, got); diff != "" || result.Chart != "web" || result.Version != "1.2.3" {
		t.Error(result.Chart, result.Version, diff)
	}
}

// TestCapabilities: what templates are told of the cluster. TestReading compares all of it with an API server.
func TestCapabilities(t *testing.T) {
	definition := func(group string) string {
		return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things." + group + "}\n" +
			"spec: {group: " + group + ", names: {kind: Thing}, versions: [{name: v1, served: true}, {name: v1alpha1, served: false}]}\n"
	}
	params := protocol.RenderParams{Name: "r", Namespace: "shop", APIVersions: []string{"given.io/v1"}, Files: files(map[string]string{
		"Chart.yaml":              "apiVersion: v2\nname: web\nversion: 1.2.3\ndependencies: [{name: used, version: x}, {name: idle, version: x, condition: idle.enabled}]\n",
		"values.yaml":             "v: {}\nidle: {enabled: false}\n",
		"crds/own.yaml":           definition("own.io"),
		"charts/used/Chart.yaml":  "apiVersion: v2\nname: used\nversion: 0.1.0\n",
		"charts/used/crds/c.yaml": definition("used.io"),
		"charts/idle/Chart.yaml":  "apiVersion: v2\nname: idle\nversion: 0.1.0\n",
		"charts/idle/crds/c.yaml": definition("idle.io"),
		"templates/c.yaml": `{{- $has := list }}
{{- range list "v1/Pod" "networking.k8s.io/v1/Ingress" "apps/v1/Pod" "policy/v1beta1" "batch/v1beta1/CronJob" "given.io/v1" "own.io/v1/Thing" "own.io/v1alpha1" "used.io/v1" "idle.io/v1" }}
{{- if $.Capabilities.APIVersions.Has . }}{{ $has = append $has . }}{{ end }}{{ end }}
apiVersion: v1
kind: ConfigMap
metadata: {name: shown}
data: {value: {{ join " " $has | quote }}}`,
	})}
	const always = "v1/Pod networking.k8s.io/v1/Ingress given.io/v1"
	if got := shown(t, params); got != always+" own.io/v1/Thing used.io/v1" {
		t.Errorf("got %s", got)
	}
	params.SkipCRDs = true
	if got := shown(t, params); got != always {
		t.Errorf("without definitions: got %s", got)
	}
}

// archiveOf packs files, whose names begin with the folder.
func archiveOf(t testing.TB, content map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestHostile: a chart gets nothing but its files, and what is none is an error in one line.
func TestHostile(t *testing.T) {
	chart := "apiVersion: v2\nname: web\nversion: 1.2.3\n"
	t.Setenv("SECRET", "s3cr3t")
	tests := []struct {
		name   string
		params protocol.RenderParams
		want   string // of the error; or else the value shown
	}{
		{"nothing", protocol.RenderParams{Files: map[string][]byte{"x": nil}}, "loading the chart: Chart.yaml file is missing"},
		{"both", protocol.RenderParams{Files: files(nil), Archive: []byte("x")}, "a folder and an archive"},
		{"no archive", protocol.RenderParams{Archive: []byte("x")}, "loading the chart: "},
		{"path out of the folder", protocol.RenderParams{Files: files(map[string]string{"templates/../../x": ""})}, "no path in it"},
		{"path out of the archive", protocol.RenderParams{Archive: archiveOf(t, map[string]string{"web/Chart.yaml": chart, "web/../../x": "x"})}, "illegally"},
		{"absolute path", protocol.RenderParams{Archive: archiveOf(t, map[string]string{"web/Chart.yaml": chart, "web//etc/x": "x"})}, "absolute"},
		{"bomb", protocol.RenderParams{Archive: archiveOf(t, map[string]string{"web/Chart.yaml": chart, "web/x": strings.Repeat("0", 8<<20)})}, "larger than the maximum"},
		{"library", protocol.RenderParams{Files: files(map[string]string{"Chart.yaml": chart + "type: library\n"})}, "library chart cannot be installed"},
		{"missing dependency", protocol.RenderParams{Files: files(map[string]string{"Chart.yaml": chart + "dependencies: [{name: db, version: 1.x}, {name: mq, version: 1.x}]\n"})}, "not in its folder charts: db, mq"},
		{"environment", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": `{{ env "SECRET" }}`})}, `function "env" not defined`},
		{"expanded environment", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": `{{ expandenv "$SECRET" }}`})}, `function "expandenv" not defined`},
		{"fail", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "{{ fail `no\nway` }}"})}, "no way"},
		{"required", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "{{ required `say a` .Values.a }}"})}, "say a"},
		{"endless recursion", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "{{ define `a` }}{{ include `a` . }}{{ end }}{{ include `a` . }}"})}, "nested reference"},
		{"too much text", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "{{ repeat 40000000 `x` }}"})}, "more than 32 MiB"},
		{"no YAML", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "a: b: c\n"})}, "templates/c.yaml"},
		{"a list", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "- a\n"})}, "templates/c.yaml"},
		{"no kind", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "a: b\n"})}, "has no kind"},
		{"anchors", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "kind: X\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"})}, "templates/c.yaml"},
		{"lookup", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "kind: ConfigMap\ndata: {value: 'l{{ len (lookup `v1` `Secret` `` ``) }}'}"})}, "l0"},
		{"names of hosts", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "kind: ConfigMap\ndata: {value: 'h{{ getHostByName `localhost` }}'}"})}, "h"},
		{"files of others", protocol.RenderParams{Files: files(map[string]string{"templates/c.yaml": "kind: ConfigMap\ndata: {value: 'f{{ .Files.Get `/etc/passwd` }}{{ .Files.Get `../../../../etc/passwd` }}'}"})}, "f"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.params.Name = "web"
			begin := time.Now()
			got := shown(t, tt.params)
			text, failed := strings.CutPrefix(got, "error: ")
			if failed && (!strings.Contains(text, tt.want) || strings.Contains(text, "\n")) || !failed && got != tt.want {
				t.Errorf("got %.300q, want %q", got, tt.want)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestWatch: too much is noticed.
func TestWatch(t *testing.T) {
	runtime.GC() // so that nothing shrinks
	exceeded := make(chan bool, 1)
	most := inUse() + 64<<20
	stop := Watch(most, func() { exceeded <- true })
	kept := make([]byte, 128<<20)
	select {
	case <-exceeded:
	case <-time.After(10 * time.Second):
		t.Error("it was not noticed")
	}
	stop()
	stop = Watch(most+128<<20, func() { exceeded <- true })
	time.Sleep(100 * time.Millisecond)
	stop()
	if kept[0] = 1; len(exceeded) > 0 {
		t.Error("it was noticed too early")
	}
}
