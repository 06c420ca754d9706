package verdict

import (
	"maps"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// asKind returns the object itself if it is of the kind, or, for a Pod, a workload of
// the kind that creates it. It returns nil if neither applies.
func asKind(object map[string]any, kind string) map[string]any {
	if object["kind"] == kind {
		return object
	}
	if object["kind"] != "Pod" {
		return nil
	}
	pod := manifest.Object(object)
	spec, _ := object["spec"].(map[string]any)
	if spec == nil || spec["ephemeralContainers"] != nil { // which no template may have
		return nil
	}
	selected := map[string]any{"gatehouse.dev/test": "exception"}
	metadata := map[string]any{"labels": union(pod.Map("metadata", "labels"), selected)}
	if annotations := pod.Value("metadata", "annotations"); annotations != nil {
		metadata["annotations"] = annotations
	}
	template := map[string]any{"metadata": metadata, "spec": spec}
	workload := func(apiVersion string, spec map[string]any) map[string]any {
		return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata, "spec": spec}
	}
	switch kind {
	case "DaemonSet", "Deployment", "ReplicaSet":
		return workload("apps/v1", map[string]any{"selector": map[string]any{"matchLabels": selected}, "template": template})
	case "StatefulSet":
		return workload("apps/v1", map[string]any{"selector": map[string]any{"matchLabels": selected}, "serviceName": "test", "template": template})
	case "ReplicationController":
		return workload("v1", map[string]any{"selector": selected, "template": template})
	case "Job":
		return workload("batch/v1", map[string]any{"template": template})
	case "CronJob":
		return workload("batch/v1", map[string]any{"schedule": "@daily", "jobTemplate": map[string]any{"spec": map[string]any{"template": template}}})
	}
	return nil
}

func union(a, b map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// withImages returns a copy of a Pod or workload in which every container has the image.
func withImages(object map[string]any, image string) map[string]any {
	out := manifest.Object(runtime.DeepCopyJSON(object))
	spec := out.Map("spec")
	for _, field := range []string{"jobTemplate", "template"} {
		if inner := spec.Map(field); inner != nil {
			spec = inner.Map("spec")
		}
	}
	for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
		for _, container := range spec.Maps(list) {
			container["image"] = image
		}
	}
	return out
}

// injected returns a copy of a Pod with one more container, as an injector adds it: like
// the first one, with another name.
func injected(pod map[string]any) map[string]any {
	out := manifest.Object(runtime.DeepCopyJSON(pod))
	spec := out.Map("spec")
	if containers := spec.Maps("containers"); len(containers) > 0 {
		sidecar := manifest.Object(runtime.DeepCopyJSON(containers[0]))
		sidecar["name"] = "istio-proxy"
		list, _ := spec["containers"].([]any)
		spec["containers"] = append(list, map[string]any(sidecar))
	}
	return out
}
