package proof_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// costly are objects of which everything is wrong.
type costly struct {
	name string
	// most is the size of the largest one that is judged. At small it is judged by the one
	// expression that asks first, if it is a Pod.
	most, small int
	// make returns one of a size; other tags have other offenders.
	make func(size int, tag string) object
}

// TestCosts: with all controls and a thousand exceptions, the API server gives up no
// object. What is larger than the largest that it can judge is refused with a reason, or
// reported; its finalizers can still be removed.
func TestCosts(t *testing.T) {
	clusters := manyExceptions(t)
	ask := func(environment string, resource, old object) protocol.EvaluateResult {
		request := protocol.EvaluateParams{Resource: encode(t, resource)}
		if old != nil {
			request.OldResource, request.Operation = encode(t, old), protocol.Update
		}
		return clusters[environment].ask(t, in("apps", request))
	}
	for _, c := range slices.Concat(costlyPods(), costlyObjects()) {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			largest, larger := c.make(c.most, "a"), c.make(c.most+1, "a")
			finalized := clone(t, larger)
			finalized["metadata"].(object)["finalizers"] = []any{"example.com/a"}
			for what, old := range map[string]object{"a create": nil, "an update of all": c.make(c.most, "b"), "an update that adds one": c.make(c.most-1, "a")} {
				if got := ask(enforced, largest, old); !got.Blocked || len(errorsOf(got)) > 0 || strings.Contains(messages(got), "at most") {
					t.Errorf("%s with %d: %.2000s", what, c.most, verdict(got)+strings.Join(errorsOf(got), "; "))
				}
			}
			for _, size := range []int{c.small, c.small + 1} {
				if got := ask(enforced, c.make(size, "a"), nil); !got.Blocked || len(errorsOf(got)) > 0 {
					t.Errorf("%d: %.2000s", size, verdict(got)+strings.Join(errorsOf(got), "; "))
				}
			}
			if got := ask(enforced, larger, nil); !got.Blocked || !strings.Contains(messages(got), "at most") {
				t.Errorf("%d: %.2000s", c.most+1, verdict(got))
			}
			if got := ask(audited, larger, nil); got.Blocked || faults(got) == 0 || len(errorsOf(got)) > 0 || !strings.Contains(messages(got), "at most") {
				t.Errorf("%d, audited: %.2000s", c.most+1, verdict(got))
			}
			if got := ask(enforced, larger, finalized); got.Blocked {
				t.Errorf("%d, without a finalizer: %.2000s", c.most+1, verdict(got))
			}
		})
	}
}

// errorsOf are the messages of the checks that could not be evaluated.
func errorsOf(r protocol.EvaluateResult) []string {
	var out []string
	for _, rule := range r.Results {
		if rule.Result == protocol.OutcomeError {
			out = append(out, rule.Message)
		}
	}
	return out
}

// manyExceptions are clusters with all controls and a thousand exceptions, as policies of
// the API server.
func manyExceptions(t *testing.T) map[string]cluster {
	t.Helper()
	spec := switchedOn(builtin(t))
	spec["kyverno"] = object{"policyType": catalog.ValidatingAdmissionPolicy}
	spec["namespaces"] = []any{object{"name": "shop", "labels": object{"owner": "shop"}}}
	files := map[string]any{}
	for i := range 1000 {
		name := fmt.Sprint("agent-", i)
		files[name+".yaml"] = object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": "Exception", "metadata": object{"name": name}, "spec": object{
			"controls":   []any{"disallow-privilege-escalation", "disallow-capabilities-strict", "disallow-privileged-containers"},
			"match":      object{"namespaces": []any{"shop"}, "kinds": []any{"DaemonSet", "CronJob"}, "names": []any{name}},
			"containers": []any{"reader"}, "reason": "reads logs", "owner": fmt.Sprint("team-", i), "expires": "2027-06-01",
		}}
	}
	bundle := compile(t, spec, files)
	clusters := map[string]cluster{}
	for _, environment := range []string{enforced, audited} {
		clusters[environment] = newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, environment))
		largest(t, bundle, environment)
	}
	return clusters
}

