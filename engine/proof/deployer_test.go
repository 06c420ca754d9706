package proof_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// account is a service account as the API server shows it.
func account(namespace, name string) protocol.UserInfo {
	return protocol.UserInfo{Username: kinds.ServiceAccount(namespace, name), Groups: kinds.GroupsOf(namespace)}
}

// writes are what the guards leave to the deployers: one for each guard, and each
// operation of those that guard more than one.
func writes(t *testing.T) map[string]protocol.EvaluateParams {
	policy := object{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": object{"name": "disallow-host-path"},
		"spec": object{"rules": []any{object{"name": "r", "match": object{"any": []any{object{"resources": object{"kinds": []any{"Pod"}}}}},
			"validate": object{"message": "m", "pattern": object{"metadata": object{"name": "?*"}}}}}}}
	exception := object{"apiVersion": "kyverno.io/v2", "kind": "PolicyException", "metadata": object{"name": "free", "namespace": "policy-exceptions"},
		"spec": object{"exceptions": []any{object{"policyName": "disallow-privileged-containers", "ruleNames": []any{"*"}}},
			"match": object{"any": []any{object{"resources": object{"kinds": []any{"Pod"}, "namespaces": []any{"shop"}}}}}}}
	namespace := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "shop", "labels": object{
		"owner": "team-shop", "gatehouse.dev/tier": "platform", "gatehouse.dev/environment": "prod", "app.kubernetes.io/managed-by": "gatehouse"}}}
	role := func(rules ...any) object {
		return object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": "ops"}, "rules": rules}
	}
	binding := func(name, subject string) object {
		return object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": "ops"},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
			"subjects": []any{object{"kind": "User", "name": subject, "apiGroup": "rbac.authorization.k8s.io"}}}
	}
	rule := func(group, resource, verb string) object {
		return object{"apiGroups": []any{group}, "resources": []any{resource}, "verbs": []any{verb}}
	}
	t.Helper()
	return map[string]protocol.EvaluateParams{
		"restrict-policy-exceptions: create an exception":  {Operation: protocol.Create, Resource: encode(t, exception)},
		"restrict-policy-exceptions: delete an exception":  {Operation: protocol.Delete, Resource: encode(t, exception)},
		"restrict-policy-exceptions: create a policy":      {Operation: protocol.Create, Resource: encode(t, policy)},
		"restrict-policy-exceptions: delete a policy":      {Operation: protocol.Delete, Resource: encode(t, policy)},
		"protect-tier-labels: create a tier":               {Operation: protocol.Create, Resource: encode(t, namespace)},
		"restrict-wildcard-verbs: create a role":           {Operation: protocol.Create, Resource: encode(t, role(rule("apps", "deployments", "*")))},
		"restrict-wildcard-resources: create a role":       {Operation: protocol.Create, Resource: encode(t, role(rule("apps", "*", "get")))},
		"restrict-escalation-verbs: create a role":         {Operation: protocol.Create, Resource: encode(t, role(rule("rbac.authorization.k8s.io", "clusterroles", "bind")))},
		"restrict-binding-clusteradmin: create a binding":  {Operation: protocol.Create, Resource: encode(t, binding("cluster-admin", "jane"))},
		"restrict-binding-system-groups: create a binding": {Operation: protocol.Create, Resource: encode(t, binding("view", "system:anonymous"))},
	}
}

// labelled returns the request with labels on the object, as Flux sets them.
func labelled(t *testing.T, request protocol.EvaluateParams, labels object) protocol.EvaluateParams {
	t.Helper()
	o := clone(t, object{"o": request.Resource})["o"].(object)
	metadata := o["metadata"].(object)
	given, _ := metadata["labels"].(object)
	if given == nil {
		given = object{}
	}
	maps.Copy(given, labels)
	metadata["labels"] = given
	request.Resource = encode(t, o)
	return request
}

// multiTenant is the profile of many tenants with all of hardened, enforced, with more
// fields in its spec.
func multiTenant(t *testing.T, more object) cluster {
	t.Helper()
	spec := object{"extends": []any{"hardened", "multi-tenant"}, "registries": object{"allowed": []any{"ghcr.io/acme"}},
		"controls":   object{"restrict-flux-sources": object{"parameters": object{"urls": []any{"https://github.com/acme"}}}, "verify-images": object{"enabled": false}},
		"namespaces": []any{object{"name": "shop", "labels": object{"owner": "team-shop"}}}}
	maps.Copy(spec, more)
	bundle := compile(t, spec, nil)
	return newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
}

