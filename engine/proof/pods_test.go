package proof_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// controllers are the kinds that make Pods, with their API versions.
func controllers() map[string]string {
	return map[string]string{
		"CronJob": "batch/v1", "DaemonSet": "apps/v1", "Deployment": "apps/v1", "Job": "batch/v1",
		"ReplicaSet": "apps/v1", "ReplicationController": "v1", "StatefulSet": "apps/v1",
	}
}

func isController(kind string) bool {
	_, found := controllers()[kind]
	return found
}

// wrapped puts the Pod of a case into the template of a controller.
func wrapped(t testing.TB, pod catalog.Case, kind string) catalog.Case {
	t.Helper()
	out := clone(t, pod)
	metadata, _ := out.Object["metadata"].(map[string]any)
	template := object{"metadata": object{}, "spec": out.Object["spec"]}
	for _, key := range []string{"labels", "annotations"} {
		if metadata[key] != nil {
			template["metadata"].(object)[key] = metadata[key]
		}
	}
	spec := object{"template": template}
	if pod, ok := out.Object["spec"].(map[string]any); ok && (kind == "Job" || kind == "CronJob") {
		pod["restartPolicy"] = "Never" // they may not have Always
	}
	switch kind {
	case "CronJob":
		spec = object{"schedule": "@daily", "jobTemplate": object{"spec": spec}}
	case "Deployment", "DaemonSet", "ReplicaSet", "StatefulSet":
		spec["selector"] = object{"matchLabels": object{"app": "a"}}
	}
	out.Object = object{"apiVersion": controllers()[kind], "kind": kind, "metadata": metadata, "spec": spec}
	group, version, found := strings.Cut(controllers()[kind], "/")
	if !found {
		group, version = "", group
	}
	out.Kind = catalog.GroupVersionKind{Group: group, Version: version, Kind: kind}
	return out
}

// containerKinds are the lists of containers that a Pod has.
func containerKinds() []string {
	return []string{"containers", "initContainers", "ephemeralContainers"}
}

// containersOf returns one of the lists; nil if it is absent or not a list.
func containersOf(pod object, kind string) []any {
	spec, _ := pod["spec"].(map[string]any)
	list, _ := spec[kind].([]any)
	return list
}

// withContainers is the Pod of a case with other containers.
func withContainers(t testing.TB, pod catalog.Case, lists map[string][]any) catalog.Case {
	t.Helper()
	out := clone(t, pod)
	spec, _ := out.Object["spec"].(map[string]any)
	for _, kind := range containerKinds() {
		delete(spec, kind)
		if list := lists[kind]; len(list) > 0 {
			spec[kind] = clone(t, list)
		}
	}
	return out
}

// named is a container with another name.
func named(t testing.TB, container any, name string) any {
	t.Helper()
	out := clone(t, container).(map[string]any)
	out["name"] = name
	return out
}

// plainPods are the cases that create a Pod.
func plainPods(cases []catalog.Case) []catalog.Case {
	return slices.DeleteFunc(slices.Clone(cases), func(c catalog.Case) bool {
		return c.Kind.Kind != "Pod" || c.Operation != "CREATE" || c.SubResource != ""
	})
}
