package kinds_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

func TestParse(t *testing.T) {
	tests := map[string]kinds.Ref{
		"Pod":                                {"*", "*", "Pod", ""},
		"*":                                  {"*", "*", "*", ""},
		"v1/Pod":                             {"*", "v1", "Pod", ""},
		"*/Pod":                              {"*", "*", "Pod", ""},
		"apps/v1/Deployment":                 {"apps", "v1", "Deployment", ""},
		"Pod/exec":                           {"*", "*", "Pod", "exec"},
		"Pod.exec":                           {"*", "*", "Pod", "exec"},
		"v1/Pod/exec":                        {"*", "v1", "Pod", "exec"},
		"v1/Pod.exec":                        {"*", "v1", "Pod", "exec"},
		"apps/v1/Deployment/scale":           {"apps", "v1", "Deployment", "scale"},
		"apps/v1/Deployment.scale":           {"apps", "v1", "Deployment", "scale"},
		"rbac.authorization.k8s.io/*/Role":   {"rbac.authorization.k8s.io", "*", "Role", ""},
		"networking.k8s.io/v1beta1/Ingress":  {"networking.k8s.io", "v1beta1", "Ingress", ""},
		"source.toolkit.fluxcd.io/*/*/thing": {"source.toolkit.fluxcd.io", "*", "*", "thing"},
		"*/*":                                {"*", "*", "*", "*"},
		"*/*/Role":                           {"*", "*", "*", "Role"},
		"*/exec":                             {"*", "*", "*", "exec"},
		"a/v1/b/c/d":                         {},
	}
	for text, want := range tests {
		if diff := cmp.Diff(want, kinds.Parse(text)); diff != "" {
			t.Errorf("Parse(%q): %s", text, diff)
		}
	}
}

func TestRefName(t *testing.T) {
	for text, want := range map[string]string{"v1/Pod": "Pod", "apps/v1/Deployment.scale": "Deployment/scale"} {
		if got := kinds.Parse(text).Name(); got != want {
			t.Errorf("%s is called %s, want %s", text, got, want)
		}
	}
}

func TestScope(t *testing.T) {
	tests := map[string]kinds.Scope{
		"StorageClass":                      kinds.Cluster,
		"storage.k8s.io/v1/StorageClass":    kinds.Cluster,
		"v1/Namespace/status":               kinds.Cluster,
		"ClusterPolicy":                     kinds.Cluster,
		"PersistentVolumeClaim":             kinds.Namespaced,
		"Event":                             kinds.Namespaced, // of two groups
		"source.toolkit.fluxcd.io/*/Bucket": kinds.Namespaced,
		"example.com/v1/Bucket":             kinds.Unknown, // only another group has it
		"Widget":                            kinds.Unknown,
		"rbac.authorization.k8s.io/*/*":     kinds.Unknown, // both
		"rbac.authorization.k8s.io/*/*Role": kinds.Unknown,
		"*.k8s.io/v1/StorageClass":          kinds.Cluster,
		"a/v1/b/c/d":                        kinds.Unknown,
	}
	for text, want := range tests {
		if got := kinds.Parse(text).Scope(); got != want {
			t.Errorf("the scope of %s is %d, want %d", text, got, want)
		}
	}
}
