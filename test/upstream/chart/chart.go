// Package chart renders Kyverno's chart as Helm does at an install.
package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// Load reads the chart from its folder in Kyverno's Go module. Dependencies that
// lie in other repositories (the CRDs of other groups, the reports server) are
// left out: the module does not have them.
func Load(dir string) (*chart.Chart, error) {
	c, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("loading the chart: %w", err)
	}
	c.Metadata.Dependencies = slices.DeleteFunc(c.Metadata.Dependencies, func(d *chart.Dependency) bool { return d.Repository != "" })
	return c, nil
}

// Render returns the manifests as YAML documents, those of the hooks too, in the
// order of the templates' names. The chart and the values must not be used again.
func Render(c *chart.Chart, release, namespace string, values map[string]any) (string, error) {
	if err := chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		return "", fmt.Errorf("reading the dependencies: %w", err)
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return "", fmt.Errorf("coalescing the values: %w", err)
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return "", err
	}
	var manifests strings.Builder
	for _, file := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(file, ".yaml") {
			fmt.Fprintf(&manifests, "---\n# %s\n%s\n", file, rendered[file])
		}
	}
	return manifests.String(), nil
}
