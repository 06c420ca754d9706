// Command kyverno-chart renders Kyverno's chart as Helm does at an install:
//
//	kyverno-chart CHART RELEASE NAMESPACE < values.yaml > manifests.yaml
//
// CHART is the folder of the chart in Kyverno's Go module. hack/cluster runs it.
package main

import (
	"fmt"
	"io"
	"os"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/gatehouse-dev/gatehouse/test/upstream/chart"
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
	c, err := chart.Load(args[0])
	if err != nil {
		return err
	}
	manifests, err := chart.Render(c, args[1], args[2], values)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, manifests)
	return err
}