// largest wants the emitted objects to be well below the 1.5 MiB that etcd takes.
func largest(t *testing.T, bundle *generator.Bundle, environment string) {
	t.Helper()
	most, name := 0, ""
	for _, o := range applied(bundle, environment) {
		if size := len(encode(t, o)); size > most {
			most, name = size, o.Name()
		}
	}
	t.Logf("%s: the largest object, %s, has %d bytes", environment, name, most)
	if most > 1<<20 {
		t.Errorf("%s: %s has %d bytes", environment, name, most)
	}
}

// times returns a list of a size.
func times(n int, element func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = element(i)
	}
	return out
}

func ofKind(apiVersion, kind string, more object) object {
	o := object{"apiVersion": apiVersion, "kind": kind, "metadata": object{"name": "p", "namespace": "shop"}}
	maps.Copy(o, more)
	return o
}

// faultyContainer breaks all that a container can.
func faultyContainer(tag string, i int) object {
	unconfined := object{"type": "Unconfined"}
	return object{
		"name": fmt.Sprint(tag, "-with-a-long-name-", i), "image": "registry.example.com/shop/" + tag + ":latest",
		"securityContext": object{
			"privileged": true, "capabilities": object{"add": []any{"SYS_ADMIN"}}, "runAsUser": 0, "runAsNonRoot": false, "procMount": "Unmasked",
			"seLinuxOptions": object{"type": "spc_t", "user": "u"}, "seccompProfile": unconfined, "appArmorProfile": unconfined, "windowsOptions": object{"hostProcess": true},
		},
		"ports": []any{object{"containerPort": 80, "hostPort": 80 + i}}, "envFrom": []any{object{"secretRef": object{"name": "s"}}},
		"env":           []any{object{"name": "A", "valueFrom": object{"secretKeyRef": object{"name": "s", "key": "k"}}}},
		"livenessProbe": object{"httpGet": object{"host": "h", "port": 80}}, "readinessProbe": object{"tcpSocket": object{"host": "h", "port": 80}},
	}
}

func costlyPods() []costly {
	pod := func(containers, volumes []any) object {
		return ofKind("v1", "Pod", object{"spec": object{"containers": containers, "volumes": volumes}})
	}
	volumes := func(n int, tag string) []any {
		return times(n, func(i int) any {
			return object{"name": fmt.Sprint(tag, i), "hostPath": object{"path": fmt.Sprint("/var/run/../run/containerd/containerd.sock", i)}}
		})
	}
	// with is a Pod of which one container has a list, of n elements with the two other entries that it has.
	with := func(set func(c object, list []any), element func(tag string, i int) any) func(int, string) object {
		return func(n int, tag string) object {
			c := faultyContainer("a", 0)
			delete(c, "env")
			delete(c, "envFrom")
			delete(c, "ports")
			delete(c["securityContext"].(object), "capabilities")
			set(c, times(n, func(i int) any { return element(tag, i) }))
			return pod([]any{c}, nil)
		}
	}
	return []costly{
		{"containers and volumes", 250, 20, func(n int, tag string) object {
			return pod(times(n, func(i int) any { return faultyContainer(tag, i) }), volumes(min(2*n, 500), tag))
		}},
		{"volumes", 500, 50, func(n int, tag string) object { return pod([]any{faultyContainer("a", 0)}, volumes(n, tag)) }},
		{"variables", 2500, 250, with(func(c object, list []any) { c["env"] = list }, func(tag string, i int) any {
			return object{"name": fmt.Sprint(tag, i), "valueFrom": object{"secretKeyRef": object{"name": "s", "key": "k"}}}
		})},
		{"ports", 2500, 250, with(func(c object, list []any) { c["ports"] = list }, func(tag string, i int) any {
			return object{"name": tag, "hostIP": tag, "containerPort": 80, "hostPort": 80 + i}
		})},
		{"capabilities", 2500, 250, with(func(c object, list []any) { contextOf(c)["capabilities"] = object{"add": list} }, func(tag string, i int) any { return fmt.Sprint(tag, i) })},
		{"sysctls", 2500, 250, func(n int, tag string) object {
			o := with(func(object, []any) {}, func(string, int) any { return nil })(0, tag)
			o["spec"].(object)["securityContext"] = object{"sysctls": times(n, func(i int) any { return object{"name": fmt.Sprint(tag, i), "value": "1"} })}
			return o
		}},
	}
}

