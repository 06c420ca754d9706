package verdict

import (
	"maps"

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
