package catalog

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

const storageAndIssuers = "kinds: [storage.k8s.io/v1/StorageClass, PersistentVolumeClaim, example.com/v1/ClusterIssuer, example.com/v1/Issuer, v1/Namespace/status]"

func TestScopeOf(t *testing.T) {
	const declared = "scope: Namespaced\n  customKinds: {ClusterIssuer: Cluster, Issuer: Namespaced}"
	tests := map[string]struct {
		scope string // of control.yaml
		match string
		want  map[string]kinds.Scope
	}{
		"known kinds": {declared, storageAndIssuers, map[string]kinds.Scope{
			"StorageClass": kinds.Cluster, "PersistentVolumeClaim": kinds.Namespaced, "Namespace": kinds.Cluster,
		}},
		"declared kinds":               {declared, storageAndIssuers, map[string]kinds.Scope{"ClusterIssuer": kinds.Cluster, "Issuer": kinds.Namespaced}},
		"custom resources":             {"scope: Namespaced", storageAndIssuers, map[string]kinds.Scope{"ClusterIssuer": kinds.Unknown, "Issuer": kinds.Unknown}},
		"of a cluster-scoped control":  {"scope: Cluster", storageAndIssuers, map[string]kinds.Scope{"ClusterIssuer": kinds.Cluster, "PersistentVolumeClaim": kinds.Namespaced}},
		"a derived rule":               {"scope: Namespaced", "kinds: [Pod]", map[string]kinds.Scope{"Pod": kinds.Namespaced, "Deployment": kinds.Namespaced}},
		"the name of a known kind":     {"scope: Namespaced", "kinds: [example.com/v1/Bucket]", map[string]kinds.Scope{"Bucket": kinds.Unknown}},
		"one name, a group is unknown": {"scope: Namespaced", "kinds: [example.com/v1/Bucket, source.toolkit.fluxcd.io/*/Bucket]", map[string]kinds.Scope{"Bucket": kinds.Unknown}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := sample(t, "control.yaml", "scope: Namespaced", tt.scope)
			docs, err := documents("f.yaml", []byte("spec: {rules: [{match: {any: [{resources: {"+tt.match+"}}]}}]}"))
			if err != nil {
				t.Fatal(err)
			}
			for kind, want := range tt.want {
				if got := c.ScopeOf(Matches(docs[0]), kind); got != want {
					t.Errorf("the scope of %s is %d, want %d", kind, got, want)
				}
			}
		})
	}
}

func TestVerifyCustomKinds(t *testing.T) {
	tests := map[string]struct{ scope, match, want string }{
		"all of the cluster": {"scope: Cluster", "example.com/v1/ClusterIssuer", ""},
		"both":               {"scope: Namespaced\n  customKinds: {ClusterIssuer: Cluster}", "example.com/v1/ClusterIssuer, example.com/v1/Issuer", ""},
		"only those of the cluster": {"scope: Namespaced\n  customKinds: {ClusterIssuer: Cluster}", "example.com/v1/ClusterIssuer",
			"scope is Namespaced, but it matches only ClusterIssuer"},
		"only namespaced ones": {"scope: Cluster\n  customKinds: {Issuer: Namespaced}", "example.com/v1/Issuer", "scope is Cluster, but it matches only Issuer"},
		"not matched":          {"scope: Namespaced\n  customKinds: {Isuer: Namespaced}", "example.com/v1/Issuer", "customKinds has Isuer, which is not a custom resource that it matches"},
		"known":                {"scope: Namespaced\n  customKinds: {Service: Cluster}", "v1/Service", "customKinds has Service, which is not a custom resource that it matches"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := sample(t, "control.yaml", "scope: Namespaced", tt.scope)
			c.templates[ClusterPolicy] = []byte(strings.Replace(string(c.templates[ClusterPolicy]), "kinds: [Pod]", "kinds: ["+tt.match+"]", 1))
			problems := c.Verify()
			if tt.want == "" && len(problems) > 0 || tt.want != "" && (len(problems) != 1 || problems[0].Summary != tt.want) {
				t.Errorf("want %q, got %v", tt.want, problems)
			}
		})
	}
}
