// Package limits emits the ResourceQuotas and LimitRanges of a plan.
package limits

import (
	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// name of the objects. A quota or range that the namespace already has is another object:
// the API server asks all of them.
const name = "gatehouse"

// Emit returns a file for each environment and namespace that has a quota or limits, also
// for a namespace that gatehouse does not create.
func Emit(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		for _, ns := range env.Namespaces {
			var objects []manifest.Object
			if ns.LimitRange != nil {
				objects = append(objects, object("LimitRange", ns.Name, map[string]any{"limits": items(ns.LimitRange)}))
			}
			if ns.Quota != nil {
				objects = append(objects, object("ResourceQuota", ns.Name, map[string]any{"hard": values(ns.Quota)}))
			}
			if objects == nil {
				continue
			}
			folder := layout.Folder{Environment: env.Name, Kind: layout.Limits, Shard: ns.Shard}
			files = append(files, manifest.File{Path: folder.File(ns.Name), Folder: folder, Origin: ns.At.File, Objects: objects})
		}
	}
	return files
}

func object(kind, namespace string, spec map[string]any) manifest.Object {
	return manifest.Object{
		"apiVersion": "v1",
		"kind":       kind,
		"metadata":   map[string]any{"name": name, "namespace": namespace, "labels": map[string]any{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}},
		"spec":       spec,
	}
}

func items(limits []plan.LimitRange) []any {
	var all []any
	for _, l := range limits {
		item := map[string]any{"type": l.Type}
		for field, given := range map[string]map[string]string{
			"max": l.Max, "min": l.Min, "default": l.Default, "defaultRequest": l.DefaultRequest, "maxLimitRequestRatio": l.MaxLimitRequestRatio,
		} {
			if len(given) > 0 {
				item[field] = values(given)
			}
		}
		all = append(all, item)
	}
	return all
}

func values(quantities map[string]string) map[string]any {
	out := map[string]any{}
	for resource, quantity := range quantities {
		out[resource] = quantity
	}
	return out
}
