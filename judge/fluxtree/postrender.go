package fluxtree

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// commonMetadata are labels and annotations for all objects.
type commonMetadata struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// set sets the labels and annotations of an object.
func (c commonMetadata) set(object json.RawMessage) (json.RawMessage, error) {
	if len(c.Labels)+len(c.Annotations) == 0 {
		return object, nil
	}
	var content map[string]any
	if err := json.Unmarshal(object, &content); err != nil {
		return nil, err
	}
	metadata, _ := content["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		content["metadata"] = metadata
	}
	for field, values := range map[string]map[string]string{"labels": c.Labels, "annotations": c.Annotations} {
		marks, _ := metadata[field].(map[string]any)
		if marks == nil && len(values) > 0 {
			marks = map[string]any{}
			metadata[field] = marks
		}
		for key, value := range values {
			marks[key] = value
		}
	}
	return json.Marshal(content)
}

// postRender runs the post-renderers of a release: its own, its common metadata, and the labels
// of helm-controller.
func (r *helmRelease) postRender(ctx context.Context, manifests []engine.Manifest) ([]engine.Manifest, error) {
	for _, p := range r.Spec.PostRenderers {
		if p.Kustomize == nil || len(manifests) == 0 {
			continue
		}
		var k Kustomization
		k.Spec.Patches, k.Spec.Images = p.Kustomize.Patches, p.Kustomize.Images
		if strings.HasPrefix(r.APIVersion, helmGroup+"/v2beta") {
			k.Spec.PatchesStrategicMerge, k.Spec.PatchesJSON6902 = p.Kustomize.PatchesStrategicMerge, p.Kustomize.PatchesJSON6902
		}
		var err error
		if manifests, err = k.over(ctx, manifests); err != nil {
			return nil, fmt.Errorf("spec.postRenderers: %w", err)
		}
	}
	for i := range manifests {
		for _, marks := range []commonMetadata{r.Spec.CommonMetadata, r.origin()} {
			var err error
			if manifests[i].Object, err = marks.set(manifests[i].Object); err != nil {
				return nil, err
			}
		}
	}
	return manifests, nil
}

// origin has the labels that helm-controller sets.
func (r *helmRelease) origin() commonMetadata {
	return commonMetadata{Labels: map[string]string{helmGroup + "/name": r.Metadata.Name, helmGroup + "/namespace": r.Metadata.Namespace}}
}

// over builds the fields of a Kustomization over objects of a chart, which keep their templates.
func (k *Kustomization) over(ctx context.Context, manifests []engine.Manifest) ([]engine.Manifest, error) {
	disk, err := NewDisk(filesys.MakeFsInMemory(), "")
	if err != nil {
		return nil, err
	}
	merged := kustomize.Kustomization{TypeMeta: kustomize.TypeMeta{APIVersion: kustomize.KustomizationVersion, Kind: kustomize.KustomizationKind}}
	for i, m := range manifests {
		name := strconv.Itoa(i) + ".json"
		if err := disk.WriteFile("/"+name, m.Object); err != nil {
			return nil, err
		}
		merged.Resources = append(merged.Resources, name)
	}
	if err := k.merge(&merged, disk, "/"); err != nil {
		return nil, err
	}
	merged.BuildMetadata = []string{kustomize.OriginAnnotations}
	text, err := json.Marshal(merged)
	if err == nil {
		err = disk.WriteFile("/"+kustomizations[0], text)
	}
	if err != nil {
		return nil, err
	}
	built, err := disk.build(ctx, "/")
	if err != nil {
		return nil, err
	}
	var all []engine.Manifest
	for _, b := range built {
		number, err := strconv.Atoi(strings.TrimSuffix(b.File, ".json"))
		if err != nil || b.Err != nil || number >= len(manifests) {
			return nil, fmt.Errorf("%s: it has no form that Kubernetes knows", b.ID)
		}
		m := manifests[number]
		m.Object = b.JSON
		all = append(all, m)
	}
	return all, nil
}
