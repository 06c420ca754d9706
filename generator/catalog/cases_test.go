package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTests(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	params, _ := c.Examples()
	good, bad, err := c.Tests(params)
	if err != nil {
		t.Fatal(err)
	}
	object := func(apiVersion, kind, name, namespace string) map[string]any {
		metadata := map[string]any{"name": name}
		if namespace != "" {
			metadata["namespace"] = namespace
		}
		return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	}
	want := []Case{
		{Name: "a", Operation: "CREATE", Namespace: "apps", Object: object("v1", "Pod", "a", "apps"),
			Kind: GroupVersionKind{"", "v1", "Pod"}, UserInfo: OrdinaryUser()},
		{Name: "b", Operation: "CREATE", Object: object("apps/v1", "Deployment", "b", ""),
			Kind: GroupVersionKind{"apps", "v1", "Deployment"}, UserInfo: OrdinaryUser()},
		{Name: "deleted", Operation: "DELETE", Namespace: "apps", SubResource: "status", OldObject: object("v1", "Pod", "bad", ""),
			Kind: GroupVersionKind{"", "v1", "Pod"}, UserInfo: UserInfo{"jane", []string{"admins"}}},
	}
	if diff := cmp.Diff(want, good); diff != "" {
		t.Errorf("good (-want +got)\n%s", diff)
	}
	if len(bad) != 5 {
		t.Fatalf("%d bad cases", len(bad))
	}
	spec, _ := bad[0].Object["spec"].(map[string]any)
	if diff := cmp.Diff([]any{"bad"}, spec["x"]); diff != "" {
		t.Errorf("parameters in a case (-want +got)\n%s", diff)
	}
}

func TestTestsRefuses(t *testing.T) {
	const request = "  operation: DELETE\n"
	tests := map[string]struct{ old, new, want string }{
		"a name twice":           {"name: b", "name: a", `document 2: the name "a" is used twice`},
		"no name":                {"name: b", "generateName: b-", "document 2: needs a metadata.name"},
		"no kind":                {"kind: Deployment, ", "", "document 2: needs apiVersion and kind"},
		"a typo in a request":    {"subResource", "subresource", `unknown field "request.subresource"`},
		"another review version": {"admission.k8s.io/v1", "admission.k8s.io/v1beta1", "must be admission.k8s.io/v1"},
		"no uid":                 {"  uid: deleted\n", "", "needs a request.uid"},
		"an unknown operation":   {request, "  operation: PATCH\n", `"PATCH" is not CREATE`},
		"an update of nothing":   {request, "  operation: UPDATE\n", "request.object must be set"},
		"a create with an old":   {request, "  operation: CREATE\n  object: {apiVersion: v1, kind: Pod}\n", "request.oldObject must be set on UPDATE and DELETE"},
		"a template that fails":  {"name: b", "name: << .b >>", `no entry for key "b"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := sample(t, "tests/good.yaml", tt.old, tt.new)
			params, _ := c.Examples()
			_, _, err := c.Tests(params)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "cat/sample/tests/good.yaml") {
				t.Errorf("want an error with the file and %q, got %v", tt.want, err)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	tests := map[string]struct{ file, old, new, want string }{
		"template":            {"clusterpolicy.yaml", "ClusterPolicy", "Policy", "[control-template]"},
		"too few":             {"tests/bad.yaml", "---\n{apiVersion: v1, kind: Pod, metadata: {name: e}}\n", "", "has 3 good and 4 bad documents, but needs at least 3 and 5 [control-tests]"},
		"tests":               {"tests/bad.yaml", "name: e", "name: d", "[control-tests]"},
		"unused parameter":    {"tests/bad.yaml", "<< .mode >>", "1", "no template uses the parameter mode"},
		"scope is Cluster":    {"control.yaml", "scope: Namespaced", "scope: Cluster", "scope is Cluster, but it matches only Pod"},
		"scope is Namespaced": {"clusterpolicy.yaml", "kinds: [Pod]", "kinds: [Namespace, rbac.authorization.k8s.io/*/ClusterRole]", "scope is Namespaced, but it matches only ClusterRole, Namespace"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			problems := sample(t, tt.file, tt.old, tt.new).Verify()
			if len(problems) != 1 || !strings.Contains(problems[0].String(), tt.want) {
				t.Errorf("want one problem with %q, got %v", tt.want, problems)
			}
		})
	}
}

func TestMoved(t *testing.T) {
	spec := map[string]any{"targetNamespace": "apps", "name": "apps", "refs": []any{map[string]any{"namespace": "apps"}, map[string]any{"namespace": "other"}}}
	o := map[string]any{"metadata": map[string]any{"namespace": "apps", "name": "apps"}, "spec": spec}
	want := map[string]any{"metadata": map[string]any{"namespace": "there", "name": "apps"}, "spec": map[string]any{
		"targetNamespace": "there", "name": "apps", "refs": []any{map[string]any{"namespace": "there"}, map[string]any{"namespace": "other"}},
	}}
	if diff := cmp.Diff(want, Moved(o, "apps", "there")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if spec["targetNamespace"] != "apps" {
		t.Error("the original is changed")
	}
}
