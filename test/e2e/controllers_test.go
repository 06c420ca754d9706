//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const privilegedPolicy = "disallow-privileged-containers"

// longJob has as many characters as the name of an indexed Job may have with two digits
// for the index; Kubernetes cuts it in the names of its Pods.
const longJob = "data-warehouse-nightly-customer-segmentation-training-job1"

// exempt are the controllers that an exception names, with the number of Pods they make.
func exempt() []struct {
	kind, name string
	pods       int
} {
	return []struct {
		kind, name string
		pods       int
	}{
		{"Deployment", "legacy", 1},
		{"StatefulSet", "db", 1},
		{"DaemonSet", "node-agent", 1},
		{"Job", longJob, 3},
		{"CronJob", "nightly", 1},
	}
}

// TestControllers lets Kubernetes' own controllers make the objects of workloads that are
// exempt from a control and from an image rule, which are enforced in one namespace and
// audited in the other.
func TestControllers(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	key, err := json.Marshal(r.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var waivers strings.Builder
	for _, x := range exempt() {
		fmt.Fprintf(&waivers, "---\nkind: Exception\nmetadata: {name: %s}\nspec:\n  controls: [%s, %s]\n"+
			"  match: {namespaces: [%s, %s], kinds: [%s], names: [%s]}\n  reason: tested\n  owner: e2e\n  expires: %d-01-01\n",
			strings.ToLower(x.kind), privilegedPolicy, imagePolicy, platformNamespace, appsNamespace, x.kind, x.name, time.Now().Year()+1)
	}
	fmt.Fprintf(&waivers, "---\nkind: Exception\nmetadata: {name: main-only}\nspec:\n  controls: [%s]\n"+
		"  match: {namespaces: [%s], kinds: [Deployment], names: [\"injected-*\"]}\n  containers: [main]\n  reason: tested\n  owner: e2e\n  expires: %d-01-01\n",
		privilegedPolicy, platformNamespace, time.Now().Year()+1)
	c := startBuilt(t, controlplane.Options{WithoutFlux: true}, fmt.Sprintf(`
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: controllers}
spec:
  controls: {verify-images: {}, %s: {}}
  namespaces: [{name: %s, tier: platform}, {name: %s, tier: apps}]
  trust:
    attestors: [{name: key, keys: {publicKeys: %s}}]
    images: [{name: local, references: ["%s/*"], attestors: [key]}]
---
kind: Environment
metadata: {name: %s}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
%s`, privilegedPolicy, platformNamespace, appsNamespace, key, r.Host, environment, &waivers), nil)
	client := c.Client()
	waitServiceAccounts(t, client, platformNamespace, appsNamespace)
	apply(t, client, newObject("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "e2e-user", map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "user"}},
	}))
	user := as(t, client, "user", "system:authenticated")
	apply(t, client, newObject("v1", "Node", "", "node-1", nil)) // for the DaemonSets
	unsigned, privileged := vendorPod(r.byTag("unsigned"), false), vendorPod(r.byTag("signed"), true)
	eventually(t, 2*time.Minute, "the policies", func() error {
		image := judge(t, user, pod(platformNamespace, "early", unsigned))
		rule := judge(t, user, pod(platformNamespace, "early", privileged))
		if !refusedOnlyBy(image, imagePolicy) || !refusedOnlyBy(rule, privilegedPolicy) {
			return errors.Join(errors.New("not both are enforced"), image, rule)
		}
		return nil
	})

	for _, namespace := range []string{platformNamespace, appsNamespace} {
		for _, x := range exempt() {
			if _, err := user.Create(t.Context(), controller(x.kind, namespace, x.name, vendorPod(r.byTag("unsigned"), true))); err != nil {
				t.Fatalf("%s %s in %s: %v", x.kind, x.name, namespace, err)
			}
		}
		runByHand(t, user, namespace, "nightly", "nightly-by-hand")
	}
	for _, namespace := range []string{platformNamespace, appsNamespace} {
		for _, x := range exempt() {
			t.Run(namespace+"/"+x.kind, func(t *testing.T) { waitForPods(t, client, namespace, x.kind, x.name, x.pods) })
		}
		t.Run(namespace+"/Job by hand", func(t *testing.T) { waitForPods(t, client, namespace, "Job", "nightly-by-hand", 1) })
	}
	for _, x := range exempt() {
		t.Run("stranger like the "+x.kind, func(t *testing.T) { testStranger(t, client, user, r, x.kind, x.name) })
	}
	t.Run("injected", func(t *testing.T) { testInjected(t, client, user, r) })
}

// vendorPod is a Pod of which every container has the image, and is privileged or not.
func vendorPod(image string, privileged bool) map[string]any {
	spec := goodPodSpec()
	container(spec)["image"] = image
	container(spec)["securityContext"] = map[string]any{"privileged": privileged}
	return spec
}

