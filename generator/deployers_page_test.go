package generator

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// deployersPage returns docs/deployers.md, and its blocks of YAML without indent.
func deployersPage(t *testing.T) (page string, blocks []string) {
	t.Helper()
	data, err := os.ReadFile("../docs/deployers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```").FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], ""))
	}
	return string(data), blocks
}

// The page has each control that asks who writes.
func TestDeployersPageControls(t *testing.T) {
	page, _ := deployersPage(t)
	set, problems := catalog.Load(templates.FS(), "controls")
	controls, more := catalog.New(set)
	if err := append(problems, more...).Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range controls.Controls() {
		if _, asks := c.Deployers(nil); (asks || c.ExemptDeployers) && !strings.Contains(page, "`"+c.ID+"`") {
			t.Errorf("docs/deployers.md does not name %s", c.ID)
		}
	}
}

// The recipe of the page builds in its two steps, and the rights that it shows are those of
// the account.
func TestDeployersPageRecipe(t *testing.T) {
	_, blocks := deployersPage(t)
	if len(blocks) != 4 {
		t.Fatalf("docs/deployers.md has %d blocks of YAML", len(blocks))
	}
	step := func(block string) string { return strings.TrimPrefix(block, "spec:\n") }
	h := newHistory(t)
	h.ok(h.build(tenants, enforcing))
	h.want(h.build(tenants+step(blocks[1]), enforcing), "applier-change")
	h.ok(h.build(tenants+step(blocks[0]), enforcing))
	h.ok(h.build(tenants+step(blocks[1]), enforcing))
	h.ok(h.build(tenants+step(blocks[3]), enforcing+", changes: 2026-01-03"))
	account := rightsOf(t, blocks[2])
	if !strings.Contains(blocks[0], "["+account+"]") {
		t.Errorf("the rights are for %s, and the first step lets another one in: %s", account, blocks[0])
	}
}

// rightsOf returns the account in a block that makes it a cluster admin.
func rightsOf(t *testing.T, block string) string {
	t.Helper()
	objects, err := manifest.Parse([]byte(block))
	if err != nil || len(objects) != 2 || objects[0].Kind() != "ServiceAccount" {
		t.Fatalf("not an account and its binding: %v: %s", err, block)
	}
	_, text, _ := strings.Cut(block, "---\n")
	var binding rbacv1.ClusterRoleBinding
	if err := yaml.UnmarshalStrict([]byte(text), &binding); err != nil {
		t.Fatal(err)
	}
	subject := rbacv1.Subject{Kind: "ServiceAccount", Name: objects[0].Name(), Namespace: objects[0].Namespace()}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}
	kind := schema.GroupVersionKind{Group: rbacv1.GroupName, Version: "v1", Kind: "ClusterRoleBinding"}
	if binding.RoleRef != role || binding.GroupVersionKind() != kind || !slices.Equal(binding.Subjects, []rbacv1.Subject{subject}) {
		t.Errorf("the binding is %+v", binding)
	}
	return kinds.ServiceAccount(subject.Namespace, subject.Name)
}
