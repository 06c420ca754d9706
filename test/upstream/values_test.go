package upstream

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// chartValues are the defaults of the chart, with those of its subcharts.
func chartValues(t *testing.T) map[string]any {
	t.Helper()
	c := loadChart(t)
	values := c.Values
	for _, d := range c.Dependencies() { // the values of a subchart are next to those of its parent
		own, _ := values[d.Name()].(map[string]any)
		values[d.Name()] = chartutil.CoalesceTables(own, d.Values)
	}
	return values
}

// leaves calls f with the path of each value that is not a map with something in it.
func leaves(path string, values map[string]any, f func(path string)) {
	for key, value := range values {
		if below, isMap := value.(map[string]any); isMap && len(below) > 0 {
			leaves(path+key+".", below, f)
			continue
		}
		f(path + key)
	}
}

func within(path, above string) bool { return path == above || strings.HasPrefix(path, above+".") }

// TestChartValuesAreClassified: the lists of what a profile may set and may not set name
// values of the chart, no value is in both, and what gatehouse sets is reserved.
func TestChartValuesAreClassified(t *testing.T) {
	defaults := chartValues(t)
	known := func(path string) bool {
		at := any(defaults)
		for key := range strings.SplitSeq(path, ".") {
			below, _ := at.(map[string]any)
			value, has := below[key]
			if !has {
				return false
			}
			at = value
		}
		return true
	}
	var reserved []string
	for _, r := range profile.ReservedValues() {
		reserved = append(reserved, r.Path)
		if r.Reason == "" {
			t.Errorf("%s has no reason", r.Path)
		}
	}
	for _, path := range slices.Concat(profile.FreeValues(), reserved) {
		if !known(path) {
			t.Errorf("the chart has no value %s", path)
		}
	}
	for _, free := range profile.FreeValues() {
		for _, path := range reserved {
			if within(free, path) || within(path, free) {
				t.Errorf("%s may be set, and %s may not", free, path)
			}
		}
	}
	leaves("", helmRelease(t, 3)["spec"].(map[string]any)["values"].(map[string]any), func(path string) {
		if !slices.ContainsFunc(reserved, func(r string) bool { return within(path, r) }) {
			t.Errorf("gatehouse sets %s, and a profile may set it too", path)
		}
	})
}

// ofProfile are values that the profiles of others have had: resources, scheduling, a mirror with
// credentials, monitoring, more rights, the network of the node, and the accounts of OpenShift.
const ofProfile = `
global:
  image: {registry: registry.example.com}
  imagePullSecrets: [{name: pull}]
  tolerations: [{operator: Exists}]
  nodeSelector: {pool: system}
existingImagePullSecrets: [pull]
customLabels: {team: platform}
grafana: {enabled: true}
config: {generateSuccessEvents: true}
features:
  logging: {format: json, verbosity: 4}
  backgroundScan: {backgroundScanInterval: 30m, backgroundScanWorkers: 4}
  registryClient: {credentialHelpers: [amazon]}
admissionController:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  podLabels: {team: platform}
  podDisruptionBudget: {enabled: true}
  priorityClassName: system-cluster-critical
  serviceMonitor: {enabled: true}
  networkPolicy: {enabled: true}
  rbac:
    serviceAccount: {annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::1:role/kyverno"}}
    clusterRole: {extraResources: [{apiGroups: [example.com], resources: [widgets], verbs: [get]}]}
  container:
    image: {repository: mirror/kyverno}
    resources: {limits: {memory: 1Gi}}
    securityContext: {runAsUser: null, runAsGroup: null}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}]
backgroundController: {resources: {limits: {memory: 1Gi}}, securityContext: {runAsUser: null}}
cleanupController: {nodeSelector: {pool: other}}
reportsController: {resources: {limits: {memory: 2Gi}}, serviceMonitor: {enabled: true}}
crds: {migration: {podResources: {limits: {memory: 1Gi}}}}
webhooksCleanup: {nodeSelector: {pool: system}}
`

// TestChartValuesOfProfile renders the chart with values of a profile: all objects are still
// there, and what safety and the meaning of policies rest on is the same.
func TestChartValuesOfProfile(t *testing.T) {
	var values map[string]any
	if err := yaml.Unmarshal([]byte(ofProfile), &values); err != nil {
		t.Fatal(err)
	}
	leaves("", values, func(path string) {
		if !slices.ContainsFunc(profile.FreeValues(), func(free string) bool { return within(path, free) }) {
			t.Errorf("a profile may not set %s", path)
		}
	})
	c := loadChart(t)
	before, after := render(t, c, helmRelease(t, 3)), render(t, c, helmReleaseWith(t, 3, values))
	for id, o := range before {
		if after[id] == nil {
			t.Errorf("%s is gone", id)
			continue
		}
		if diff := cmp.Diff(essence(o), essence(after[id])); diff != "" {
			t.Errorf("%s (-plain +with values): %s", id, diff)
		}
	}
	container := container(t, after, "kyverno-admission-controller")
	limits := container["resources"].(map[string]any)["limits"].(map[string]any)
	if _, has := container["securityContext"].(map[string]any)["runAsUser"]; has || limits["memory"] != "1Gi" || !strings.HasPrefix(container["image"].(string), "registry.example.com/mirror/kyverno:") {
		t.Errorf("the values are not used: %v", container)
	}
	if after["ServiceMonitor/kyverno-admission-controller"] == nil || after["PodDisruptionBudget/kyverno-admission-controller"] == nil {
		t.Error("what the values ask for is not there")
	}
}

// freeFlags are the arguments of Kyverno that a profile may change.
var freeFlags = []string{"--loggingFormat=", "--v=", "--backgroundScanInterval=", "--backgroundScanWorkers=", "--registryCredentialHelpers=", "--imagePullSecrets="}

// essence is what safety and the meaning of policies rest on in an object of the chart.
func essence(o manifest.Object) map[string]any {
	out := map[string]any{"namespace": o.Namespace()}
	switch o.Kind() {
	case "Deployment":
		spec := o["spec"].(map[string]any)
		template := spec["template"].(map[string]any)["spec"].(map[string]any)
		out["replicas"], out["selector"], out["account"] = spec["replicas"], spec["selector"], template["serviceAccountName"]
		containers, _ := template["containers"].([]any)
		for _, c := range containers {
			c := c.(map[string]any)
			args, _ := c["args"].([]any)
			out[c["name"].(string)] = map[string]any{
				"args": slices.DeleteFunc(slices.Clone(args), func(a any) bool {
					return slices.ContainsFunc(freeFlags, func(flag string) bool { return strings.HasPrefix(a.(string), flag) })
				}),
				"env": c["env"], "ports": c["ports"], "volumeMounts": c["volumeMounts"],
			}
		}
	case "ConfigMap":
		data := map[string]any{}
		for key, value := range o["data"].(map[string]any) {
			if key != "generateSuccessEvents" {
				data[key] = value
			}
		}
		if out["data"] = data; strings.Contains(o.Name(), "grafana") {
			delete(out, "data")
		}
	case "CustomResourceDefinition":
		out["annotations"], out["spec"] = o.Metadata()["annotations"], o["spec"]
	case "Service":
		out["spec"] = o["spec"]
	case "ClusterRoleBinding", "RoleBinding":
		out["subjects"], out["roleRef"] = o["subjects"], o["roleRef"]
	}
	return out
}