// controller returns a controller of any kind. Its Pods have the label app.
func controller(kind, namespace, name string, spec map[string]any) manifest.Object {
	labels := map[string]any{"app": name}
	spec = maps.Clone(spec)
	template := map[string]any{"metadata": map[string]any{"labels": labels}, "spec": spec}
	of := map[string]any{"template": template}
	group := "apps/v1"
	switch kind {
	case "DaemonSet":
		spec["tolerations"] = []any{map[string]any{"operator": "Exists"}} // nothing makes the node ready
		of["selector"] = map[string]any{"matchLabels": labels}
	case "Job":
		group, spec["restartPolicy"] = "batch/v1", "Never"
		maps.Copy(of, map[string]any{"completions": 3, "parallelism": 3, "completionMode": "Indexed"})
	case "CronJob":
		group, spec["restartPolicy"] = "batch/v1", "Never"
		of = map[string]any{"schedule": "* * * * *", "jobTemplate": map[string]any{"spec": of}}
	default:
		of["selector"] = map[string]any{"matchLabels": labels}
	}
	if kind == "StatefulSet" {
		of["serviceName"] = name
	}
	return newObject(group, kind, namespace, name, map[string]any{"spec": of})
}

// runByHand does what kubectl create job --from=cronjob/NAME does.
func runByHand(t *testing.T, user *kube.Client, namespace, cronJob, name string) {
	t.Helper()
	from, err := user.Get(t.Context(), "batch/v1", "CronJob", namespace, cronJob)
	if err != nil {
		t.Fatal(err)
	}
	job := newObject("batch/v1", "Job", namespace, name, map[string]any{"spec": from.Value("spec", "jobTemplate", "spec")})
	job.Metadata()["annotations"] = map[string]any{"cronjob.kubernetes.io/instantiate": "manual"}
	job.Metadata()["ownerReferences"] = []any{map[string]any{
		"apiVersion": "batch/v1", "kind": "CronJob", "name": cronJob, "uid": from.Metadata()["uid"], "controller": true,
	}}
	if _, err := user.Create(t.Context(), job); err != nil {
		t.Fatalf("Job %s by hand in %s: %v", name, namespace, err)
	}
}

// podsOf returns the Pods that a controller, or what it made, owns.
func podsOf(t *testing.T, client *kube.Client, namespace, kind, name string) []manifest.Object {
	t.Helper()
	all, err := client.List(t.Context(), "v1", "Pod", namespace, "")
	if err != nil {
		t.Fatal(err)
	}
	var out []manifest.Object
	for _, p := range all {
		if owned(t, client, p, kind, name) {
			out = append(out, p)
		}
	}
	return out
}

// owned reports whether an object is made by a controller or by what that made.
func owned(t *testing.T, client *kube.Client, o manifest.Object, kind, name string) bool {
	t.Helper()
	for _, owner := range o.Maps("metadata", "ownerReferences") {
		if owner.String("kind") == kind && owner.String("name") == name {
			return true
		}
		parent, err := client.Get(t.Context(), owner.String("apiVersion"), owner.String("kind"), o.Namespace(), owner.String("name"))
		if err == nil && owned(t, client, parent, kind, name) {
			return true
		}
	}
	return false
}

// waitForPods waits until the controllers of Kubernetes have made the Pods.
func waitForPods(t *testing.T, client *kube.Client, namespace, kind, name string, n int) {
	t.Helper()
	eventually(t, 2*time.Minute, "the Pods of "+kind+" "+name, func() error {
		if got := len(podsOf(t, client, namespace, kind, name)); got < n {
			return fmt.Errorf("%d of %d Pods; %s", got, n, events(t, client, namespace))
		}
		return nil
	})
}

// events returns what the controllers could not create.
func events(t *testing.T, client *kube.Client, namespace string) string {
	t.Helper()
	all, err := client.List(t.Context(), "v1", "Event", namespace, "")
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, e := range all {
		if e.String("reason") == "FailedCreate" {
			out = append(out, fmt.Sprint(e.Value("involvedObject", "name"), ": ", e.String("message")))
		}
	}
	return strings.Join(out, "\n")
}

