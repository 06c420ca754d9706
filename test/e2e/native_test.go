//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// TestNative asks a real API server without Kyverno about the documents of the catalogue, as
// it defaults them, under all controls that its own policies can express.
func TestNative(t *testing.T) {
	t.Parallel()
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	native := slices.DeleteFunc(slices.Clone(set.Controls), func(c *catalog.Control) bool {
		return !c.Judges() || !slices.Contains(c.Targets(), catalog.ValidatingAdmissionPolicy)
	})
	c := startCluster(t, controlplane.Options{WithoutFlux: true})
	client := c.Client()
	apply(t, client, newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "e2e-users", map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}},
	}))
	for _, namespace := range namespacesOf(t, native) {
		apply(t, client, newObject("v1", "Namespace", "", namespace, nil))
	}
	waitServiceAccounts(t, client, namespacesOf(t, native)...)
	policies := nativePolicies(t, native)
	for _, o := range policies {
		apply(t, client, o)
	}
	user := catalog.OrdinaryUser()
	asUser := as(t, client, user.Username, user.Groups...)
	eventually(t, time.Minute, "the policies", func() error {
		spec := goodPodSpec()
		spec["hostPID"] = true
		if err := judge(t, asUser, pod("default", "early", spec)); answerOf(err) != refused {
			return errors.Join(errors.New("not enforced"), err)
		}
		return nil
	})
	admitted, refused := 0, 0
	for _, control := range native {
		t.Run(control.ID, func(t *testing.T) {
			good, bad := casesOf(t, control)
			admitted += askNative(t, asUser, policies, control.ID, good, false)
			refused += askNative(t, asUser, policies, control.ID, bad, true)
		})
	}
	t.Logf("%d controls, %d documents admitted and %d refused", len(native), admitted, refused)
	if admitted < 250 || refused < 450 {
		t.Error("too few documents to say anything")
	}
}

// checks reports whether the object that refused something has checks of a control. The API server
// names only one of the objects that refuse.
func checks(policies []manifest.Object, refusal error, control string) bool {
	return slices.ContainsFunc(policies, func(o manifest.Object) bool {
		if !strings.Contains(refusal.Error(), "ValidatingAdmissionPolicy '"+o.Name()+"'") {
			return false
		}
		annotations, _ := o.Metadata()["annotations"].(map[string]any)
		all, _ := annotations["gatehouse.dev/checks"].(string)
		return strings.Contains(","+all, ","+control+"/")
	})
}

// askNative asks about the documents that a control admits, or that it refuses, and returns
// how many the API server judged: it refuses what is not a valid object before it asks a policy.
func askNative(t *testing.T, user *kube.Client, policies []manifest.Object, control string, cases []catalog.Case, bad bool) (judged int) {
	t.Helper()
	for _, one := range cases {
		if !one.Plain() {
			continue
		}
		o := manifest.Object(maps.Clone(one.Object))
		metadata := maps.Clone(o.Metadata())
		o["metadata"] = metadata
		if !one.ClusterScoped {
			metadata["namespace"] = namespaceOf(one)
		}
		err := judge(t, user, o)
		named := err != nil && strings.Contains(err.Error(), control+": ")
		switch {
		case answerOf(err) == silent,
			err != nil && !named && !checks(policies, err, control), // by an object that was asked before
			one.Name == "type-of-a-later-kubernetes":                // this one does not know the field, and drops it
			continue
		}
		if judged++; named != bad {
			t.Errorf("%s: refused by the control is %t, want %t: %v", one.Name, named, bad, err)
		}
	}
	return judged
}

func casesOf(t *testing.T, c *catalog.Control) (good, bad []catalog.Case) {
	t.Helper()
	params, problems := c.Examples()
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	good, bad, err := c.Tests(params)
	if err != nil {
		t.Fatal(err)
	}
	return good, bad
}

func namespaceOf(one catalog.Case) string {
	if one.Namespace != "" {
		return one.Namespace
	}
	return "default"
}

// namespacesOf returns the namespaces of the documents.
func namespacesOf(t *testing.T, controls []*catalog.Control) []string {
	t.Helper()
	all := map[string]bool{"default": true}
	for _, c := range controls {
		good, bad := casesOf(t, c)
		for _, one := range slices.Concat(good, bad) {
			if !one.ClusterScoped {
				all[namespaceOf(one)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// nativePolicies are the policies of the API server for all namespaces, enforced.
func nativePolicies(t *testing.T, controls []*catalog.Control) []manifest.Object {
	t.Helper()
	settings := object{}
	for _, c := range controls {
		settings[c.ID] = object{"parameters": c.ExampleParameters}
	}
	source := fstest.MapFS{}
	for kind, spec := range map[string]object{
		"Profile":     {"controls": settings, "kyverno": object{"policyType": catalog.ValidatingAdmissionPolicy, "install": "absent"}},
		"Environment": {"ring": 1, "stage": "enforce", "allowSkip": true},
	} {
		raw, err := json.Marshal(object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": object{"name": environment}, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		source[kind+".yaml"] = &fstest.MapFile{Data: raw}
	}
	bundle, problems := generator.Compile(source, ".", generator.Options{Version: "e2e", Now: time.Now()})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	var all []manifest.Object
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if strings.HasPrefix(o.Kind(), catalog.ValidatingAdmissionPolicy) {
				all = append(all, o)
			}
		}
	}
	return all
}
