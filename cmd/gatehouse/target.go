package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

// lookEvery is how often a cluster is looked at while it is waited for.
const lookEvery = 2 * time.Second

// errNotConfirmed ends a command that was not confirmed.
var errNotConfirmed = errors.New("not confirmed; nothing was done (--yes confirms)")

// connection names a cluster and what of a built repository belongs to it.
type connection struct {
	kubeconfig, context string
	cluster             string
	timeout             time.Duration
}

func (c *connection) bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "`FILE` that names the cluster, instead of $KUBECONFIG or ~/.kube/config")
	flags.StringVar(&c.context, "context", "", "`CONTEXT` of the kubeconfig")
	flags.StringVar(&c.cluster, "cluster", "", "`NAME` of the cluster in the repository; needed if it has several")
	flags.DurationVar(&c.timeout, "timeout", 5*time.Minute, "how long to wait at most")
}

// open connects to the cluster; it sends nothing yet. What the API server warns of
// goes to log.
func (c *connection) open(log rollout.Log) (*kube.Client, error) {
	config, err := kubeconfig(c.kubeconfig, c.context).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.UserAgent = "gatehouse/" + version()
	config.WarningHandler = rest.NewWarningWriter(lines(log.Line), rest.WarningWriterOptions{Deduplicate: true})
	return kube.New(config)
}

// kubeconfig reads what file, $KUBECONFIG or ~/.kube/config says of a context, as kubectl does.
func kubeconfig(file, context string) clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context})
}

// lines writes each line to a log.
type lines func(line string)

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l(strings.TrimSuffix(line, "\n"))
	}
	return len(p), nil
}

// target reads what the cluster gets from the repository in dir.
func (c *connection) target(dir string) (*rollout.Target, error) {
	if c.timeout <= 0 {
		return nil, usageError{fmt.Errorf("--timeout: %v is not a time to wait", c.timeout)}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	repository := root.FS()
	name, err := c.choose(repository)
	if err != nil {
		return nil, err
	}
	return rollout.Open(repository, name)
}

func (c *connection) choose(repository fs.FS) (string, error) {
	names, err := rollout.Clusters(repository)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if name == c.cluster || c.cluster == "" && len(names) == 1 {
			return name, nil
		}
	}
	if c.cluster == "" {
		return "", usageError{fmt.Errorf("the repository has several clusters; name one: --cluster %s", strings.Join(names, "|"))}
	}
	return "", usageError{fmt.Errorf("--cluster: the repository has no cluster %q (%s)", c.cluster, diag.OneOf(c.cluster, names))}
}
