package impact_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// given is a source of workloads and problems.
type given struct {
	workloads []workload.Workload
	problems  fluxtree.Problems
}

func (g given) Progress() (read, total int64) { return 0, 0 }

func (g given) Each(_ context.Context, yield func(workload.Workload) error) (fluxtree.Problems, error) {
	for _, w := range g.workloads {
		if err := yield(w); err != nil {
			return g.problems, err
		}
	}
	return g.problems, nil
}

// judged returns the findings as "environment status control: message".
func judged(t *testing.T, s workload.Source) (*impact.Report, []string) {
	t.Helper()
	bundle := compile(t)
	steps := impact.Steps(bundle.Plan, nil, "")
	report, _, err := impact.Run(t.Context(), new(fake), bundle, withStages(t, bundle, impact.Stages(steps)), steps, s, impact.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range report.Findings {
		got = append(got, strings.TrimSuffix(strings.Join([]string{f.Environment, string(f.Status), f.Control + ":", f.Message}, " "), " "))
	}
	return report, got
}

// TestUnknown: a control that names a field which is not known gives no verdict, nor does one
// whose verdict changes with the value. All others do.
func TestUnknown(t *testing.T) {
	field := func(path ...string) fluxtree.Unknown {
		return fluxtree.Unknown{Path: strings.Join(path, "."), Keys: path, Why: "${X} is not set"}
	}
	tests := []struct {
		name    string
		unknown fluxtree.Unknown
		// faults with each value.
		faults []string
		want   []string // in dev
	}{
		{"a field that the control reads", field("spec", "volumes", "hostPath"), []string{"disallow-host-path=pass"}, []string{"unknown disallow-host-path: spec.volumes.hostPath: ${X} is not set"}},
		{"a violation in such a field", field("spec", "volumes", "hostPath"), []string{"disallow-host-path"}, []string{"unknown disallow-host-path: spec.volumes.hostPath: ${X} is not set"}},
		{"a field that it does not read", field("spec", "containers", "env", "value"), []string{"disallow-host-path=pass"}, nil},
		{"a violation elsewhere", field("spec", "containers", "env", "value"), []string{"disallow-host-path"}, []string{"blocked disallow-host-path: validation error: disallow-host-path | no."}},
		{"verdicts that differ", field("spec", "x", "y"), []string{"disallow-host-path", "disallow-host-path=pass"}, []string{"unknown disallow-host-path: spec.x.y: ${X} is not set"}},
		{"a violation with one of the values", field("spec", "x", "y"), []string{"x=pass", "disallow-host-path"}, []string{"unknown disallow-host-path: spec.x.y: ${X} is not set"}},
		{"the namespace, and what judges in others only", field("metadata", "namespace"), []string{"disallow-host-path=pass"}, []string{"unknown disallow-host-path: metadata.namespace: ${X} is not set",
			"unknown disallow-host-ports: metadata.namespace: ${X} is not set", "unknown require-labels: metadata.namespace: ${X} is not set"}},
		{"the kind", field("kind"), nil, []string{"unknown : kind: ${X} is not set"}},
		{"the version", field("apiVersion"), []string{"disallow-host-path=pass"}, []string{"unknown : apiVersion: ${X} is not set"}},
		{"the specification", field("spec"), []string{"require-labels=pass"}, []string{"unknown require-labels: spec: ${X} is not set"}},
		{"a label", field("metadata", "labels", "app"), []string{"require-labels=pass", "disallow-host-path=pass"}, []string{"unknown require-labels: metadata.labels.app: ${X} is not set"}},
		{"exempt with each value", field("spec", "volumes", "hostPath"), []string{"disallow-host-path=exempt"}, []string{"exempt disallow-host-path:"}},
		{"one value without a verdict", field("spec", "x", "y"), []string{"x=panic", "disallow-host-path=pass"}, nil},
		{"one value that a control cannot judge", field("spec", "x", "y"), []string{"disallow-host-path", "disallow-host-path=error", "disallow-host-path"}, []string{"blocked disallow-host-path: validation error: disallow-host-path | no."}},
		{"the first value that a control cannot judge", field("spec", "x", "y"), []string{"disallow-host-path=error", "disallow-host-path"}, []string{"unknown disallow-host-path: spec.x.y: ${X} is not set"}},
		{"no value that a control can judge", field("spec", "x", "y"), []string{"disallow-host-path=error", "disallow-host-path=error"}, []string{"error disallow-host-path: cannot be evaluated"}},
		{"no value with a verdict", field("spec", "x", "y"), []string{"x=panic", "x=panic"}, []string{"unknown : spec.x.y: ${X} is not set"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var objects []json.RawMessage
			if tt.faults == nil {
				objects = append(objects, json.RawMessage(`{}`))
			}
			for _, fault := range tt.faults {
				one := []string{fault}
				if tt.name == "a label" {
					one = tt.faults
				}
				data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "web"}, "faults": one})
				if err != nil {
					t.Fatal(err)
				}
				objects = append(objects, data)
			}
			w := workload.Workload{Object: objects[0], APIVersion: "v1", Kind: "Pod", Namespace: "ops", Name: "web", At: diag.Position{File: "a.yaml"}, Unknown: []fluxtree.Unknown{tt.unknown}, Others: objects[1:]}
			_, got := judged(t, given{workloads: []workload.Workload{w}})
			var dev []string
			for _, f := range got {
				if rest, ok := strings.CutPrefix(f, "dev "); ok {
					dev = append(dev, rest)
				}
			}
			if diff := cmp.Diff(tt.want, dev); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestClusters: what Flux applies to a cluster is judged in the environment of the cluster.
func TestClusters(t *testing.T) {
	var workloads []workload.Workload
	for _, root := range []string{"clusters/dev", "clusters/prod-eu", "clusters/elsewhere", "."} {
		workloads = append(workloads, workload.Workload{
			Object: json.RawMessage(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"faults":["disallow-host-path"]}`), APIVersion: "v1", Kind: "Pod",
			Namespace: "ops", Name: "web", At: diag.Position{File: "a.yaml"}, Root: root, By: "Kustomization flux-system/apps",
		})
	}
	report, _ := judged(t, given{workloads: workloads})
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Environment+" "+f.Cluster)
	}
	want := []string{"dev .", "dev clusters/dev", "dev clusters/elsewhere", "prod .", "prod clusters/elsewhere", "prod clusters/prod-eu"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if dev, prod := report.Environments[0].Objects, report.Environments[1].Objects; report.Objects != 4 || dev != 3 || prod != 3 {
		t.Errorf("%d objects, %d in dev, %d in prod", report.Objects, dev, prod)
	}
}

// TestElsewhere: what Flux applies to another cluster than that of the root may be of any
// environment, and a Namespace is made only where the bundle has none.
func TestElsewhere(t *testing.T) {
	one := func(kind, name string) workload.Workload {
		return workload.Workload{Object: json.RawMessage(`{"apiVersion":"v1","kind":"` + kind + `","metadata":{"name":"` + name + `"},"faults":["disallow-host-path"]}`),
			APIVersion: "v1", Kind: kind, Name: name, At: diag.Position{File: "a.yaml"}, Root: "clusters/dev", By: "HelmRelease ops/web"}
	}
	remote, listed, made := one("Pod", "web"), one("Namespace", "ops"), one("Namespace", "other")
	remote.Namespace, remote.Elsewhere = "ops", true
	listed.IfMissing, made.IfMissing = true, true
	report, _ := judged(t, given{workloads: []workload.Workload{remote, listed, made}})
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Environment+" "+f.Workload())
	}
	if diff := cmp.Diff([]string{"dev Namespace other", "dev Pod ops/web", "prod Pod ops/web"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestUsualNamespace: what a file does not say of a kind, a policy about it does.
func TestUsualNamespace(t *testing.T) {
	w := workload.Workload{Object: json.RawMessage(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"faults":["disallow-host-path"]}`),
		APIVersion: "v1", Kind: "Pod", Usual: "ops", Name: "web", At: diag.Position{File: "a.yaml"}}
	other := w
	other.Kind = "Unheard"
	report, _ := judged(t, given{workloads: []workload.Workload{w, other}})
	var got []string
	for _, f := range report.Findings {
		if f.Environment == "dev" {
			got = append(got, f.Workload())
		}
	}
	if diff := cmp.Diff([]string{"Unheard web", "Pod ops/web"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestUnread: an error counts for the environments of the roots that it was met under, wherever its file lies.
func TestUnread(t *testing.T) {
	tests := []struct {
		name  string
		file  string
		roots []string
		want  map[string]int
	}{
		{"of one cluster, in a file of all", "apps/web.yaml", []string{"clusters/prod-eu"}, map[string]int{"dev": 0, "prod": 1}},
		{"of one cluster, in the folder of another", "clusters/prod-eu/shared.yaml", []string{"clusters/dev"}, map[string]int{"dev": 1, "prod": 0}},
		{"of two clusters", "apps/web.yaml", []string{"clusters/dev", "clusters/prod-us"}, map[string]int{"dev": 1, "prod": 1}},
		{"of two clusters of one environment", "apps/web.yaml", []string{"clusters/prod-eu", "clusters/prod-us"}, map[string]int{"dev": 0, "prod": 1}},
		{"of a root that is not a cluster of the profile", "clusters/dev/x.yaml", []string{"clusters/management"}, map[string]int{"dev": 1, "prod": 1}},
		{"of any cluster", "clusters/dev/x.yaml", nil, map[string]int{"dev": 1, "prod": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var met fluxtree.Problems
			met.Add(diag.Diagnostic{Code: "x", Position: diag.Position{File: tt.file}, Summary: "no"}, tt.roots...)
			pod := workload.Workload{Object: json.RawMessage(`{}`), APIVersion: "v1", Kind: "Pod", Namespace: "ops", Name: "web"}
			report, _ := judged(t, given{workloads: []workload.Workload{pod}, problems: met})
			got := map[string]int{}
			for _, e := range report.Environments {
				got[e.Name] = e.Unread
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNotJudged: what has workloads that are not seen is counted, unless it runs in a cluster.
func TestNotJudged(t *testing.T) {
	at := diag.Position{File: "a.yaml", Line: 1}
	problems := diag.List{
		{Severity: diag.Warning, Code: fluxtree.CodeSource, Position: diag.Position{File: "b.yaml"}, Summary: "Kustomization x/y: not judged: it applies another"},
		{Severity: diag.Warning, Code: fluxtree.CodeSource, Position: diag.Position{File: "b.yaml"}, Summary: "Kustomization x/z: not judged: it applies ExternalArtifact z" + fluxtree.SaidMade},
		{Severity: diag.Warning, Code: fluxtree.CodeUnreached, Position: diag.Position{File: "old"}, Summary: "not judged: no root leads to 1 file"},
		{Severity: diag.Warning, Code: workload.CodeChart, Position: diag.Position{File: "chart"}, Summary: "not judged: a Helm chart"},
		{Severity: diag.Warning, Code: fluxtree.CodeMade, Position: at, Summary: "ResourceSet ops/apps: not judged: the Flux operator makes its objects in the cluster"},
		{Severity: diag.Error, Code: "yaml-syntax", Position: diag.Position{File: "c.yaml", Line: 3}, Summary: "no"},
	}
	problems = append(problems, diag.List{
		{Severity: diag.Warning, Code: fluxtree.CodeRelease, Position: at, Summary: "HelmRelease ops/db: not judged: its chart is not rendered"},
		{Severity: diag.Warning, Code: fluxtree.CodePart, Position: at, Summary: "HelmRelease ops/web: judged in part: spec.values.a: ${A}: not judged: that"},
		{Severity: diag.Warning, Code: fluxtree.CodeRendered, Position: at, Summary: "HelmRelease ops/web: rendered: chart web 1.2.3 from charts/web"},
	}...)
	live := workload.Workload{Object: json.RawMessage(`{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","metadata":{"name":"db","namespace":"ops"}}`),
		APIVersion: "helm.toolkit.fluxcd.io/v2", Kind: "HelmRelease", Namespace: "ops", Name: "db"}
	var met fluxtree.Problems
	for _, d := range problems {
		met.Add(d)
	}
	report, _ := judged(t, given{workloads: []workload.Workload{live}, problems: met})
	want := []impact.NotJudged{
		{Kind: "HelmRelease", Name: "ops/db", Position: at, Reason: "its chart is not rendered"},
		{Kind: "HelmRelease", Name: "ops/web", Position: at, Reason: "spec.values.a: ${A}: not judged: that", Part: true},
		{Kind: "Kustomization", Name: "x/y", Position: diag.Position{File: "b.yaml"}, Reason: "it applies another"},
		{Kind: "Kustomization", Name: "x/z", Position: diag.Position{File: "b.yaml"}, Reason: "it applies ExternalArtifact z, which is made in the cluster, perhaps of folders of this repository"},
		{Kind: "ResourceSet", Name: "ops/apps", Position: at, Reason: "the Flux operator makes its objects in the cluster"},
		{Kind: "chart", Position: diag.Position{File: "chart"}, Reason: "it has to be rendered"},
	}
	if diff := cmp.Diff(want, report.NotJudged); diff != "" {
		t.Error(diff)
	}
	if want := []impact.Rendered{{Name: "ops/web", Position: at, Chart: "web 1.2.3 from charts/web"}}; !cmp.Equal(want, report.Rendered) {
		t.Errorf("rendered %v", report.Rendered)
	}
	if len(report.Unreached) != 1 || len(report.Unread) != 1 {
		t.Errorf("unreached %v, unread %v", report.Unreached, report.Unread)
	}
}
