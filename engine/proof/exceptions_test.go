package proof_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/made"
	"github.com/gatehouse-dev/gatehouse/internal/made/arrival"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// waiver is an Exception document.
func waiver(name string, spec object) object {
	for key, value := range map[string]any{"reason": "tested", "owner": "team-proof", "expires": "2027-03-31"} {
		if spec[key] == nil {
			spec[key] = value
		}
	}
	return object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": "Exception", "metadata": object{"name": name}, "spec": spec}
}

// faultyPod breaks disallow-privileged-containers and disallow-host-path. It has the images given.
func faultyPod(name, namespace string, images ...string) catalog.Case {
	if len(images) == 0 {
		images = []string{"ghcr.io/acme/app:1.2.3"}
	}
	spec := object{"volumes": []any{object{"name": "h", "hostPath": object{"path": "/var/log"}}}}
	for i, image := range images {
		list := "containers"
		if i > 0 {
			list = "initContainers" // the first is the container, the others are init containers
		}
		before, _ := spec[list].([]any)
		spec[list] = append(before, object{"name": fmt.Sprintf("c%d", i), "image": image, "securityContext": object{"privileged": true}})
	}
	return catalog.Case{
		Name: name, Operation: "CREATE", Namespace: namespace,
		Kind:   catalog.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Object: object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "namespace": namespace}, "spec": spec},
	}
}

// faulty is a faulty Pod, or a controller of faulty Pods.
func faulty(t testing.TB, kind, name, namespace string, images ...string) catalog.Case {
	t.Helper()
	pod := faultyPod(name, namespace, images...)
	if kind == "Pod" {
		return pod
	}
	return wrapped(t, pod, kind)
}

const (
	dayBefore = "2027-03-30T23:59:59Z"
	dayOfEnd  = "2027-03-31T00:00:00Z"
)

// TestExceptions compiles one exception for each kind of workload, and asks who
// is exempt from disallow-privileged-containers.
func TestExceptions(t *testing.T) {
	match := func(kind, name string) object {
		return object{"controls": []any{"disallow-privileged-containers"}, "match": object{"namespaces": []any{"tools"}, "kinds": []any{kind}, "names": []any{name}}}
	}
	bundle := compile(t,
		object{"controls": object{"disallow-privileged-containers": object{}, "disallow-host-path": object{}}},
		map[string]any{
			"deployment.yaml":  waiver("deployment", match("Deployment", "app")),
			"daemonset.yaml":   waiver("daemonset", match("DaemonSet", "node-agent")),
			"statefulset.yaml": waiver("statefulset", match("StatefulSet", "db")),
			"job.yaml":         waiver("job", match("Job", "migrate")),
			"cronjob.yaml":     waiver("cronjob", match("CronJob", "nightly")),
			"pod.yaml":         waiver("pod", match("Pod", "lonely")),
			"glob.yaml":        waiver("glob", match("Deployment", "web-*")),
		})
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for _, tt := range []struct {
		kind, name, namespace string
		exempt                bool
	}{
		{"Deployment", "app", "tools", true},
		{"Deployment", "app", "other", false},
		{"Deployment", "app-web", "tools", false},
		{"Deployment", "my-app", "tools", false},
		{"Deployment", "lonely", "tools", false},
		{"Deployment", "node-agent", "tools", false},
		{"Deployment", "web-shop", "tools", true},
		{"Deployment", "web", "tools", false},
		{"DaemonSet", "app", "tools", false},
		{"DaemonSet", "node-agent", "tools", true},
		{"StatefulSet", "app", "tools", false},
		{"StatefulSet", "db", "tools", true},
		{"ReplicaSet", "app", "tools", false},
		{"Job", "migrate", "tools", true},
		{"CronJob", "migrate", "tools", false},
		{"CronJob", "nightly", "tools", true},
		{"CronJob", "reports", "tools", false},
		{"Pod", "lonely", "tools", true},
		{"Pod", "lonely-abcde", "tools", false},
	} {
		t.Run(strings.Join([]string{tt.kind, tt.namespace, tt.name}, "/"), func(t *testing.T) {
			exempts(t, k, requestOf(t, faulty(t, tt.kind, tt.name, tt.namespace)), tt.exempt)
			for _, o := range made.From(tt.kind, tt.name) {
				t.Run(o.What+"/"+o.Kind+" of "+o.Owner, func(t *testing.T) {
					request := sent(t, o, faulty(t, o.Kind, o.Stored(), tt.namespace))
					exempts(t, k, request, tt.exempt)
					strangers(t, k, o, request)
				})
			}
		})
	}
}

