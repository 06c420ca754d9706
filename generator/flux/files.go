package flux

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Files returns the Kustomizations that gatehouse writes as files, one each, and the index of each
// cluster's folder, sorted by path.
func (g *Graph) Files() ([]manifest.File, error) {
	var files []manifest.File
	listed := map[layout.Folder][]string{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Existing {
			continue
		}
		o, err := manifest.From(n.Kustomization)
		if err != nil {
			return nil, fmt.Errorf("making the Kustomization %s of cluster %s: %w", n.Name(), n.Cluster, err)
		}
		dir := layout.Of(n.Cluster)
		files = append(files, manifest.File{Path: n.Path(), Folder: dir, Objects: []manifest.Object{o}})
		listed[dir] = append(listed[dir], path.Base(n.Path()))
	}
	for folder, names := range listed {
		files = append(files, Index(folder, names))
	}
	slices.SortStableFunc(files, func(a, b manifest.File) int { return cmp.Compare(a.Path, b.Path) })
	return files, nil
}

// Index returns the kustomization.yaml of an applied folder. Without one Flux
// would apply every YAML file below it.
func Index(folder layout.Folder, names []string) manifest.File {
	sorted := slices.Sorted(slices.Values(names))
	resources := make([]any, len(sorted))
	for i, name := range sorted {
		resources[i] = name
	}
	return manifest.File{Path: folder.Index(), Folder: folder, Objects: []manifest.Object{{
		"apiVersion": groupIndex + "/v1beta1",
		"kind":       "Kustomization",
		"resources":  resources,
	}}}
}