func costlyObjects() []costly {
	rbac := func(kind string, more object) object { return ofKind("rbac.authorization.k8s.io/v1", kind, more) }
	networking := func(kind string, spec object) object {
		return ofKind("networking.k8s.io/v1", kind, object{"spec": spec})
	}
	service := func(spec object) object { return ofKind("v1", "Service", object{"spec": spec}) }
	return []costly{
		{"rules of a role", 2000, 1, func(n int, tag string) object {
			return rbac("Role", object{"rules": times(n, func(i int) any {
				return object{"verbs": []any{"*"}, "resources": []any{fmt.Sprint("*/", tag, i)}, "apiGroups": []any{"rbac.authorization.k8s.io"}}
			})})
		}},
		{"names of a role", 2000, 1, func(n int, tag string) object {
			return rbac("Role", object{"rules": []any{object{
				"verbs": []any{"escalate"}, "resources": []any{"roles"}, "apiGroups": []any{"rbac.authorization.k8s.io"},
				"resourceNames": times(n, func(i int) any { return fmt.Sprint(tag, "-with-a-long-name-", i) }),
			}}})
		}},
		{"subjects", 2500, 1, func(n int, tag string) object {
			return rbac("RoleBinding", object{"roleRef": object{"name": "cluster-admin", "kind": "ClusterRole"}, "subjects": times(n, func(i int) any {
				return object{"kind": "User", "name": fmt.Sprint(tag, "-user-", i), "apiGroup": "rbac.authorization.k8s.io"}
			})})
		}},
		{"peers", 500, 1, func(n int, tag string) object {
			return networking("NetworkPolicy", object{"podSelector": object{"matchLabels": object{"a": tag}}, "ingress": []any{object{"from": times(n, func(i int) any {
				return object{"namespaceSelector": object{"matchExpressions": []any{object{"key": "x", "operator": "NotIn", "values": []any{fmt.Sprint(tag, i)}}}}}
			})}}})
		}},
		{"rules of a network policy", 500, 1, func(n int, tag string) object {
			return networking("NetworkPolicy", object{"podSelector": object{"matchLabels": object{"a": tag}}, "ingress": times(n, func(i int) any {
				return object{"ports": []any{object{"port": i, "endPort": i + 1}}, "from": []any{object{"ipBlock": object{"cidr": "0.0.0.0/0", "except": []any{"10.0.0.0/8"}}}}}
			})})
		}},
		{"rules of an Ingress", 400, 1, func(n int, tag string) object {
			return networking("Ingress", object{
				"tls": times(min(n, 400), func(i int) any { return object{"hosts": []any{fmt.Sprint("*.", tag, i, ".example.com")}} }),
				"rules": times(n, func(i int) any {
					return object{"host": fmt.Sprint("*", tag, i, ".other.example.com"), "http": object{"paths": []any{object{"path": "/a"}}}}
				}),
			})
		}},
		{"paths", 1000, 1, func(n int, tag string) object {
			return networking("Ingress", object{"rules": []any{object{"http": object{"paths": times(n, func(i int) any { return object{"path": fmt.Sprint("/", tag, i)} })}}}})
		}},
		{"ports of a Service", 1000, 1, func(n int, tag string) object {
			return service(object{"type": "LoadBalancer", "ports": times(n, func(i int) any { return object{"port": i, "protocol": "TCP", "targetPort": tag} })})
		}},
		{"external IPs", 1000, 1, func(n int, tag string) object {
			return service(object{"type": "NodePort", "externalIPs": times(n, func(i int) any { return fmt.Sprint(tag, i) })})
		}},
		{"sources", 1000, 1, func(n int, tag string) object {
			return ofKind("notification.toolkit.fluxcd.io/v1beta3", "Alert", object{"spec": object{"eventSources": times(n, func(i int) any {
				return object{"kind": "Kustomization", "name": fmt.Sprint(tag, i), "namespace": "other"}
			})}})
		}},
	}
}
