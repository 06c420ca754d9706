package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func stream(name, text string) Input {
	return Input{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// read gives what a source yields as "position: kind namespace/name", and its problems.
func read(t *testing.T, s Source) (got []string, problems []string) {
	t.Helper()
	list, err := s.Each(t.Context(), func(w Workload) error {
		got = append(got, fmt.Sprintf("%s: %s", w.At, w.ID()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		problems = append(problems, d.String())
	}
	return got, problems
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"

func TestReads(t *testing.T) {
	p := func(name string) string { return fmt.Sprintf(pod, name) }
	jsonPod := func(name string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": %q}}`, name)
	}
	tests := []struct {
		name, text string
		want       []string
	}{
		{"one document", p("a"), []string{"f:1: Pod shop/a"}},
		{"several", p("a") + "---\n" + p("b") + "--- # c\n\n" + p("c"), []string{"f:1: Pod shop/a", "f:5: Pod shop/b", "f:10: Pod shop/c"}},
		{"comments and empty documents first", "# x\n---\n\n---\n# Source: y\n" + p("a") + "---\n# nothing\n", []string{"f:6: Pod shop/a"}},
		{"content behind the marker", "--- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n" + p("b"), []string{"f:1: Pod shop/a", "f:3: Pod shop/b"}},
		{"end of document", p("a") + "...\n" + p("b"), []string{"f:1: Pod shop/a", "f:5: Pod shop/b"}},
		{"no line end, CRLF, byte order mark", "\ufeff" + strings.ReplaceAll(p("a")+"---\n"+p("b"), "\n", "\r\n") + "---\r\nnull", []string{"f:1: Pod shop/a", "f:5: Pod shop/b"}},
		{"a marker that is text", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '---y', z: \"a\\n---\"}\n", []string{"f:1: ConfigMap shop/a"}},
		{"own namespace", strings.Replace(p("a"), "{name: a}", "{name: a, namespace: x}", 1), []string{"f:1: Pod x/a"}},
		{"list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n", []string{"f:4: Pod shop/a", "f:7: Pod shop/b"}},
		{"typed list", "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n", []string{"f:4: Deployment shop/a"}},
		{"empty list", p("a") + "---\n{apiVersion: v1, kind: List, items: []}\n", []string{"f:1: Pod shop/a"}},
		{"cluster-scoped", "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n---\napiVersion: example.com/v1\nkind: Thing\nmetadata: {name: b}\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: c}\n",
			[]string{"f:1: ClusterRole a", "f:5: Thing b", "f:9: HelmRepository shop/c"}},
		{"generated name", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-, namespace: x}\n", []string{"f:1: Pod x/a-*"}},
		{"JSON", "\n" + jsonPod("a") + "\n\n" + jsonPod("b"), []string{"f:2: Pod shop/a", "f:4: Pod shop/b"}},
		{"JSON list of kubectl", "{\n \"apiVersion\": \"v1\",\n \"items\": [\n  " + jsonPod("a") + ",\n  " + jsonPod("b") + "\n ],\n \"kind\": \"List\"\n}\n", []string{"f:4: Pod shop/a", "f:5: Pod shop/b"}},
		{"JSON list of the API", `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"a","namespace":"x"}}]}`, []string{"f:1: Pod x/a"}},
		{"JSON list in a list", `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}}]}]}`, []string{"f:1: Pod shop/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := read(t, NewFiles([]Input{stream("f", tt.text)}, nil, "shop"))
			if diff := cmp.Diff(tt.want, got); diff != "" || problems != nil {
				t.Errorf("%s\nproblems: %v", diff, problems)
			}
		})
	}
}

// TestReadsAsKubectl: what the API server gets is YAML 1.1 and keeps its types.
func TestReadsAsKubectl(t *testing.T) {
	var object string
	_, err := NewFiles([]Input{stream("f", "apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: {on: yes, port: 8080, version: '1.10'}\n")}, nil, "").Each(t.Context(), func(w Workload) error {
		object = string(w.Object)
		return nil
	})
	if want := `{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"spec":{"port":8080,"true":true,"version":"1.10"}}`; err != nil || object != want {
		t.Errorf("got %s, error %v", object, err)
	}
}

func TestReadsWrong(t *testing.T) {
	good := fmt.Sprintf(pod, "a") + "---\n"
	tests := []struct {
		name, text, want string
	}{
		{"not YAML", good + "apiVersion: v1\nkind: [Pod\nmetadata: {name: x}\n", "f:6: did not find"},
		{"a key twice", good + "apiVersion: v1\nkind: Pod\nkind: Pod\n", `f:7: key "kind" already set in map [yaml-syntax]`},
		{"a template", good + "apiVersion: v1\nkind: {{ .Values.kind }}\n", "helm template"},
		{"List without a list", good + "---\napiVersion: v1\nkind: List\nitems: x\n", "f:6: items must be a list, not a string [workload-kind]"},
		{"PodList without a list", "apiVersion: v1\nkind: PodList\nitems: {a: 1}\n", "f:1: items must be a list, not an object [workload-kind]"},
		{"a Pod without a specification", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: x\n", "f:1: the API server would refuse it: spec must be an object, not a string [workload-kind]"},
		{"containers in a mapping", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: {name: a}}}}\n", "f:1: the API server would refuse it: spec.template.spec.containers must be a list, not an object [workload-kind]"},
		{"a version that is gone", "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\n", "f:1: the API server would refuse it: CronJob of batch/v1beta1 is gone from Kubernetes, which has batch/v1 [workload-kind]"},
		{"a group that is gone", "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n", "f:1: the API server would refuse it: Ingress of extensions/v1beta1 is gone from Kubernetes, which has networking.k8s.io/v1 [workload-kind]"},
		{"an image as a number", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: {spec: {initContainers: [{image: 1}]}}}}}\n", "f:1: the API server would refuse it: spec.jobTemplate.spec.template.spec.initContainers.image must be a string, not a number [workload-kind]"},
		{"a name as a number", "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n", "f:1: not a Kubernetes object: metadata.name must be a string, not a number [workload-kind]"},
		{"metadata as a list", "apiVersion: v1\nkind: Pod\nmetadata: []\n", "f:1: not a Kubernetes object: metadata must be an object, not a list [workload-kind]"},
		{"null in a list", "apiVersion: v1\nkind: PodList\nitems: [null]\n", "f:3: not a Kubernetes object: must be an object, not null [workload-kind]"},
		{"a list", good + "- apiVersion: v1\n", "f:5: warning: not a Kubernetes object: a list [workload-kind]"},
		{"a playbook", good + "- hosts: all\n", "f:5: warning: not a Kubernetes object: a playbook or a list of tasks of Ansible [workload-kind]"},
		{"tasks", good + "- name: x\n  ansible.builtin.copy: {src: a}\n", "a list of tasks of Ansible"},
		{"encrypted values", good + "a: ENC[AES256_GCM,data:x]\nsops: {mac: x}\n", "f:5: warning: not a Kubernetes object: a file that SOPS encrypted [workload-kind]"},
		{"no kind", good + "replicas: 3\n", "f:5: warning: not a Kubernetes object: it has no apiVersion or no kind [workload-kind]"},
		{"a scalar", good + "hello\n", "f:5: warning: not a Kubernetes object: a text or number [workload-kind]"},
		{"items of a list without kind", good + "apiVersion: v1\nkind: List\nitems:\n- {metadata: {name: x}}\n", "f:8: warning: not a Kubernetes object"},
		{"nothing", "# nothing\n", "no Kubernetes object was found: nothing was judged [workload-none]"},
		{"empty", "", "[workload-none]"},
		{"JSON array", "[{}]\n---\n" + good, "f:1: warning: not a Kubernetes object: a list [workload-kind]"},
		{"JSON array behind an object", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}\n[{}]", "f:2: not a Kubernetes object: a JSON file must hold objects"},
		{"JSON cut off", "{\"apiVersion\": \"v1\",\n\"items\": [", "f:2: the file ends within an object [json-syntax]"},
		{"JSON wrong", "{\"apiVersion\": \"v1\",\n\"kind\" \"Pod\"}", "f:2: not readable as JSON"},
		{"a template as JSON", "{{- if .Values.x }}\nkind: Pod\n", "helm template … | gatehouse impact SOURCE -) [yaml-syntax]"},
		{"JSON items that are no list", `{"apiVersion":"v1","kind":"List","items":{}}`, "f:1: items must be a list"},
		{"JSON items of no list", `{"apiVersion":"v1","kind":"Pod","items":[]}`, `has items, but its kind "Pod" is not a list`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := read(t, NewFiles([]Input{stream("f", tt.text)}, nil, ""))
			if len(problems) != 1 || !strings.Contains(problems[0], tt.want) {
				t.Errorf("problems are %q, want %q", problems, tt.want)
			}
		})
	}
	t.Run("all files are told, and what is good is read", func(t *testing.T) {
		got, problems := read(t, NewFiles([]Input{stream("f", "a: ["), stream("g", "b: ["), stream("h", good)}, nil, ""))
		if len(problems) != 2 || len(got) != 1 {
			t.Errorf("got %v, problems %v", got, problems)
		}
	})
}

// TestStops: an error of the caller is not taken for the end of the input.
func TestStops(t *testing.T) {
	for _, text := range []string{fmt.Sprintf(pod, "a"), `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`} {
		problems, err := NewFiles([]Input{stream("f", text)}, nil, "").Each(t.Context(), func(Workload) error { return io.EOF })
		if !errors.Is(err, io.EOF) || len(problems) > 0 {
			t.Errorf("error %v, problems %v", err, problems)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewFiles([]Input{stream("f", fmt.Sprintf(pod, "a"))}, nil, "").Each(ctx, func(Workload) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// endless repeats text after a beginning, count times.
type endless struct {
	begin, text, end string
	count            int
	rest             string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.begin != "" {
		e.rest, e.begin = e.begin, ""
	}
	if e.rest == "" {
		switch {
		case e.count > 0:
			e.rest = e.text
			e.count--
		case e.end != "":
			e.rest, e.end = e.end, ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// TestBounded reads much more than it may hold.
func TestBounded(t *testing.T) {
	filler := strings.Repeat("x", 100<<10)
	tests := []struct {
		name    string
		in      *endless
		want    int
		problem string
	}{
		{"YAML documents", &endless{text: "---\n" + fmt.Sprintf(pod, "a") + "x: " + filler + "\n", count: 500}, 500, ""},
		{"JSON list", &endless{begin: `{"apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Pod"}`, text: `,{"apiVersion":"v1","kind":"Pod","x":"` + filler + `"}`, count: 500, end: `],"kind":"List"}`}, 501, ""},
		{"one YAML document", &endless{begin: "a:\n", text: "- " + filler + "\n", count: 500}, 0, "workload-large"},
		{"one YAML line", &endless{text: filler, count: 500}, 0, "workload-large"},
		{"one JSON value", &endless{begin: `{"apiVersion": "`, text: filler, count: 500}, 0, "workload-large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, peak := 0, uint64(0)
			in := Input{Name: "f", Open: func() (io.ReadCloser, error) { return io.NopCloser(tt.in), nil }}
			problems, err := NewFiles([]Input{in}, nil, "").Each(t.Context(), func(Workload) error {
				if got++; got%100 == 0 {
					var stats runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&stats)
					peak = max(peak, stats.HeapAlloc)
				}
				return nil
			})
			if err != nil || got != tt.want {
				t.Errorf("%d objects, want %d; error %v", got, tt.want, err)
			}
			if tt.problem == "" && len(problems) > 0 || tt.problem != "" && (len(problems) != 1 || problems[0].Code != tt.problem) {
				t.Errorf("problems are %v", problems)
			}
			if peak > 24<<20 {
				t.Errorf("%d MiB were held at a time", peak>>20)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	p := func(name string) *fstest.MapFile { return &fstest.MapFile{Data: fmt.Appendf(nil, pod, name)} }
	fsys := fstest.MapFS{
		"a.yaml": p("a"), "b/c.yml": p("c"), "b/d.json": {Data: []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"d"}}`)},
		"b/README.md": {Data: []byte("# no")}, ".git/x.yaml": p("hidden"), ".x.yaml": p("hidden"),
		"k/kustomization.yaml": {Data: []byte("resources: [e.yaml]")}, "k/e.yaml": p("e"),
	}
	inputs, err := Folder(fsys, "apps", nil)
	if err != nil {
		t.Fatal(err)
	}
	disk := filesys.MakeFsInMemory()
	for name, text := range map[string]string{"kustomization.yaml": "resources: [../../base]\nnamePrefix: x-\nnamespace: payments\n", "../../base/kustomization.yaml": "resources: [e.yaml]", "../../base/e.yaml": fmt.Sprintf(pod, "e")} {
		if err := disk.WriteFile("/apps/k/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range inputs {
		if inputs[i].Open == nil {
			inputs[i].Name = "/" + inputs[i].Name
		}
	}
	got, problems := read(t, NewFiles(inputs, disk, "shop"))
	want := []string{"apps/a.yaml:1: Pod shop/a", "apps/b/c.yml:1: Pod shop/c", "apps/b/d.json:1: Pod shop/d", "/base/e.yaml:1: Pod payments/x-e"}
	if diff := cmp.Diff(want, got); diff != "" || len(problems) != 1 || !strings.Contains(problems[0], "/apps/k/e.yaml: warning: not judged") {
		t.Errorf("%s\nproblems: %v", diff, problems)
	}
	_, problems = read(t, NewFiles([]Input{{Name: "/nowhere"}}, disk, ""))
	if len(problems) != 1 || !strings.Contains(problems[0], "[kustomize-build]") {
		t.Errorf("problems are %v", problems)
	}
}

// TestComponents: a component is a part of the kustomizations that name it, and nothing alone.
func TestComponents(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"web/kustomization.yaml": "resources: [pod.yaml]\ncomponents: [../used]\n", "web/pod.yaml": fmt.Sprintf(pod, "web"),
		"used/kustomization.yaml":   "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: used-\n",
		"unused/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: missing.yaml}]\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inputs, err := Folder(os.DirFS(dir), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, problems := read(t, NewFiles(inputs, filesys.MakeFsOnDisk(), "shop"))
	if diff := cmp.Diff([]string{filepath.ToSlash(dir) + "/web/pod.yaml:1: Pod shop/used-web"}, got); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || !strings.Contains(problems[0], "unused: warning: not judged") {
		t.Errorf("problems are %v", problems)
	}
}
