package kyverno

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func TestUnreadable(t *testing.T) {
	tests := map[string][]schema.GroupResource{
		"v1/Pod":                               nil,
		"v1/Namespace/status":                  nil,
		"apps/v1/Deployment":                   nil,
		"apps/v1/Deployment/scale":             nil,
		"Node":                                 {{Resource: "nodes"}},
		"Role":                                 {{Group: "rbac.authorization.k8s.io", Resource: "roles"}},
		"*/Role":                               {{Group: "rbac.authorization.k8s.io", Resource: "roles"}},
		"*/*/Role":                             nil, // the subresource Role of anything
		"v1beta1/Role":                         {{Group: "rbac.authorization.k8s.io", Resource: "roles"}},
		"v1/Role":                              {{Group: "rbac.authorization.k8s.io", Resource: "roles"}},
		"Event":                                {{Group: "events.k8s.io", Resource: "events"}},
		"source.toolkit.fluxcd.io/*/Bucket":    {{Group: "source.toolkit.fluxcd.io", Resource: "buckets"}},
		"rbac.authorization.k8s.io/*/RoleBind": {{Group: "rbac.authorization.k8s.io", Resource: "rolebinds"}},
		"example.com/v1/Policy":                {{Group: "example.com", Resource: "policies"}},
		"Widget":                               nil,
		"v1/Widget":                            nil,
		"*/*/Widget":                           nil,
		"example.com/v1/Wid*":                  nil,
		"example.com/*/*":                      {{Group: "example.com", Resource: "*"}},
		"example.com/*/*/status":               {{Group: "example.com", Resource: "*"}},
		"*.k8s.io/v1/Role":                     {{Group: "rbac.authorization.k8s.io", Resource: "roles"}},
		"*image*fluxcd*/*/Image?*y":            {{Group: "image.toolkit.fluxcd.io", Resource: "imagepolicies"}, {Group: "image.toolkit.fluxcd.io", Resource: "imagerepositories"}},
		"*NetworkPolicy":                       nil,
		"*.k8s.io/*/*":                         nil,
		"Secret":                               nil,
		"v1/Secret":                            nil,
		"*":                                    nil,
		"*/*":                                  nil,
		"":                                     nil,
	}
	for text, want := range tests {
		var got []schema.GroupResource
		for _, k := range unreadable(kinds.Parse(text)) {
			got = append(got, schema.GroupResource{Group: k.Group, Resource: k.Plural})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unreadable(%q): %s", text, diff)
		}
	}
}

// matching are the kinds that a policy matches.
func matching(names ...string) []kinds.Ref {
	var refs []kinds.Ref
	for _, name := range names {
		refs = append(refs, kinds.Parse(name))
	}
	return refs
}

