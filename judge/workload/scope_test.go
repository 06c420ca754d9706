package workload

import "testing"

func TestNamespaced(t *testing.T) {
	tests := []struct {
		apiVersion, kind string
		want             bool
	}{
		{"v1", "Pod", true},
		{"v1", "Node", false},
		{"storage.k8s.io/v1", "StorageClass", false},
		{"storage.k8s.io/v1beta1", "StorageClass", false},
		{"extensions/v1beta1", "Ingress", true}, // of a Kubernetes of the past
		{"kyverno.io/v1", "Policy", true},
		{"kyverno.io/v1", "ClusterPolicy", false},
		{"policies.kyverno.io/v1", "NamespacedValidatingPolicy", true},
		{"helm.toolkit.fluxcd.io/v2", "HelmRelease", true},
		{"fluxcd.controlplane.io/v1", "ResourceSet", true},
		{"example.com/v1", "Node", false}, // not known: it stays as it is
	}
	for _, tt := range tests {
		if got := namespaced(tt.apiVersion, tt.kind); got != tt.want {
			t.Errorf("namespaced(%s, %s) = %t", tt.apiVersion, tt.kind, got)
		}
	}
}
