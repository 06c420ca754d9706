package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

// lookEvery is the interval at which a command that waits looks at the cluster.
const lookEvery = 2 * time.Second

// targetOptions select a cluster of a built repository, how to reach it, and how
// long to wait for it.
type targetOptions struct {
	clusterOptions
	cluster string
	timeout time.Duration
}

func (o *targetOptions) bind(cmd *cobra.Command) {
	o.clusterOptions.bind(cmd)
	cmd.Flags().StringVar(&o.cluster, "cluster", "", "`NAME` of the cluster in the repository; required if there are several")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 5*time.Minute, "maximum `DURATION` to wait")
	complete(cmd, "cluster", completeClusters)
	complete(cmd, "timeout", cobra.NoFileCompletions)
}

// client connects to the cluster. Each warning of the API server goes to log once.
func (o *targetOptions) client(log rollout.Log) (*kube.Client, error) {
	return o.connect(rest.NewWarningWriter(lines(log.Line), rest.WarningWriterOptions{Deduplicate: true}))
}

// lines writes each line to a log.
type lines func(line string)

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l(strings.TrimSuffix(line, "\n"))
	}
	return len(p), nil
}

// target reads what the repository in dir holds for the cluster.
func (o *targetOptions) target(dir string) (*rollout.Target, error) {
	if o.timeout <= 0 {
		return nil, usagef("--timeout: %v is not a duration above zero", o.timeout)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	repository := regular.FS(root.FS(), output.MaxFile)
	name, err := o.choose(repository)
	if err != nil {
		return nil, err
	}
	return rollout.Open(repository, name)
}

func (o *targetOptions) choose(repository fs.FS) (string, error) {
	names, err := rollout.Clusters(repository)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if name == o.cluster || o.cluster == "" && len(names) == 1 {
			return name, nil
		}
	}
	if o.cluster == "" {
		return "", usagef("the repository has several clusters; select one with --cluster: %s", strings.Join(names, ", "))
	}
	return "", usagef("--cluster: the repository has no cluster %q (%s)", o.cluster, diag.OneOf(o.cluster, names))
}
