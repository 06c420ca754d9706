// Package namespaces emits the Namespaces of the bundle.
package namespaces

import (
	"maps"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// podSecurityVersion is the version of the Pod Security Standards that the
// catalogue's controls amount to (1.34 added the host of probes and hooks). A
// later version that enforces more would refuse Pods that no audit of gatehouse
// ever showed, so enforce does not follow the version of the cluster. Audit and warn
// do, to show early what is new. An older cluster treats this version as its latest.
const podSecurityVersion = "v1.34"

// Emit returns one file for each Namespace: those of the profile that do not exist
// already, and those that gatehouse itself needs, in the first shard. Flux never deletes one (prune is
// disabled), because that would delete everything in it.
func Emit(p *plan.Plan) []manifest.File {
	var files []manifest.File
	keep := map[string]any{"kustomize.toolkit.fluxcd.io/prune": "disabled"} // shared: there may be thousands
	for _, env := range p.Environments {
		for _, ns := range env.Namespaces {
			if ns.Existing {
				continue
			}
			labels := map[string]any{}
			for k, v := range ns.Labels {
				labels[k] = v
			}
			addPodSecurity(labels, ns.PodSecurity)
			annotations := keep
			if len(ns.Annotations) > 0 {
				annotations = annotated(ns.Annotations, keep)
			}
			files = append(files, namespaceFile(folderOf(env.Name, ns.Shard), ns.At.File, ns.Name, labels, annotations))
		}
		for _, name := range p.OwnNamespaces(env) {
			files = append(files, namespaceFile(folderOf(env.Name, 0), "", name, map[string]any{v1alpha1.LabelEnvironment: env.Name}, keep))
		}
	}
	return files
}

// annotated returns the annotations of the profile with those that gatehouse sets.
func annotated(given map[string]string, own map[string]any) map[string]any {
	annotations := maps.Clone(own)
	for key, value := range given {
		annotations[key] = value
	}
	return annotations
}

func folderOf(environment string, shard int) layout.Folder {
	return layout.Folder{Environment: environment, Kind: layout.Namespaces, Shard: shard}
}

func namespaceFile(folder layout.Folder, origin, name string, labels, annotations map[string]any) manifest.File {
	labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedBy
	return manifest.File{
		Path: folder.File(name), Folder: folder, Origin: origin,
		Objects: []manifest.Object{{
			"apiVersion": "v1",
			"kind":       "Namespace",
			"metadata": map[string]any{
				"name":        name,
				"labels":      labels,
				"annotations": annotations,
			},
		}},
	}
}

func addPodSecurity(labels map[string]any, ps plan.PodSecurity) {
	const prefix = "pod-security.kubernetes.io/"
	if ps.Audit != "" {
		for _, mode := range []string{"audit", "warn"} {
			labels[prefix+mode], labels[prefix+mode+"-version"] = ps.Audit, "latest"
		}
	}
	if ps.Enforce != "" {
		labels[prefix+"enforce"], labels[prefix+"enforce-version"] = ps.Enforce, podSecurityVersion
	}
}
