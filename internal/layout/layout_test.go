package layout

import "testing"

func TestFolder(t *testing.T) {
	for _, tt := range []struct {
		folder              Folder
		path, kustomization string
	}{
		{Of("prod-eu"), "clusters/prod-eu/gatehouse", "gatehouse"},
		{Folder{Environment: "prod", Kind: Policies}, "environments/prod/policies", "gatehouse-policies"},
		{Folder{Environment: "prod", Kind: KyvernoRBAC}, "environments/prod/kyverno-rbac", "gatehouse-kyverno-rbac"},
		{Folder{Environment: "prod", Kind: Network, Shard: 2}, "environments/prod/network-02", "gatehouse-network-02"},
		{Folder{Environment: "e-02", Kind: KyvernoRBAC, Shard: 123}, "environments/e-02/kyverno-rbac-123", "gatehouse-kyverno-rbac-123"},
		{Folder{Environment: "prod", Kind: "gadgets"}, "environments/prod/gadgets", "gatehouse-gadgets"},
	} {
		if got := tt.folder.String(); got != tt.path {
			t.Errorf("%#v is at %s, want %s", tt.folder, got, tt.path)
		}
		if got := tt.folder.Kustomization(); got != tt.kustomization {
			t.Errorf("%s is applied by %s, want %s", tt.path, got, tt.kustomization)
		}
		if got, ok := Parse(tt.path); !ok || got != tt.folder {
			t.Errorf("Parse(%s) = %#v, %t", tt.path, got, ok)
		}
		if !tt.folder.IsLayer() {
			continue
		}
		want := Folder{Kind: tt.folder.Kind, Shard: tt.folder.Shard}
		if got, ok := ParseKustomization(tt.kustomization); !ok || got != want {
			t.Errorf("ParseKustomization(%s) = %#v, %t", tt.kustomization, got, ok)
		}
	}
	if zero := (Folder{}); zero.Applied() || zero.String() != "" {
		t.Errorf("the zero folder is applied, or has the path %q", zero)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, folder := range []string{
		"", "README.md", "environments", "environments/prod", "environments/prod/", "environments//policies", "environments/prod/policies/x",
		"environments/prod/network-2", "environments/prod/network-002", "tests/prod/policies", "clusters/prod-eu/flux-system", "clusters//gatehouse",
		"/environments/prod/policies", "./environments/prod/policies",
	} {
		if got, ok := Parse(folder); ok {
			t.Errorf("Parse(%q) = %#v", folder, got)
		}
	}
	for _, name := range []string{"", "gatehouse", "gatehouse-", "apps", "gatehouse-network-2"} {
		if got, ok := ParseKustomization(name); ok {
			t.Errorf("ParseKustomization(%q) = %#v", name, got)
		}
	}
}

func TestFile(t *testing.T) {
	layer := Folder{Environment: "prod", Kind: Exceptions}
	for name, want := range map[string]string{
		"agent":         "environments/prod/exceptions/agent.yaml",
		"kustomization": "environments/prod/exceptions/kustomization_.yaml",
	} {
		if got := layer.File(name); got != want {
			t.Errorf("the file of %s is %s, want %s", name, got, want)
		}
	}
	if got := layer.Index(); got != "environments/prod/exceptions/kustomization.yaml" {
		t.Errorf("the index is %s", got)
	}
}

func TestCutSource(t *testing.T) {
	policies := Folder{Environment: "prod", Kind: Policies}
	for p, want := range map[string]struct {
		output string
		folder Folder
	}{
		"./environments/prod/policies":                   {".", policies},
		"environments/prod/policies/":                    {".", policies},
		"./deploy/environments/prod/policies":            {"deploy", policies},
		"./my-environments/a/environments/prod/policies": {"my-environments/a", policies},
		"./environments/x/y/environments/prod/policies":  {"environments/x/y", policies},
		"./deploy/gatehouse/clusters/prod-eu/gatehouse":  {"deploy/gatehouse", Of("prod-eu")},
	} {
		output, folder, ok := CutSource(p)
		if !ok || output != want.output || folder != want.folder {
			t.Errorf("CutSource(%s) = %q, %#v, %t", p, output, folder, ok)
		}
	}
	for _, p := range []string{"", ".", "./apps", "./apps/prod/x", "./environments/prod"} {
		if output, folder, ok := CutSource(p); ok {
			t.Errorf("CutSource(%q) = %q, %#v", p, output, folder)
		}
	}
}
