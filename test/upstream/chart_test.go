package upstream

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data" // its module holds the chart
	helmchart "helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/kyverno"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/test/upstream/chart"
)

// systemNamespaces as the compiler resolves them, with one of the profile's.
var systemNamespaces = []string{"flux-system", "kube-node-lease", "kube-public", "kube-system", "kyverno", "rook"}

// helmRelease is the HelmRelease that gatehouse emits.
func helmRelease(t *testing.T, replicas int) manifest.Object {
	t.Helper()
	return helmReleaseWith(t, replicas, nil)
}

// helmReleaseWith is the HelmRelease for a profile with values of the chart.
func helmReleaseWith(t *testing.T, replicas int, values map[string]any) manifest.Object {
	t.Helper()
	p := &plan.Plan{
		ExceptionNamespace: "policy-exceptions",
		Environments: []plan.Environment{{
			Name: "prod", Clusters: []string{"prod"}, SystemNamespaces: systemNamespaces,
			Kyverno: plan.Kyverno{Namespace: "kyverno", Install: true, Replicas: replicas, Values: values},
			Flux:    plan.Flux{Namespace: "flux-system", Interval: time.Minute, RetryInterval: time.Minute, Timeout: time.Minute},
		}},
	}
	for _, f := range kyverno.Install(p) {
		for _, o := range f.Objects {
			if o.Kind() == "HelmRelease" {
				return o
			}
		}
	}
	t.Fatal("no HelmRelease is emitted")
	return nil
}