// exempts asks in the last second of an exception, and in the first one after it.
func exempts(t *testing.T, k cluster, request protocol.EvaluateParams, exempt bool) {
	t.Helper()
	request.Now = dayBefore
	if got := k.ask(t, only("disallow-privileged-containers", request)); got.Blocked == exempt {
		t.Errorf("blocked is %v: %s", got.Blocked, verdict(got))
	}
	if got := k.ask(t, only("disallow-host-path", request)); !got.Blocked {
		t.Error("it is exempt from another control, too")
	}
	request.Now = dayOfEnd
	if got := k.ask(t, only("disallow-privileged-containers", request)); !got.Blocked {
		t.Error("it is still exempt at the end")
	}
}

// sent is the request of a controller that makes an object, or of a person who runs a Job by hand.
func sent(t testing.TB, s made.Sent, c catalog.Case) protocol.EvaluateParams {
	t.Helper()
	metadata := manifest.Object(c.Object).Metadata()
	labels, _ := metadata["labels"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	o := clone(t, c.Object)
	o["metadata"] = s.Metadata(c.Namespace, labels, annotations)
	if s.Hostname != "" {
		o["spec"].(map[string]any)["hostname"] = s.Hostname
	}
	if err := arrival.Check(s.Kind, o["metadata"].(map[string]any), s.User); err != nil {
		t.Error(err)
	}
	request := requestOf(t, c)
	request.Resource = encode(t, o)
	if s.User != "" {
		request.UserInfo = protocol.UserInfo{Username: s.User, Groups: s.Groups}
	}
	return request
}

// stranger is an ordinary user, not a controller.
func stranger() protocol.UserInfo {
	return protocol.UserInfo{Username: "developer@example.com", Groups: []string{"system:authenticated"}}
}

// strangers asks for the same object as others would send it: without the owner, with a forged one, and with the name
// under which it is stored.
func strangers(t *testing.T, k cluster, s made.Sent, request protocol.EvaluateParams) {
	t.Helper()
	request.Now, request.UserInfo = dayBefore, stranger()
	for name, change := range map[string]func(metadata object){
		"with its owner":       func(object) {},
		"with its stored name": func(m object) { delete(m, "generateName"); m["name"] = s.Stored() },
		"without an owner":     func(m object) { delete(m, "ownerReferences") },
		"without annotations":  func(m object) { delete(m, "annotations") },
		"owned, not controlled": func(m object) {
			delete(m["ownerReferences"].([]any)[0].(map[string]any), "controller")
		},
	} {
		o := clone(t, manifest.Object{})
		if err := json.Unmarshal(request.Resource, &o); err != nil {
			t.Fatal(err)
		}
		change(o.Metadata())
		if s.User == "" && (name == "with its owner" || name == "with its stored name") {
			continue // the person who runs a Job by hand is a stranger
		}
		asked := request
		asked.Resource = encode(t, o)
		if got := k.ask(t, only("disallow-privileged-containers", asked)); !got.Blocked {
			t.Errorf("a stranger's %s %s is admitted: %s", s.Kind, name, verdict(got))
		}
	}
}

// TestExceptionOfSeveralControls waives two controls, of which one has more rules.
func TestExceptionOfSeveralControls(t *testing.T) {
	bundle := compile(t,
		object{"controls": object{"disallow-privileged-containers": object{}, "disallow-host-path": object{}, "require-labels": object{"parameters": object{"labels": []any{"owner"}}}}},
		map[string]any{"both.yaml": waiver("both", object{
			"controls": []any{"disallow-privileged-containers", "disallow-host-path"},
			"match":    object{"namespaces": []any{"tools"}, "kinds": []any{"DaemonSet"}, "names": []any{"node-agent"}},
		})})
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	pod := made.From("DaemonSet", "node-agent")[0]
	for kind, request := range map[string]protocol.EvaluateParams{
		"DaemonSet": requestOf(t, faulty(t, "DaemonSet", "node-agent", "tools")),
		"Pod":       sent(t, pod, faulty(t, "Pod", pod.Stored(), "tools")),
	} {
		request.Now = dayBefore
		for policy, blocked := range map[string]bool{"disallow-privileged-containers": false, "disallow-host-path": false, "require-labels": true} {
			if got := k.ask(t, only(policy, request)); got.Blocked != blocked {
				t.Errorf("%s, %s: blocked is %v: %s", kind, policy, got.Blocked, verdict(got))
			}
		}
	}
}

// TestExceptionForImages narrows an exception to images: it holds for a
// workload only if all its images are among them.
func TestExceptionForImages(t *testing.T) {
	bundle := compile(t,
		object{"controls": object{"disallow-privileged-containers": object{}}},
		map[string]any{"agent.yaml": waiver("agent", object{
			"controls": []any{"disallow-privileged-containers"},
			"match":    object{"namespaces": []any{"tools"}, "kinds": []any{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "StatefulSet"}, "names": []any{"*"}},
			"images":   []any{"ghcr.io/acme/agent:*", "ghcr.io/acme/agent@*", "ghcr.io/acme/init*"},
		})})
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	const digest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, tt := range []struct {
		name   string
		images []string
		exempt bool
	}{
		{"tag", []string{"ghcr.io/acme/agent:1.2.3"}, true},
		{"no tag", []string{"ghcr.io/acme/agent"}, true},
		{"digest", []string{"ghcr.io/acme/agent" + digest}, true},
		{"tag and digest", []string{"ghcr.io/acme/agent:1.2.3" + digest}, true},
		{"with init container", []string{"ghcr.io/acme/agent:1.2.3", "ghcr.io/acme/init:1"}, true},
		{"another image", []string{"ghcr.io/acme/other:1"}, false},
		{"longer name", []string{"ghcr.io/acme/agent-evil:1"}, false},
		{"another registry", []string{"evil.example/ghcr.io/acme/agent:1.2.3"}, false},
		{"another init container", []string{"ghcr.io/acme/agent:1.2.3", "ghcr.io/acme/other:1"}, false},
		{"only the init container", []string{"ghcr.io/acme/other:1", "ghcr.io/acme/agent:1.2.3"}, false},
		{"the second init container", []string{"ghcr.io/acme/agent:1.2.3", "ghcr.io/acme/init:1", "ghcr.io/acme/other:1"}, false},
	} {
		for _, kind := range append(sortedKeys(controllers()), "Pod") {
			if kind == "ReplicationController" {
				continue // it is not named
			}
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				request := requestOf(t, faulty(t, kind, "agent", "tools", tt.images...))
				if kind == "ReplicaSet" { // of a Deployment
					set := made.From("Deployment", "agent")[0]
					request = sent(t, set, faulty(t, kind, set.Name, "tools", tt.images...))
				}
				request.Now = dayBefore
				if got := k.ask(t, request); got.Blocked == tt.exempt {
					t.Errorf("blocked is %v: %s", got.Blocked, verdict(got))
				}
			})
		}
	}
	t.Run("ephemeral container", func(t *testing.T) {
		pod := faultyPod("agent", "tools", "ghcr.io/acme/agent:1.2.3")
		request := requestOf(t, pod)
		request.Operation, request.SubResource, request.OldResource, request.Now = protocol.Update, "ephemeralcontainers", request.Resource, dayBefore
		debugged := clone(t, pod)
		debugged.Object["spec"].(map[string]any)["ephemeralContainers"] = []any{object{"name": "debug", "image": "ghcr.io/acme/other:1", "securityContext": object{"privileged": true}}}
		debugged.Object["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["securityContext"] = object{}
		request.Resource = encode(t, debugged.Object)
		pod.Object["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["securityContext"] = object{}
		request.OldResource = encode(t, pod.Object)
		if got := k.ask(t, request); !got.Blocked {
			t.Errorf("a privileged debug container with another image is admitted: %s", verdict(got))
		}
	})
}
