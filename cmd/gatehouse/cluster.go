package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// clusterOptions name a live cluster as kubectl does.
type clusterOptions struct {
	kubeconfig, context, namespace string
	allNamespaces                  bool
}

func (o *clusterOptions) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`FILE` that names the cluster, instead of $KUBECONFIG or ~/.kube/config")
	flags.StringVar(&o.context, "context", "", "`CONTEXT` of the kubeconfig")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "`NAMESPACE` to read; with WORKLOADS that of objects without one (default: default)")
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "read all namespaces of the cluster")
}

// live tells whether a flag makes sense for a cluster only.
func (o clusterOptions) live() bool { return o.kubeconfig != "" || o.context != "" || o.allNamespaces }

// asked tells whether a cluster was named.
func (o clusterOptions) asked() bool { return o.live() || o.namespace != "" }

// open connects to the cluster; it sends nothing yet.
func (o clusterOptions) open(kinds []string) (*workload.Cluster, error) {
	config := kubeconfig(o.kubeconfig, o.context)
	access, err := config.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	access.UserAgent = "gatehouse/" + version()
	access.WarningHandler = rest.NoWarnings{} // of deprecated kinds, which the user did not name
	cluster := &workload.Cluster{Name: access.Host, Namespace: o.namespace, Judged: kinds}
	switch {
	case o.allNamespaces:
		cluster.Namespace = ""
	case o.namespace == "":
		if cluster.Namespace, _, err = config.Namespace(); err != nil {
			return nil, fmt.Errorf("reading the kubeconfig: %w", err)
		}
	}
	cluster.Client, err = kube.New(access)
	return cluster, err
}
