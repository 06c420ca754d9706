package charts

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

// TestAsHelm compares with the installation of Helm itself, without a cluster: the chart of Kyverno, which has
// subcharts, hooks and CRDs, with several values.
func TestAsHelm(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kyverno/kyverno").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(dir)), "charts", "kyverno")
	content := map[string][]byte{}
	err = filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		rel, _ := filepath.Rel(folder, file) // it is below
		content[filepath.ToSlash(rel)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Those it depends on are not in the module.
	before, _, _ := strings.Cut(string(content["Chart.yaml"]), "\ndependencies:")
	content["Chart.yaml"] = []byte(before + "\n")
	for _, text := range []string{`{}`, `{"fullnameOverride": "k", "admissionController": {"replicas": 3}, "crds": {"install": false}}`, `{"reportsController": {"enabled": false}, "grafana": {"enabled": true}, "webhooksCleanup": {"enabled": true}}`} {
		values := map[string]any{}
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			t.Fatal(err)
		}
		got, err := Render(t.Context(), protocol.RenderParams{Files: content, Name: "k", Namespace: "kyverno", Values: json.RawMessage(text)})
		if err != nil {
			t.Fatal(err)
		}
		var ours []string
		for _, m := range got.Manifests {
			ours = append(ours, m.Template+" "+strings.Join(m.Hooks, ",")+" "+string(m.Object))
		}
		if diff := cmp.Diff(asHelm(t, content, values), ours); diff != "" || len(ours) < 40 {
			t.Errorf("%s: %d objects: %s", text, len(ours), diff)
		}
	}
}

// asHelm returns what Helm installs.
func asHelm(t *testing.T, content map[string][]byte, values map[string]any) []string {
	t.Helper()
	var files []*archive.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(content)) {
		files = append(files, &archive.BufferedFile{Name: name, Data: content[name]})
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(new(action.Configuration))
	install.DryRunStrategy, install.ReleaseName, install.Namespace, install.KubeVersion = action.DryRunClient, "k", "kyverno", version
	made, err := install.RunWithContext(t.Context(), c, values)
	if err != nil {
		t.Fatal(err)
	}
	r := made.(*release.Release)
	var all []string
	object := func(template, hooks, text string) {
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) != "null" {
			all = append(all, template+" "+hooks+" "+string(raw))
		}
	}
	for _, h := range r.Hooks {
		object(h.Path, strings.Join(events(h), ","), h.Manifest)
	}
	documents := releaseutil.SplitManifests(r.Manifest)
	for i := range len(documents) {
		text := documents[fmt.Sprintf("manifest-%d", i)]
		source, _, _ := strings.Cut(strings.TrimPrefix(text, "# Source: "), "\n")
		object(source, "", text)
	}
	return slices.Clip(all)
}
