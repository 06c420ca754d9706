package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
)

// clusterOptions select a cluster and its namespaces, with the flags of kubectl.
type clusterOptions struct {
	kubeconfig, context string
	namespace           string
	allNamespaces       bool
}

// bind declares the flags of every command that uses a cluster.
func (o *clusterOptions) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default: $KUBECONFIG, then ~/.kube/config)")
	cmd.Flags().StringVar(&o.context, "context", "", "`CONTEXT` of the kubeconfig (default: the current one)")
	complete(cmd, "kubeconfig", completeFiles)
	complete(cmd, "context", o.completeContexts)
}

// bindNamespace declares the flags of a command that reads namespaces.
func (o *clusterOptions) bindNamespace(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "", usage)
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "read all namespaces of the cluster")
	complete(cmd, "namespace", fromSource(namespaceNames))
}

// live reports whether a flag was given that makes sense only for a cluster.
func (o *clusterOptions) live() bool { return o.kubeconfig != "" || o.context != "" || o.allNamespaces }

// given reports whether a cluster was selected.
func (o *clusterOptions) given() bool { return o.live() || o.namespace != "" }

// connect returns a client for the cluster. It sends nothing yet. Warnings of the
// API server go to warnings.
func (o *clusterOptions) connect(warnings rest.WarningHandler) (*kube.Client, error) {
	config, err := o.config().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.UserAgent = "gatehouse/" + version()
	config.WarningHandler = warnings
	return kube.New(config)
}

// chosenNamespace returns the namespace to read, "" for all. The default is that of
// the context.
func (o *clusterOptions) chosenNamespace() (string, error) {
	switch {
	case o.allNamespaces:
		return "", nil
	case o.namespace != "":
		return o.namespace, nil
	}
	namespace, _, err := o.config().Namespace()
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return namespace, nil
}

// config reads the kubeconfig as kubectl does.
func (o *clusterOptions) config() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
}

func (o *clusterOptions) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	config, err := o.config().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(config.Contexts)), cobra.ShellCompDirectiveNoFileComp
}