// testStranger: what looks like a Pod of an exempt controller is judged like any other.
func testStranger(t *testing.T, client, user *kube.Client, r *imageRegistry, kind, name string) {
	real := podsOf(t, client, platformNamespace, kind, name)[0]
	like := func(spec map[string]any) manifest.Object {
		stranger := pod(platformNamespace, real.Name()[:len(real.Name())-1]+"0", spec)
		if kind == "StatefulSet" {
			stranger.Metadata()["name"] = name + "-7"
		}
		stranger.Metadata()["labels"] = real.Metadata()["labels"]
		return stranger
	}
	forged := func(spec map[string]any) manifest.Object {
		o := like(spec)
		o.Metadata()["ownerReferences"] = real.Metadata()["ownerReferences"]
		return o
	}
	generated := func(spec map[string]any) manifest.Object {
		o := forged(spec)
		delete(o.Metadata(), "name")
		o.Metadata()["generateName"] = strings.TrimRight(real.Name(), "0123456789abcdefghijklmnopqrstuvwxyz")
		return o
	}
	for what, made := range map[string]func(map[string]any) manifest.Object{"the name": like, "a forged owner": forged, "a generated name": generated} {
		t.Run(what, func(t *testing.T) {
			wantRefused(t, judge(t, user, made(vendorPod(r.byTag("signed"), true))), privilegedPolicy)
			wantRefused(t, judge(t, user, made(vendorPod(r.byTag("unsigned"), false))), imagePolicy)
			wantAdmitted(t, judge(t, user, made(vendorPod(r.byTag("signed"), false))))
		})
	}
	t.Run("another name", func(t *testing.T) {
		wantRefused(t, judge(t, user, controller(kind, platformNamespace, "x"+name[1:], vendorPod(r.byTag("signed"), true))), privilegedPolicy)
	})
	t.Run("its Pod can be labelled", func(t *testing.T) {
		_, err := user.DryRun().Patch(t.Context(), real, "", labels(map[string]any{"team": "mine"}))
		wantAdmitted(t, err)
	})
	t.Run("its Pod cannot get another image", func(t *testing.T) {
		_, err := user.DryRun().Patch(t.Context(), real, "", map[string]any{"spec": map[string]any{"containers": []any{
			withImage(real.Maps("spec", "containers")[0], r.byTag("foreign")),
		}}})
		wantRefused(t, err, imagePolicy)
	})
}

func withImage(container manifest.Object, image string) map[string]any {
	out := maps.Clone(container)
	out["image"] = image
	return out
}

// testInjected: an exception for one container says nothing of those that an injector adds.
func testInjected(t *testing.T, client, user *kube.Client, r *imageRegistry) {
	for name, privileged := range map[string]bool{"injected-good": false, "injected-bad": true} {
		injector(t, client, name, fmt.Sprintf(
			`[JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{name: "proxy", image: %q, securityContext: Object.spec.containers.securityContext{privileged: %v}}}]`,
			r.byTag("signed"), privileged))
	}
	eventually(t, time.Minute, "the injectors", func() error {
		admitted, err := user.DryRun().Create(t.Context(), labelled("injected-good", vendorPod(r.byTag("signed"), false)))
		if err == nil && len(admitted.Maps("spec", "containers")) != 2 {
			err = errors.New("nothing is injected")
		}
		return err
	})
	for _, name := range []string{"injected-good", "injected-bad"} {
		if _, err := user.Create(t.Context(), controller("Deployment", platformNamespace, name, vendorPod(r.byTag("signed"), true))); err != nil {
			t.Fatalf("Deployment %s: %v", name, err)
		}
	}
	waitForPods(t, client, platformNamespace, "Deployment", "injected-good", 1)
	eventually(t, time.Minute, "the refusal of the Pod with a privileged proxy", func() error {
		if n := len(podsOf(t, client, platformNamespace, "Deployment", "injected-bad")); n > 0 {
			t.Fatal("the Pod is admitted")
		}
		if said := events(t, client, platformNamespace); !strings.Contains(said, "injected-bad") || !strings.Contains(said, "proxy") {
			return fmt.Errorf("the events are: %s", said)
		}
		return nil
	})
}

func labelled(app string, spec map[string]any) manifest.Object {
	o := pod(platformNamespace, app, spec)
	o.Metadata()["labels"] = map[string]any{"app": app}
	return o
}

// injector mutates the Pods with a label, as the injectors of service meshes do.
func injector(t *testing.T, client *kube.Client, app, patch string) {
	t.Helper()
	const api = "admissionregistration.k8s.io/v1"
	apply(t, client, newObject(api, "MutatingAdmissionPolicy", "", app, map[string]any{"spec": map[string]any{
		"failurePolicy": "Fail", "reinvocationPolicy": "Never",
		"matchConstraints": map[string]any{
			"objectSelector": map[string]any{"matchLabels": map[string]any{"app": app}},
			"resourceRules": []any{map[string]any{
				"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"pods"},
			}},
		},
		"mutations": []any{map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": patch}}},
	}}))
	apply(t, client, newObject(api, "MutatingAdmissionPolicyBinding", "", app, map[string]any{"spec": map[string]any{"policyName": app}}))
}

// refusedOnlyBy reports whether a policy refused the request.
func refusedOnlyBy(err error, policy string) bool {
	return err != nil && strings.Contains(err.Error(), "denied the request") && strings.Contains(err.Error(), policy+":")
}