// loadChart reads the chart of the Kyverno module.
func loadChart(t *testing.T) *helmchart.Chart {
	t.Helper()
	c, err := chart.Load(filepath.Join(moduleDir(t), "charts", "kyverno"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// moduleDir returns the folder of the Kyverno module.
func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/kyverno/kyverno").Output()
	if err != nil {
		t.Fatalf("finding the Kyverno module: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// render renders the chart as helm-controller would, and returns its objects by kind and name.
func render(t *testing.T, c *helmchart.Chart, release manifest.Object) map[string]manifest.Object {
	t.Helper()
	spec := release["spec"].(map[string]any)
	manifests, err := chart.Render(c, spec["releaseName"].(string), spec["targetNamespace"].(string), spec["values"].(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]manifest.Object{}
	for document := range strings.SplitSeq(manifests, "\n---") {
		var o manifest.Object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		if o.Kind() != "" {
			objects[o.Kind()+"/"+o.Name()] = o
		}
	}
	return objects
}

func TestChartVersion(t *testing.T) {
	c := loadChart(t)
	spec := helmRelease(t, 3)["spec"].(map[string]any)["chart"].(map[string]any)["spec"].(map[string]any)
	if spec["chart"] != c.Metadata.Name || spec["version"] != c.Metadata.Version {
		t.Errorf("%v %v is installed; the chart of the pinned Kyverno module is %s %s", spec["chart"], spec["version"], c.Metadata.Name, c.Metadata.Version)
	}
}

// TestValuesAreKnown compares our values with those of the chart, because Helm accepts a
// misspelled value without an error.
func TestValuesAreKnown(t *testing.T) {
	var walk func(path string, ours, theirs map[string]any)
	walk = func(path string, ours, theirs map[string]any) {
		for key, value := range ours {
			known, ok := theirs[key]
			if !ok {
				t.Errorf("the chart has no value %s%s", path, key)
				continue
			}
			mine, isMap := value.(map[string]any)
			yours, wasMap := known.(map[string]any)
			if isMap != wasMap && known != nil {
				t.Errorf("%s%s has another type in the chart", path, key)
			}
			if isMap && len(yours) > 0 { // an empty map stands for any keys
				walk(path+key+".", mine, yours)
			}
		}
	}
	walk("", helmRelease(t, 3)["spec"].(map[string]any)["values"].(map[string]any), chartValues(t))
}

// container is the first container of a Deployment.
func container(t *testing.T, objects map[string]manifest.Object, name string) map[string]any {
	t.Helper()
	deployment := objects["Deployment/"+name]
	if deployment == nil {
		t.Fatalf("the chart makes no Deployment %s", name)
	}
	template := deployment["spec"].(map[string]any)["template"].(map[string]any)
	return template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
}

func TestChartFlags(t *testing.T) {
	objects := render(t, loadChart(t), helmRelease(t, 3))
	tests := map[string][]string{
		"kyverno-admission-controller": {
			"--enablePolicyException=true", "--exceptionNamespace=policy-exceptions", "--forceFailurePolicyIgnore=false",
			"--excludeBootstrapResources=true", "--generateValidatingAdmissionPolicy=false", "--admissionReports=true", "--autoUpdateWebhooks=true",
		},
		"kyverno-background-controller": {"--enablePolicyException=true", "--exceptionNamespace=policy-exceptions"},
		"kyverno-reports-controller": {
			"--enablePolicyException=true", "--exceptionNamespace=policy-exceptions", "--backgroundScan=true", "--skipResourceFilters=false",
			"--policyReports=true", "--aggregateReports=true",
		},
		"kyverno-cleanup-controller": {"--enableDeferredLoading=true"},
	}
	for name, flags := range tests {
		args, _ := container(t, objects, name)["args"].([]any)
		for _, flag := range flags {
			if !slices.Contains(args, any(flag)) {
				t.Errorf("%s runs without %s: %v", name, flag, args)
			}
		}
	}
}

func TestChartReplicas(t *testing.T) {
	tests := []struct{ replicas, admission, others int }{{3, 3, 2}, {1, 1, 1}}
	for _, tt := range tests {
		objects := render(t, loadChart(t), helmRelease(t, tt.replicas))
		for _, name := range []string{"admission", "background", "cleanup", "reports"} {
			want := tt.others
			if name == "admission" {
				want = tt.admission
			}
			spec := objects["Deployment/kyverno-"+name+"-controller"]["spec"].(map[string]any)
			if spec["replicas"] != float64(want) {
				t.Errorf("with %d replicas the %s controller has %v, want %d", tt.replicas, name, spec["replicas"], want)
			}
		}
	}
}

// TestChartConfig checks the ConfigMap from which Kyverno makes its webhooks: none
// is called for a system namespace (docs/safety.md#kyverno-down).
func TestChartConfig(t *testing.T) {
	objects := render(t, loadChart(t), helmRelease(t, 3))
	config := objects["ConfigMap/kyverno"]
	if config == nil || config.Namespace() != "kyverno" {
		t.Fatalf("the chart makes no ConfigMap kyverno/kyverno: %v", config)
	}
	data := config["data"].(map[string]any)
	var webhooks struct {
		NamespaceSelector struct {
			MatchLabels      map[string]string
			MatchExpressions []struct {
				Key, Operator string
				Values        []string
			}
		}
	}
	if err := json.Unmarshal([]byte(data["webhooks"].(string)), &webhooks); err != nil {
		t.Fatal(err)
	}
	spared := map[string]bool{}
	for _, e := range webhooks.NamespaceSelector.MatchExpressions {
		if e.Key != "kubernetes.io/metadata.name" || e.Operator != "NotIn" {
			t.Errorf("unexpected: %v", e)
		}
		for _, ns := range e.Values {
			spared[ns] = true
		}
	}
	want := map[string]bool{}
	for _, ns := range systemNamespaces {
		want[ns] = true
		if filter := "[*/*," + ns + ",*]"; !strings.Contains(data["resourceFilters"].(string), filter) {
			t.Errorf("the background scan judges %s: no filter %s", ns, filter)
		}
	}
	if diff := cmp.Diff(want, spared); diff != "" {
		t.Error(diff)
	}
	if len(webhooks.NamespaceSelector.MatchLabels) > 0 {
		t.Errorf("unexpected labels: %v", webhooks.NamespaceSelector.MatchLabels)
	}
}

// TestChartKeepsCRDs: an uninstall must not delete the policies.
func TestChartKeepsCRDs(t *testing.T) {
	objects := render(t, loadChart(t), helmRelease(t, 3))
	crds := 0
	for id, o := range objects {
		if o.Kind() != "CustomResourceDefinition" {
			continue
		}
		crds++
		annotations, _ := o.Metadata()["annotations"].(map[string]any)
		if annotations["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s goes with the release", id)
		}
	}
	if crds < 8 {
		t.Errorf("only %d CRDs are rendered", crds)
	}
}

// TestChartTakesUpOurRoles: the labels by which the roles of the controllers aggregate
// ours are the chart's.
func TestChartTakesUpOurRoles(t *testing.T) {
	objects := render(t, loadChart(t), helmRelease(t, 3))
	p := &plan.Plan{Environments: []plan.Environment{{Name: "prod", Policies: []plan.Policy{{
		Control: &catalog.Control{Background: true}, Actions: map[string]plan.Action{"apps": plan.Audit},
		Policy: catalog.Policy{Matches: []kinds.Ref{kinds.Parse("Role")}, LookUps: []string{"/apis/example.com/v1/widgets"}},
	}}}}}
	files := kyverno.Install(p)
	for i, controller := range []string{"admission-controller", "reports-controller"} {
		raw, err := json.Marshal(objects["ClusterRole/kyverno:"+controller]["aggregationRule"])
		if err != nil {
			t.Fatal(err)
		}
		for key := range files[i].Objects[0].Metadata()["labels"].(map[string]any) {
			if strings.HasPrefix(key, "rbac.kyverno.io/") && !strings.Contains(string(raw), `"`+key+`":"true"`) {
				t.Errorf("the chart's role of the %s takes up %s, not %s", controller, raw, key)
			}
		}
	}
}
