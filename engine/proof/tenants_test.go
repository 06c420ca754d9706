package proof_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
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

// TestWhatCountsAsDefaultDeny gives a namespace that the profile does not know a
// NetworkPolicy with the agreed name, and creates a Pod as a ReplicaSet's controller does.
func TestWhatCountsAsDefaultDeny(t *testing.T) {
	var bundles []*generator.Bundle
	for _, kind := range catalog.Targets() {
		bundles = append(bundles, askingForDefaultDeny(t, kind))
	}
	from := func(peers ...any) object {
		return object{"podSelector": object{}, "policyTypes": []any{"Ingress"}, "ingress": []any{object{"from": peers}}}
	}
	expression := func(key, operator string) object {
		return object{"matchExpressions": []any{object{"key": key, "operator": operator}}}
	}
	named := object{"matchLabels": object{"kubernetes.io/metadata.name": "ingress-nginx"}}
	for name, c := range map[string]struct {
		spec object
		open bool
	}{
		"no rule":                         {object{"podSelector": object{}, "policyTypes": []any{"Ingress", "Egress"}}, false},
		"from its own Pods":               {from(object{"podSelector": object{}}), false},
		"from a namespace":                {from(object{"namespaceSelector": named}), false},
		"from namespaces with a label":    {from(object{"namespaceSelector": expression("team", "Exists")}), false},
		"from some Pods anywhere":         {from(object{"namespaceSelector": object{}, "podSelector": object{"matchLabels": object{"app": "prometheus"}}}), false},
		"from a network":                  {from(object{"ipBlock": object{"cidr": "10.0.0.0/8"}}), false},
		"not for ingress":                 {object{"podSelector": object{}, "policyTypes": []any{"Egress"}}, true},
		"for some Pods":                   {object{"podSelector": object{"matchLabels": object{"app": "web"}}, "policyTypes": []any{"Ingress"}}, true},
		"an empty rule":                   {object{"podSelector": object{}, "policyTypes": []any{"Ingress"}, "ingress": []any{object{}}}, true},
		"all peers":                       {from(), true},
		"all peers on all ports":          {object{"podSelector": object{}, "policyTypes": []any{"Ingress"}, "ingress": []any{object{"ports": []any{object{"port": 1, "endPort": 65535}}}}}, true},
		"all namespaces":                  {from(object{"namespaceSelector": named}, object{"namespaceSelector": object{}}), true},
		"all Pods of all namespaces":      {from(object{"namespaceSelector": object{}, "podSelector": object{}}), true},
		"each namespace has this label":   {from(object{"namespaceSelector": expression("kubernetes.io/metadata.name", "Exists")}), true},
		"no namespace has this label":     {from(object{"namespaceSelector": expression("nothing", "DoesNotExist")}), true},
		"no Pod has this label":           {from(object{"namespaceSelector": object{}, "podSelector": expression("nothing", "DoesNotExist")}), true},
		"all addresses":                   {from(object{"ipBlock": object{"cidr": "0.0.0.0/0"}}), true},
		"all addresses but one":           {from(object{"ipBlock": object{"cidr": "0.0.0.0/0", "except": []any{"192.0.2.1/32"}}}), true},
		"all addresses in two halves":     {from(object{"ipBlock": object{"cidr": "0.0.0.0/1"}}, object{"ipBlock": object{"cidr": "128.0.0.0/1"}}), true},
		"all addresses of version 6":      {from(object{"ipBlock": object{"cidr": "::/0"}}), true},
		"all public addresses, version 6": {from(object{"ipBlock": object{"cidr": "2000::/3"}}), true},
	} {
		t.Run(name, func(t *testing.T) {
			policy := manifest.Object{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": object{"name": "default-deny", "namespace": "unknown"}, "spec": c.spec}
			for i, bundle := range bundles {
				k := newCluster(t, bundle.Plan.ExceptionNamespace, append(applied(bundle, enforced), policy))
				if got := k.ask(t, podOfReplicaSet(t, "unknown", map[string]string{})); got.Blocked != c.open {
					t.Errorf("%s: blocked is %v: %s", catalog.Targets()[i], got.Blocked, verdict(got))
				}
			}
		})
	}
}

// askingForDefaultDeny is a profile with require-network-policy, a namespace that it creates
// and one that is there.
func askingForDefaultDeny(t *testing.T, policyType string) *generator.Bundle {
	t.Helper()
	return compile(t, object{
		"kyverno":    object{"policyType": policyType},
		"controls":   object{"require-network-policy": object{}},
		"namespaces": []any{object{"name": "shop"}, object{"name": "old", "create": false}},
	}, nil)
}

// podOfReplicaSet is a request of the ReplicaSet controller for a Pod.
func podOfReplicaSet(t *testing.T, namespace string, labels map[string]string) protocol.EvaluateParams {
	t.Helper()
	return protocol.EvaluateParams{
		Operation: protocol.Create, Namespace: namespace, NamespaceLabels: labels,
		UserInfo: protocol.UserInfo{Username: "system:serviceaccount:kube-system:replicaset-controller"},
		Resource: encode(t, object{"apiVersion": "v1", "kind": "Pod", "metadata": object{
			"generateName": "web-5d4f8c7b9d-", "namespace": namespace, "labels": object{"pod-template-hash": "5d4f8c7b9d"},
			"ownerReferences": []any{object{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9d", "uid": "1", "controller": true, "blockOwnerDeletion": true}},
		}, "spec": object{"containers": []any{object{"name": "app", "image": "ghcr.io/acme/app:1.0"}}}}),
	}
}

// TestDefaultDenyIsAskedElsewhere: the namespaces of the profile are closed by it, and not asked for a default deny. A
// tenant who labels another one so is asked.
func TestDefaultDenyIsAskedElsewhere(t *testing.T) {
	const tier, managed = "gatehouse.dev/tier", "app.kubernetes.io/managed-by"
	for _, kind := range catalog.Targets() {
		bundle := askingForDefaultDeny(t, kind)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		for name, c := range map[string]struct {
			namespace string
			labels    map[string]string
			asked     bool
		}{
			"created":               {"shop", map[string]string{tier: bundle.Plan.LastTier(), managed: "gatehouse"}, false},
			"there before":          {"old", map[string]string{}, false},
			"there before, labels":  {"old", map[string]string{managed: "gatehouse"}, false},
			"unknown":               {"unknown", map[string]string{}, true},
			"unknown, managed":      {"unknown", map[string]string{managed: "gatehouse"}, true},
			"unknown, with a tier":  {"unknown", map[string]string{tier: bundle.Plan.LastTier()}, true},
			"unknown, another tier": {"unknown", map[string]string{tier: bundle.Plan.Tiers[0], managed: "helm"}, true},
			"system":                {"kube-system", map[string]string{}, false},
		} {
			if got := k.ask(t, podOfReplicaSet(t, c.namespace, c.labels)); got.Blocked != c.asked {
				t.Errorf("%s, %s: blocked is %v: %s", kind, name, got.Blocked, verdict(got))
			}
		}
	}
}