// TestWhoIsADeployer asks each guard about those who may write and those who may not.
func TestWhoIsADeployer(t *testing.T) {
	kustomize, helm := account("flux-system", "kustomize-controller"), account("flux-system", "helm-controller")
	of := func(controller, namespace string) object {
		return object{controller + ".toolkit.fluxcd.io/name": "any", controller + ".toolkit.fluxcd.io/namespace": namespace}
	}
	member := func(groups ...string) protocol.UserInfo {
		return protocol.UserInfo{Username: "jane@acme.example", Groups: append(groups, "system:authenticated")}
	}
	impersonating := object{"flux": object{"serviceAccountName": "flux-reconciler"}}
	named := object{
		"deployers":  []any{"system:serviceaccount:argo:argocd", object{"group": "platform-team"}, "system:serviceaccount:flux-tools:kustomize-controller"},
		"breakGlass": object{"groups": []any{"sre"}},
	}
	for name, tt := range map[string]struct {
		profile object
		user    protocol.UserInfo
		labels  object
		may     bool
	}{
		"Flux for its own namespace":                     {nil, kustomize, of("kustomize", "flux-system"), true},
		"Helm for its own namespace":                     {nil, helm, of("helm", "flux-system"), true},
		"Flux for a tenant":                              {nil, kustomize, of("kustomize", "shop"), false},
		"Flux for a tenant with a longer name":           {nil, kustomize, of("kustomize", "flux-system-2"), false},
		"Flux without labels":                            {nil, kustomize, nil, false},
		"Flux with the labels of Helm":                   {nil, kustomize, of("helm", "flux-system"), false},
		"Helm for a tenant":                              {nil, helm, of("helm", "shop"), false},
		"Helm with the labels of Flux":                   {nil, helm, of("kustomize", "flux-system"), false},
		"Flux of another namespace":                      {nil, account("shop", "kustomize-controller"), of("kustomize", "flux-system"), false},
		"another controller of Flux":                     {nil, account("flux-system", "source-controller"), of("kustomize", "flux-system"), false},
		"a tenant with the labels":                       {nil, member("team-shop"), of("kustomize", "flux-system"), false},
		"the group of the administrators":                {nil, member("system:masters"), nil, true},
		"a user with the name of the group":              {nil, protocol.UserInfo{Username: "system:masters", Groups: []string{"system:authenticated"}}, nil, false},
		"a group with a longer name":                     {nil, member("system:masters2"), nil, false},
		"the account that Flux impersonates":             {impersonating, account("flux-system", "flux-reconciler"), nil, true},
		"its namesake in a tenant's namespace":           {impersonating, account("shop", "flux-reconciler"), nil, false},
		"an account that the profile does not name":      {impersonating, account("flux-system", "flux-applier"), nil, false},
		"Flux, which impersonates another account":       {impersonating, kustomize, of("kustomize", "flux-system"), false},
		"Helm, which impersonates another account":       {impersonating, helm, of("helm", "flux-system"), false},
		"a user that the profile names":                  {named, account("argo", "argocd"), nil, true},
		"a group that the profile names":                 {named, member("platform-team"), nil, true},
		"the group of the glass":                         {named, member("sre"), nil, true},
		"the default group, when another one is named":   {named, member("system:masters"), nil, false},
		"another Flux, for its namespace":                {named, account("flux-tools", "kustomize-controller"), of("kustomize", "flux-tools"), true},
		"another Flux, for a tenant":                     {named, account("flux-tools", "kustomize-controller"), of("kustomize", "shop"), false},
		"another Flux, for the namespace of the first":   {named, account("flux-tools", "kustomize-controller"), of("kustomize", "flux-system"), false},
		"a member of a group when there is none to name": {object{"breakGlass": object{"groups": []any{}}}, member("system:masters"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := multiTenant(t, tt.profile)
			for what, request := range writes(t) {
				policy, _, _ := strings.Cut(what, ":")
				request = only(policy, labelled(t, request, tt.labels))
				request.UserInfo = tt.user
				if got := k.ask(t, request); got.Blocked == tt.may {
					t.Errorf("%s: want admitted %t, got %s", what, tt.may, verdict(got))
				}
			}
		})
	}
}

// TestRoleAggregation has the API server's own controllers write the roles that it
// aggregates, with and without accounts of their own.
func TestRoleAggregation(t *testing.T) {
	k := multiTenant(t, nil)
	role := object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": "admin"},
		"aggregationRule": object{"clusterRoleSelectors": []any{object{"matchLabels": object{"rbac.authorization.k8s.io/aggregate-to-admin": "true"}}}}}
	filled := clone(t, role)
	filled["rules"] = []any{
		object{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}},
		object{"apiGroups": []any{""}, "resources": []any{"serviceaccounts"}, "verbs": []any{"impersonate"}},
	}
	for user, may := range map[string]bool{
		kinds.ServiceAccount("kube-system", "clusterrole-aggregation-controller"): true,
		"system:kube-controller-manager":                                          true,
		"system:apiserver":                                                        true,
		kinds.ServiceAccount("shop", "clusterrole-aggregation-controller"):        false,
		"system:kube-scheduler":                                                   false,
	} {
		got := k.ask(t, protocol.EvaluateParams{Operation: protocol.Update, Resource: encode(t, filled), OldResource: encode(t, role),
			UserInfo: protocol.UserInfo{Username: user, Groups: []string{"system:authenticated"}}})
		if got.Blocked == may {
			t.Errorf("%s: want admitted %t, got %s", user, may, verdict(got))
		}
	}
}