func TestReportsRules(t *testing.T) {
	policy := func(background bool, action plan.Action, names ...string) plan.Policy {
		return plan.Policy{Control: &catalog.Control{Background: background}, Actions: map[string]plan.Action{"apps": action}, Policy: catalog.Policy{Matches: matching(names...)}}
	}
	tests := []struct {
		name     string
		policies []plan.Policy
		want     map[string][]string
	}{
		{"what Kyverno may read anyway", []plan.Policy{policy(true, plan.Enforce, "Pod", "apps/v1/Deployment", "networking.k8s.io/v1/Ingress", "v1/Namespace")}, map[string][]string{}},
		{"roles and Flux sources", []plan.Policy{
			policy(true, plan.Audit, "rbac.authorization.k8s.io/*/Role", "rbac.authorization.k8s.io/*/ClusterRole", "Role"),
			policy(true, plan.Audit, "source.toolkit.fluxcd.io/*/GitRepository", "source.toolkit.fluxcd.io/*/HelmRepository"),
		}, map[string][]string{
			"rbac.authorization.k8s.io": {"roles", "clusterroles"},
			"source.toolkit.fluxcd.io":  {"gitrepositories", "helmrepositories"},
		}},
		{"a policy without background scan", []plan.Policy{policy(false, plan.Enforce, "Role")}, map[string][]string{}},
		{"a policy that is off", []plan.Policy{policy(true, plan.Off, "Role")}, map[string][]string{}},
		{"never every Secret, never everything", []plan.Policy{policy(true, plan.Enforce, "Secret", "v1/Secret", "*", "*/*", "*/*/Role", "*.io/*/*", "apps/*/Deploy*")}, map[string][]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, reportsRules(plan.Environment{Policies: tt.policies})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLookedUp(t *testing.T) {
	for path, want := range map[string]schema.GroupResource{
		"/api/v1/namespaces":                                       {Resource: "namespaces"},
		"/api/v1/namespaces/{{ request.namespace }}":               {Resource: "namespaces"},
		"/api/v1/namespaces/{{request.namespace}}/pods":            {Resource: "pods"},
		"/api/v1/namespaces/a/services/{{ request.name }}/status":  {Resource: "services"},
		"api/v1/nodes?labelSelector=a%2Fb":                         {Resource: "nodes"},
		"/apis/apps/v1/deployments":                                {Group: "apps", Resource: "deployments"},
		"/apis/example.com/v1/namespaces/{{ a || 'b/c' }}/widgets": {Group: "example.com", Resource: "widgets"},
		"/apis/example.com/{{ v }}/widgets/{{ a.{{ b }} }}":        {Group: "example.com", Resource: "widgets"},
		"/apis/{{ group }}/v1/widgets":                             {},
		"/apis/example.com/v1/{{ plural }}":                        {},
		"/apis/example.com/v1":                                     {},
		"/healthz":                                                 {},
		"":                                                         {},
	} {
		group, resource := lookedUp(path)
		if got := (schema.GroupResource{Group: group, Resource: resource}); got != want {
			t.Errorf("lookedUp(%q) = %v, want %v", path, got, want)
		}
	}
}

// TestLookUpRules: what a rule looks up is readable for the controller that evaluates it.
func TestLookUpRules(t *testing.T) {
	policy := func(background bool, action plan.Action, paths ...string) plan.Policy {
		return plan.Policy{Control: &catalog.Control{Background: background}, Actions: map[string]plan.Action{"apps": action}, Policy: catalog.Policy{LookUps: paths}}
	}
	env := plan.Environment{Policies: []plan.Policy{
		policy(true, plan.Audit, "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/b", "/apis/example.com/v1/widgets", "/api/v1/namespaces/a/secrets/b"),
		policy(false, plan.Enforce, "/apis/example.com/v1/widgets/a", "/api/v1/nodes/{{ request.object.spec.nodeName }}"),
		policy(true, plan.Off, "/apis/example.com/v1/others"),
	}}
	if diff := cmp.Diff(map[string][]string{"example.com": {"widgets"}, "": {"nodes"}}, admissionRules(env)); diff != "" {
		t.Errorf("admission (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"example.com": {"widgets"}}, reportsRules(env)); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// TestInstallAdmissionRole: the role of the admission controller is there where a rule looks something up.
func TestInstallAdmissionRole(t *testing.T) {
	p := installPlan()
	p.Environments[0].Policies[0].LookUps = []string{"/apis/example.com/v1/widgets"}
	role := byPath(Install(p))["environments/prod/kyverno-rbac/admission-controller.yaml"]
	want := manifest.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
		"metadata": map[string]any{"name": "gatehouse-kyverno-admission", "labels": map[string]any{
			"app.kubernetes.io/managed-by": "gatehouse", "rbac.kyverno.io/aggregate-to-admission-controller": "true",
		}},
		"rules": []any{map[string]any{"apiGroups": []any{"example.com"}, "resources": []any{"widgets"}, "verbs": []any{"get", "list", "watch"}}},
	}
	if diff := cmp.Diff(want, role); diff != "" {
		t.Errorf("role (-want +got):\n%s", diff)
	}
}
