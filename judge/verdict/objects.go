package verdict

import (
	"maps"

	"k8s.io/apimachinery/pkg/runtime"
)

// asKind is the object itself if it is of the kind, or the workload of the kind
// that makes it if it is a Pod; nil if there is no such thing.
func asKind(object map[string]any, kind string) map[string]any {
	if object["kind"] == kind {
		return object
	}
	if object["kind"] != "Pod" {
		return nil
	}
	spec, _ := object["spec"].(map[string]any)
	given, _ := object["metadata"].(map[string]any)
	if spec == nil || spec["ephemeralContainers"] != nil { // which no template may have
		return nil
	}
	labels, _ := given["labels"].(map[string]any)
	selected := map[string]any{"gatehouse.dev/test": "exception"}
	metadata := map[string]any{"labels": union(labels, selected)}
	if given["annotations"] != nil {
		metadata["annotations"] = given["annotations"]
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

// withImages is a copy of a Pod or workload in which every container has the image.
func withImages(object map[string]any, image string) map[string]any {
	out := runtime.DeepCopyJSON(object)
	spec, _ := out["spec"].(map[string]any)
	for _, field := range []string{"jobTemplate", "template"} {
		if inner, ok := spec[field].(map[string]any); ok {
			spec, _ = inner["spec"].(map[string]any)
		}
	}
	for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
		containers, _ := spec[list].([]any)
		for _, c := range containers {
			if container, ok := c.(map[string]any); ok {
				container["image"] = image
			}
		}
	}
	return out
}
