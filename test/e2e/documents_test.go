//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
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
	native := judging(t, catalog.ValidatingAdmissionPolicy)
	c := startCluster(t, controlplane.Options{WithoutFlux: true})
	setUpDocuments(t, c.Client(), native)
	policies := ofKind(allControls(t, native, catalog.ValidatingAdmissionPolicy), catalog.ValidatingAdmissionPolicy)
	for _, o := range policies {
		apply(t, c.Client(), o)
	}
	askDocuments(t, c.Client(), native, policies, "")
}

// TestWebhooks asks the same with Kyverno's policies in CEL. Their webhooks have conditions, by which the API server asks
// Kyverno only about Pods that may be bad. Its chart leaves ReplicaSets out (docs/kyverno-traps.md#replicasets).
func TestWebhooks(t *testing.T) {
	t.Parallel()
	controls := judging(t, catalog.ValidatingPolicy)
	bundle := allControls(t, controls, catalog.ValidatingPolicy)
	policies := ofKind(bundle, catalog.ValidatingPolicy)
	c := startCluster(t, controlplane.Options{WithoutFlux: true})
	if err := c.InstallKyverno(t.Context(), ofKind(bundle, "HelmRelease")[0]); err != nil {
		t.Fatal(err)
	}
	waitForPolicyWebhook(t, c.Client())
	setUpDocuments(t, c.Client(), controls)
	for _, o := range policies {
		apply(t, c.Client(), o)
	}
	eventually(t, time.Minute, "the webhooks", func() error {
		text := fmt.Sprint(c.Client().Get(t.Context(), "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", validatingWebhooks))
		for _, o := range policies {
			if !strings.Contains(text, o.Name()) {
				return fmt.Errorf("none names %s", o.Name())
			}
		}
		return nil
	})
	askDocuments(t, c.Client(), controls, policies, "ReplicaSet")
}

// TestGoodPodsWithoutKyverno shows that what is good needs no Kyverno that answers, where all that judges Pods is policies in CEL that
// look nothing up.
func TestGoodPodsWithoutKyverno(t *testing.T) {
	long(t)
	t.Parallel()
	c := startBuilt(t, controlplane.Options{WithoutFlux: true}, `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: fleet}
spec:
  extends: [restricted]
  kyverno: {policyType: ValidatingPolicy}
  flux: {source: {kind: GitRepository, name: flux-system}, path: ./}
  tiers: [`+appsNamespace+`]
  namespaces: [{name: `+appsNamespace+`, tier: `+appsNamespace+`}]
  controls: {`+badPodPolicy+`: {}}
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: `+environment+`}
spec: {ring: 1, stage: enforce, allowSkip: true}
`, nil)
	good, bad := pod(appsNamespace, "good", goodPodSpec()), pod(appsNamespace, "bad", badPodSpec())
	waitServiceAccounts(t, c.Client(), append(systemNamespaces(), appsNamespace)...)
	eventually(t, time.Minute, "a bad Pod to be refused", func() error {
		if err := judge(t, c.Client(), bad); answerOf(err) != refused {
			return errors.Join(errors.New("not enforced"), err)
		}
		return nil
	})
	if err := c.Kill(controlplane.KyvernoAdmission); err != nil {
		t.Fatal(err)
	}
	wantAdmitted(t, judge(t, c.Client(), good))
	if err := judge(t, c.Client(), bad); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		t.Errorf("a bad Pod: %v", err)
	}
	for _, namespace := range systemNamespaces() {
		wantAdmitted(t, judge(t, c.Client(), pod(namespace, "recover", badPodSpec())))
	}
}

// validatingWebhooks has all webhooks of Kyverno for what it validates.
const validatingWebhooks = "kyverno-resource-validating-webhook-cfg"

// judging returns the controls that policies of a kind can express.
func judging(t *testing.T, policyType string) []*catalog.Control {
	t.Helper()
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return slices.DeleteFunc(slices.Clone(set.Controls), func(c *catalog.Control) bool {
		return !c.Judges() || !slices.Contains(c.Targets(), policyType)
	})
}

// setUpDocuments creates the namespaces of the documents, and lets users do everything.
func setUpDocuments(t *testing.T, client *kube.Client, controls []*catalog.Control) {
	t.Helper()
	apply(t, client, newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "e2e-users", map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}},
	}))
	for _, namespace := range namespacesOf(t, controls) {
		apply(t, client, newObject("v1", "Namespace", "", namespace, nil))
	}
	waitServiceAccounts(t, client, namespacesOf(t, controls)...)
}

// askDocuments asks about the documents of controls. Those of the kind that is left out, if any, are all
// admitted.
func askDocuments(t *testing.T, client *kube.Client, controls []*catalog.Control, policies []manifest.Object, leftOut string) {
	t.Helper()
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
	for _, control := range controls {
		t.Run(control.ID, func(t *testing.T) {
			good, bad := casesOf(t, control)
			unjudged := func(one catalog.Case) bool { return one.Object["kind"] == leftOut }
			admitted += askEach(t, asUser, policies, control.ID, good, false)
			refused += askEach(t, asUser, policies, control.ID, slices.DeleteFunc(slices.Clone(bad), unjudged), true)
			askEach(t, asUser, policies, control.ID, slices.DeleteFunc(bad, func(one catalog.Case) bool { return !unjudged(one) }), false)
		})
	}
	t.Logf("%d controls, %d documents admitted and %d refused", len(controls), admitted, refused)
	if admitted < 200 || refused < 350 {
		t.Error("too few documents to say anything")
	}
}

// checks reports whether the object that refused something has checks of a control. An API server
// names only one of the objects that refuse.
func checks(policies []manifest.Object, refusal error, control string) bool {
	return slices.ContainsFunc(policies, func(o manifest.Object) bool {
		if text := refusal.Error(); !strings.Contains(text, "ValidatingAdmissionPolicy '"+o.Name()+"'") && !strings.Contains(text, "Policy "+o.Name()+" failed") {
			return false
		}
		annotations, _ := o.Metadata()["annotations"].(map[string]any)
		all, _ := annotations["gatehouse.dev/checks"].(string)
		return strings.Contains(","+all, ","+control+"/")
	})
}

// askEach asks about the documents that a control admits, or that it refuses, and returns
// how many the API server judged: it refuses what is not a valid object before it asks a policy.
func askEach(t *testing.T, user *kube.Client, policies []manifest.Object, control string, cases []catalog.Case, bad bool) (judged int) {
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

// allControls builds a profile with controls, enforced by policies of a kind for all namespaces.
func allControls(t *testing.T, controls []*catalog.Control, policyType string) *generator.Bundle {
	t.Helper()
	settings := object{}
	for _, c := range controls {
		settings[c.ID] = object{"parameters": c.ExampleParameters}
	}
	kyverno := object{"policyType": policyType}
	if policyType == catalog.ValidatingAdmissionPolicy {
		kyverno["install"] = "absent"
	}
	source := fstest.MapFS{}
	for kind, spec := range map[string]object{
		"Profile":     {"controls": settings, "kyverno": kyverno},
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
	return bundle
}

// ofKind returns the objects of a bundle whose kind begins so: policies, and their bindings.
func ofKind(bundle *generator.Bundle, kind string) []manifest.Object {
	var all []manifest.Object
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if strings.HasPrefix(o.Kind(), kind) {
				all = append(all, o)
			}
		}
	}
	return all
}
