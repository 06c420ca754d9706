// Command kyverno-chart renders Kyverno's chart as Helm does at an install:
//
//	kyverno-chart CHART RELEASE NAMESPACE < values.yaml > manifests.yaml
//
// CHART is the folder of the chart in Kyverno's Go module. Dependencies that lie
// in other repositories (the CRDs of other groups, the reports server) are left
// out: the module does not have them. hack/cluster runs it.
package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kyverno-chart:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("want CHART RELEASE NAMESPACE, got %d arguments", len(args))
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	values, err := chartutil.ReadValues(data)
	if err != nil {
		return fmt.Errorf("reading the values: %w", err)
	}
	c, err := loader.LoadDir(args[0])
	if err != nil {
		return fmt.Errorf("loading the chart: %w", err)
	}
	c.Metadata.Dependencies = slices.DeleteFunc(c.Metadata.Dependencies, func(d *chart.Dependency) bool { return d.Repository != "" })
	if err := chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		return fmt.Errorf("reading the dependencies: %w", err)
	}
	options := chartutil.ReleaseOptions{Name: args[1], Namespace: args[2], Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return fmt.Errorf("coalescing the values: %w", err)
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(rendered)) {
		if !strings.HasSuffix(file, ".yaml") {
			continue
		}
		if _, err := fmt.Fprintf(out, "---\n# %s\n%s\n", file, rendered[file]); err != nil {
			return err
		}
	}
	return nil
}
