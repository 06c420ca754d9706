package proof_test

import (
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// tenancy is the profile multi-tenant with one namespace, enforced.
func tenancy(t *testing.T) cluster {
	t.Helper()
	bundle := compile(t, object{
		"extends":    []any{"multi-tenant"},
		"controls":   object{"restrict-flux-sources": object{"parameters": object{"urls": []any{"https://github.com/acme"}}}},
		"namespaces": []any{object{"name": "shop", "labels": object{"owner": "team-shop"}}},
	}, nil)
	return newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
}

// tenant is a user who may write everything in his namespace.
func tenant() protocol.UserInfo {
	return protocol.UserInfo{Username: "dev@acme.example", Groups: []string{"system:authenticated", "team-shop"}}
}

// fluxObject is an object of a kind of Flux in a namespace.
func fluxObject(apiVersion, kind, namespace string, spec object) object {
	return object{"apiVersion": apiVersion, "kind": kind, "metadata": object{"name": "mine", "namespace": namespace}, "spec": spec}
}

// TestTenantsApplyAsThemselves creates what Flux would apply for a tenant with its own
// rights: in a namespace of the profile and in one that it does not know.
func TestTenantsApplyAsThemselves(t *testing.T) {
	k := tenancy(t)
	source := object{"kind": "GitRepository", "name": "mine"}
	kustomization := func(spec object) object {
		spec["interval"], spec["prune"], spec["sourceRef"] = "10m", true, source
		return fluxObject("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "", spec)
	}
	for name, c := range map[string]struct {
		object  object
		blocked bool
	}{
		"Kustomization":                  {kustomization(object{}), true},
		"Kustomization as an account":    {kustomization(object{"serviceAccountName": "default"}), false},
		"Kustomization into kube-system": {kustomization(object{"serviceAccountName": "default", "targetNamespace": "kube-system"}), true},
		"HelmRelease": {fluxObject("helm.toolkit.fluxcd.io/v2", "HelmRelease", "", object{
			"interval": "10m", "chart": object{"spec": object{"chart": "./chart", "sourceRef": source}}}), true},
		"ResourceSet":  {fluxObject("fluxcd.controlplane.io/v1", "ResourceSet", "", object{"resources": []any{}}), true},
		"FluxInstance": {fluxObject("fluxcd.controlplane.io/v1", "FluxInstance", "", object{"distribution": object{}}), true},
	} {
		for _, namespace := range []string{"shop", "unknown"} {
			t.Run(name+"/"+namespace, func(t *testing.T) {
				o := clone(t, c.object)
				o["metadata"].(map[string]any)["namespace"] = namespace
				got := k.ask(t, protocol.EvaluateParams{
					Operation: protocol.Create, Namespace: namespace, Resource: encode(t, o), UserInfo: tenant(), NamespaceLabels: map[string]string{},
				})
				if got.Blocked != c.blocked {
					t.Errorf("blocked is %v: %s", got.Blocked, verdict(got))
				}
			})
		}
	}
}
