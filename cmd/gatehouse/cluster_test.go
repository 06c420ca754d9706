package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestClusterOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	config := `{apiVersion: v1, kind: Config, current-context: dev, clusters: [{name: a, cluster: {server: "https://a.example"}}, {name: b, cluster: {server: "https://b.example"}}],
users: [{name: u, user: {token: t}}], contexts: [{name: dev, context: {cluster: a, user: u}}, {name: prod, context: {cluster: b, user: u, namespace: shop}}]}`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name                    string
		options                 clusterOptions
		wantHost, wantNamespace string
	}{
		{"current context", clusterOptions{}, "https://a.example", "default"},
		{"namespace of the context", clusterOptions{context: "prod"}, "https://b.example", "shop"},
		{"named namespace", clusterOptions{context: "prod", namespace: "ops"}, "https://b.example", "ops"},
		{"all namespaces", clusterOptions{context: "prod", allNamespaces: true}, "https://b.example", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.kubeconfig = file
			cluster, err := openCluster(&tt.options, []string{"Pod"})
			if err != nil || cluster.Name != tt.wantHost || cluster.Namespace != tt.wantNamespace || len(cluster.Judged) != 1 {
				t.Errorf("got %+v, error %v", cluster, err)
			}
		})
	}
	if _, err := openCluster(&clusterOptions{kubeconfig: file, context: "nowhere"}, nil); err == nil {
		t.Error("an unknown context is accepted")
	}
}
