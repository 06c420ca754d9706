package upstream

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// guarded returns what restrict-policy-exceptions matches, as group/Kind, with the
// operations of the rules that match it.
func guarded(t *testing.T) map[string][]string {
	t.Helper()
	operations := map[string][]string{}
	for _, rule := range rulesOfGuard(t) {
		for _, filter := range rule.Map("match").Maps("any") {
			resources := filter.Map("resources")
			for _, kind := range resources.Strings("kinds") {
				operations[kind] = append(operations[kind], resources.Strings("operations")...)
			}
		}
	}
	return operations
}

// rulesOfGuard returns the rules of restrict-policy-exceptions.
func rulesOfGuard(t *testing.T) []manifest.Object {
	t.Helper()
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	i := slices.IndexFunc(set.Controls, func(c *catalog.Control) bool { return c.ID == "restrict-policy-exceptions" })
	if i < 0 {
		t.Fatal("there is no restrict-policy-exceptions")
	}
	control := set.Controls[i]
	parameters, found := control.Examples()
	if len(found) > 0 {
		t.Fatal(found)
	}
	policy, err := control.Render(catalog.ClusterPolicy, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Object(policy.Body).Maps("spec", "rules")
}

// policyKinds returns the CRDs of Kyverno whose objects decide what Kyverno does, as
// group/Kind. Those of policies.kyverno.io are in a chart that the module of Kyverno does
// not hold; it holds their CRDs.
func policyKinds(t *testing.T) []string {
	t.Helper()
	crds := slices.Collect(maps.Values(render(t, loadChart(t), helmRelease(t, 3))))
	files, err := filepath.Glob(filepath.Join(moduleDir(t), "config", "crds", "policies.kyverno.io", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd manifest.Object
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		crds = append(crds, crd)
	}
	var all []string
	for _, o := range crds {
		group := o.String("spec", "group")
		if o.Kind() == "CustomResourceDefinition" && (group == "kyverno.io" || group == "policies.kyverno.io") {
			all = append(all, group+"/*/"+o.String("spec", "names", "kind"))
		}
	}
	return all
}

// TestEveryKindOfPolicyIsGuarded compares the kinds that restrict-policy-exceptions
// guards with those that Kyverno brings (docs/safety.md#tenants).
func TestEveryKindOfPolicyIsGuarded(t *testing.T) {
	operations, all := guarded(t), policyKinds(t)
	for _, kind := range all {
		for _, operation := range []string{"CREATE", "UPDATE", "DELETE"} {
			if !slices.Contains(operations[kind], operation) {
				t.Errorf("anyone may %s %s", operation, kind)
			}
		}
	}
	if len(all) < 18 {
		t.Errorf("Kyverno has only %d kinds: the test shows less than it says", len(all))
	}
}

// TestChartRights: the chart gives the users of a namespace no right to write what acts
// with Kyverno's rights, and the account that may delete is the cleanup controller's.
func TestChartRights(t *testing.T) {
	objects := render(t, loadChart(t), helmRelease(t, 3))
	for id, o := range objects {
		labels, _ := o.Metadata()["labels"].(map[string]any)
		for _, role := range []string{"admin", "edit"} {
			if labels["rbac.authorization.k8s.io/aggregate-to-"+role] == "true" {
				t.Errorf("%s is aggregated to %s", id, role)
			}
		}
	}
	account := plan.Kyverno{Namespace: "kyverno"}.CleanupAccount()
	binding := objects["ClusterRoleBinding/kyverno:cleanup-controller"]
	for _, subject := range binding.Maps("subjects") {
		if got := "system:serviceaccount:" + subject.String("namespace") + ":" + subject.String("name"); got != account {
			t.Errorf("the cleanup controller is %s, not %s", got, account)
		}
	}
	if len(binding.Maps("subjects")) == 0 {
		t.Error("the chart binds no role to the cleanup controller")
	}
}

// TestStatusWriters: the accounts that the chart gives to Kyverno's controllers are those
// that may write the status of policies.
func TestStatusWriters(t *testing.T) {
	condition := ""
	for _, rule := range rulesOfGuard(t) {
		for _, entry := range rule.Maps("context") {
			if rule.String("name") == "status-author" && entry.String("name") == "fromKyverno" {
				condition = entry.String("variable", "jmesPath")
			}
		}
	}
	_, rest, _ := strings.Cut(condition, "regex_match('")
	pattern, _, found := strings.Cut(rest, "'")
	if !found {
		t.Fatalf("no pattern in %q", condition)
	}
	objects := render(t, loadChart(t), helmRelease(t, 3))
	for _, component := range []string{"admission", "background", "cleanup", "reports"} {
		subjects := objects["ClusterRoleBinding/kyverno:"+component+"-controller"].Maps("subjects")
		if len(subjects) == 0 {
			t.Errorf("the chart binds no role to the %s controller", component)
		}
		for _, subject := range subjects {
			account := "system:serviceaccount:" + subject.String("namespace") + ":" + subject.String("name")
			if !regexp.MustCompile(pattern).MatchString(account) {
				t.Errorf("%s may not write the status of policies", account)
			}
		}
	}
}
