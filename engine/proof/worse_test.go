package proof_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// change is an update of an object in YAML, and what must come of it.
type change struct {
	control, name, from, to string
	// names is what the message names if the update is refused; empty if it is admitted.
	names string
}

const (
	podOf     = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: "
	bindingOf = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: b}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: "
	anonymous = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: b}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: "
	roleOf    = "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, namespace: shop}, rules: "
	netpolOf  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: net, namespace: shop}, spec: "
	kustomOf  = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: k, namespace: shop}, spec: "
	generatOf = "{apiVersion: source.extensions.fluxcd.io/v1beta1, kind: ArtifactGenerator, metadata: {name: g, namespace: shop}, spec: "
	gitOf     = "{apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {name: g, namespace: shop}, spec: {url: 'https://github.com/acme/app', "
	serviceOf = "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}, spec: "
	ingressOf = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, namespace: shop}, spec: "
)

// changes are updates of objects that are faulty before.
func changes() []change {
	return []change{
		{"disallow-capabilities", "a capability more", podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW]}}}]}}",
			podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW, SYS_ADMIN]}}}]}}", "a (SYS_ADMIN)"},
		{"disallow-capabilities", "a capability that another container has", podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW]}}}, {name: b, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}",
			podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW, SYS_ADMIN]}}}, {name: b, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}", "a (SYS_ADMIN)"},
		{"disallow-capabilities", "a capability less, and another image", podOf + "{containers: [{name: a, image: 'a:1', securityContext: {capabilities: {add: [NET_RAW, SYS_ADMIN]}}}]}}",
			podOf + "{containers: [{name: a, image: 'a:2', securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}", ""},
		{"disallow-capabilities", "an ephemeral container", podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW]}}}]}}",
			podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW]}}}], ephemeralContainers: [{name: debug, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}", "debug (SYS_ADMIN)"},
		{"disallow-capabilities", "a wildcard among the old ones", podOf + "{containers: [{name: a, securityContext: {capabilities: {add: ['*']}}}]}}",
			podOf + "{containers: [{name: a, securityContext: {capabilities: {add: ['*', SYS_ADMIN]}}}]}}", "a (SYS_ADMIN)"},
		{"disallow-capabilities", "one container for another", podOf + "{containers: [{name: a, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}",
			podOf + "{containers: [{name: b, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}", "b (SYS_ADMIN)"},
		{"disallow-privileged-containers", "a container more", podOf + "{containers: [{name: a, securityContext: {privileged: true}}, {name: b}]}}",
			podOf + "{containers: [{name: a, securityContext: {privileged: true}}, {name: b, securityContext: {privileged: true}}]}}", ": b."},
		{"disallow-privileged-containers", "another order", podOf + "{containers: [{name: a, securityContext: {privileged: true}}, {name: b}]}}",
			podOf + "{containers: [{name: b}, {name: a, securityContext: {privileged: true}}]}}", ""},
		{"disallow-host-path", "a path more", podOf + "{volumes: [{name: v, hostPath: {path: /var/log}}]}}",
			podOf + "{volumes: [{name: v, hostPath: {path: /var/log}}, {name: w, hostPath: {path: /etc}}]}}", "w (/etc)"},
		{"disallow-host-path", "another path", podOf + "{volumes: [{name: v, hostPath: {path: /var/log}}]}}", podOf + "{volumes: [{name: v, hostPath: {path: /}}]}}", "v (/)"},
		{"disallow-host-ports", "a port more", podOf + "{containers: [{name: a, ports: [{containerPort: 80, hostPort: 80}]}]}}",
			podOf + "{containers: [{name: a, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 22, hostPort: 22}]}]}}", "a (:22/TCP)"},
		{"disallow-host-ports", "on all addresses", podOf + "{containers: [{name: a, ports: [{hostPort: 80, hostIP: 127.0.0.1}]}]}}",
			podOf + "{containers: [{name: a, ports: [{hostPort: 80}]}]}}", "a (:80/TCP)"},
		{"disallow-host-namespaces", "another namespace", podOf + "{hostPID: true}}", podOf + "{hostPID: true, hostNetwork: true}}", "hostNetwork"},
		{"disallow-host-namespaces", "a namespace less", podOf + "{hostPID: true, hostNetwork: true}}", podOf + "{hostPID: true, hostNetwork: false}}", ""},
		{"require-run-as-nonroot", "without the value of the Pod", podOf + "{securityContext: {runAsNonRoot: true}, containers: [{name: a}, {name: b, securityContext: {runAsNonRoot: false}}]}}",
			podOf + "{containers: [{name: a}, {name: b, securityContext: {runAsNonRoot: false}}]}}", ": a."},
		{"require-probes", "a probe less", podOf + "{containers: [{name: a, livenessProbe: {exec: {command: [a]}}}]}}", podOf + "{containers: [{name: a}]}}", "a (livenessProbe)"},
		{"require-labels", "a label less", podOf + "{}}", podOf + "{}}", ""},
		{"require-labels", "an empty label", "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, labels: {app.kubernetes.io/name: a}}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, labels: {app.kubernetes.io/name: ''}}}", "app.kubernetes.io/name"},
		{"disallow-latest-tag", "another image", podOf + "{containers: [{name: a, image: nginx}]}}", podOf + "{containers: [{name: a, image: redis}]}}", "a (redis)"},
		{"disallow-latest-tag", "the same image twice", podOf + "{containers: [{name: a, image: nginx}]}}", podOf + "{containers: [{name: a, image: nginx}, {name: b, image: nginx}]}}", "b (nginx)"},
		{"restrict-image-registries", "an image volume", podOf + "{containers: [{name: a, image: evil.example/a}]}}",
			podOf + "{containers: [{name: a, image: evil.example/a}], volumes: [{name: v, image: {reference: evil.example/b}}]}}", "v (evil.example/b)"},
		{"disallow-secrets-from-env-vars", "another secret", podOf + "{containers: [{name: a, env: [{name: P, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}}",
			podOf + "{containers: [{name: a, env: [{name: P, valueFrom: {secretKeyRef: {name: t, key: k}}}]}]}}", "a (P from t/k)"},
		{"disallow-selinux", "another user", podOf + "{containers: [{name: a, securityContext: {seLinuxOptions: {user: x}}}]}}",
			podOf + "{containers: [{name: a, securityContext: {seLinuxOptions: {user: x, role: r}}}]}}", "a (r)"},
		{"restrict-volume-types", "another type", podOf + "{volumes: [{name: v, nfs: {}}]}}", podOf + "{volumes: [{name: v, iscsi: {}}]}}", "v (iscsi)"},
		{"restrict-sysctls", "another value", podOf + "{securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}}}",
			podOf + "{securityContext: {sysctls: [{name: kernel.msgmax, value: '2'}]}}}", "kernel.msgmax=2"},

		{"restrict-binding-clusteradmin", "a subject more", bindingOf + "[{kind: User, name: jane}]}", bindingOf + "[{kind: User, name: jane}, {kind: ServiceAccount, name: a, namespace: shop}]}", "ServiceAccount shop a"},
		{"restrict-binding-clusteradmin", "the same name of another kind", bindingOf + "[{kind: User, name: jane}]}", bindingOf + "[{kind: Group, name: jane}]}", "Group jane"},
		{"restrict-binding-clusteradmin", "a subject less", bindingOf + "[{kind: User, name: jane}, {kind: User, name: joe}]}", bindingOf + "[{kind: User, name: jane}]}", ""},
		{"restrict-binding-system-groups", "another group", anonymous + "[{kind: User, name: 'system:anonymous'}]}", anonymous + "[{kind: User, name: 'system:anonymous'}, {kind: Group, name: 'system:masters'}]}", "system:masters"},
		{"restrict-binding-system-groups", "a good subject more", anonymous + "[{kind: User, name: 'system:anonymous'}]}", anonymous + "[{kind: User, name: 'system:anonymous'}, {kind: User, name: jane}]}", ""},
		{"restrict-escalation-verbs", "another verb", roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate]}]}",
			roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate]}, {apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate]}]}", "escalate roles rbac.authorization.k8s.io *"},
		{"restrict-escalation-verbs", "for all names", roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate], resourceNames: [jane]}]}",
			roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate]}]}", "impersonate users core *"},
		{"restrict-wildcard-resources", "a verb more", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get]}]}", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get, delete]}]}", "delete * apps *"},
		{"restrict-wildcard-resources", "a group more", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get]}]}", roleOf + "[{apiGroups: ['', apps], resources: ['*'], verbs: [get]}]}", "get * core *"},
		{"restrict-wildcard-verbs", "a resource more", roleOf + "[{apiGroups: [''], resources: [pods], verbs: ['*']}]}", roleOf + "[{apiGroups: [''], resources: [pods, secrets], verbs: ['*']}]}", "* secrets core *"},
		{"restrict-wildcard-verbs", "written in two rules", roleOf + "[{apiGroups: [''], resources: [pods, secrets], verbs: ['*']}]}",
			roleOf + "[{apiGroups: [''], resources: [pods], verbs: ['*']}, {apiGroups: [''], resources: [secrets], verbs: ['*']}]}", ""},
		{"restrict-escalation-verbs", "one of all verbs", roleOf + "[{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: ['*']}]}",
			roleOf + "[{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [get, bind]}]}", ""},
		{"restrict-escalation-verbs", "some of everything", roleOf + "[{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}",
			roleOf + "[{apiGroups: [''], resources: [serviceaccounts], verbs: [impersonate], resourceNames: [a, b]}, {nonResourceURLs: [/x], verbs: [get]}]}", ""},
		{"restrict-escalation-verbs", "another verb than the one", roleOf + "[{apiGroups: ['*'], resources: ['*'], verbs: [bind]}]}",
			roleOf + "[{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate]}]}", "escalate roles rbac.authorization.k8s.io *"},
		{"restrict-escalation-verbs", "another group", roleOf + "[{apiGroups: [authentication.k8s.io], resources: [users], verbs: [impersonate]}]}",
			roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate]}]}", "impersonate users core *"},
		{"restrict-escalation-verbs", "a name of one star", roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate], resourceNames: ['*']}]}",
			roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate]}]}", "impersonate users core *"},
		{"restrict-escalation-verbs", "behind a rule without groups", roleOf + "[{apiGroups: [''], resources: [users], verbs: [impersonate], resourceNames: [a]}]}",
			roleOf + "[{nonResourceURLs: [/x], verbs: ['*']}, {apiGroups: [''], resources: [users], verbs: [impersonate], resourceNames: [a, b]}]}", "impersonate users core b"},
		{"restrict-wildcard-resources", "one of all verbs", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: ['*']}]}", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get, list]}]}", ""},
		{"restrict-wildcard-resources", "one of all groups and some names", roleOf + "[{apiGroups: ['*'], resources: ['*'], verbs: [get]}]}",
			roleOf + "[{apiGroups: ['', batch], resources: ['*'], verbs: [get], resourceNames: [a]}]}", ""},
		{"restrict-wildcard-resources", "subresources of all", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get]}]}", roleOf + "[{apiGroups: [apps], resources: ['*/scale'], verbs: [get]}]}", ""},
		{"restrict-wildcard-resources", "all of subresources", roleOf + "[{apiGroups: [apps], resources: ['*/scale'], verbs: [get]}]}", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get]}]}", "get * apps *"},
		{"restrict-wildcard-resources", "a group that is called core", roleOf + "[{apiGroups: [core], resources: ['*'], verbs: [get]}]}", roleOf + "[{apiGroups: [''], resources: ['*'], verbs: [get]}]}", "get * core *"},
		{"restrict-wildcard-resources", "a name with spaces and stars", roleOf + "[{apiGroups: [apps], resources: ['* * *'], verbs: [get]}]}", roleOf + "[{apiGroups: [apps], resources: ['*'], verbs: [get]}]}", "get * apps *"},
		{"restrict-wildcard-verbs", "some of all resources", roleOf + "[{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}", roleOf + "[{apiGroups: [apps], resources: [deployments, deployments/scale], verbs: ['*']}]}", ""},
		{"restrict-wildcard-verbs", "paths of all", roleOf + "[{nonResourceURLs: ['*'], verbs: ['*']}]}", roleOf + "[{nonResourceURLs: [/metrics], verbs: ['*']}]}", ""},
		{"restrict-wildcard-verbs", "resources besides paths", roleOf + "[{nonResourceURLs: ['*'], verbs: ['*']}]}", roleOf + "[{apiGroups: [''], resources: [pods], verbs: ['*']}]}", "* pods core *"},
		{"restrict-wildcard-verbs", "a name with a sign in it", roleOf + "[{apiGroups: [''], resources: [pods], verbs: ['*'], resourceNames: [(a|.+)]}]}",
			roleOf + "[{apiGroups: [''], resources: [pods], verbs: ['*'], resourceNames: [b]}]}", "* pods core b"},

		{"protect-network-policies", "a rule less", netpolOf + "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}]}}", ""},
		{"protect-network-policies", "a direction less", netpolOf + "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{}], egress: [{}]}}", ""},
		{"protect-network-policies", "a direction more", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{}], egress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}", "egress * * * *"},
		{"protect-network-policies", "one port of all", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 8080}]}]}}", ""},
		{"protect-network-policies", "a port more", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 8080}]}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 8080}, {protocol: UDP, port: 53}]}]}}", "ingress * UDP 53 *"},
		{"protect-network-policies", "some Pods of all", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}", netpolOf + "{podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress], ingress: [{}]}}", ""},
		{"protect-network-policies", "all Pods", netpolOf + "{podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress], ingress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}", "ingress * * * *"},
		{"protect-network-policies", "all addresses of all peers", netpolOf + "{podSelector: {}, policyTypes: [Egress], egress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}}", ""},
		{"protect-network-policies", "all addresses but one", netpolOf + "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}}",
			netpolOf + "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]}}", ""},
		{"protect-network-policies", "all addresses with that one", netpolOf + "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]}}",
			netpolOf + "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}}", "egress * * * 0.0.0.0/0"},
		{"protect-network-policies", "a peer that is named", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}", netpolOf + "{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}}", ""},

		{"restrict-flux-sources", "a foreign source less", generatOf + "{sources: [{alias: a, kind: GitRepository, name: a, namespace: other}, {alias: b, kind: Bucket, name: b, namespace: other}]}}",
			generatOf + "{sources: [{alias: a, kind: GitRepository, name: a, namespace: other}, {alias: b, kind: Bucket, name: b, namespace: shop}]}}", ""},
		{"restrict-flux-sources", "a foreign source more", generatOf + "{sources: [{alias: a, kind: GitRepository, name: a, namespace: other}]}}",
			generatOf + "{sources: [{alias: a, kind: GitRepository, name: a, namespace: other}, {alias: b, kind: Bucket, name: b, namespace: other}]}}", "other/Bucket b *"},
		{"restrict-flux-sources", "another path of a foreign source", kustomOf + "{path: ./a, sourceRef: {kind: GitRepository, name: a, namespace: other}}}", kustomOf + "{path: ./b, sourceRef: {kind: GitRepository, name: a, namespace: other}}}", "other/GitRepository a ./b"},
		{"restrict-flux-sources", "another interval", kustomOf + "{path: ./a, interval: 1m, sourceRef: {kind: GitRepository, name: a, namespace: other}}}", kustomOf + "{path: ./a, interval: 9m, sourceRef: {kind: GitRepository, name: a, namespace: other}}}", ""},
		{"restrict-flux-sources", "a proxy less", gitOf + "proxySecretRef: {name: p}, certSecretRef: {name: c}}}", gitOf + "certSecretRef: {name: c}}}", ""},
		{"restrict-flux-sources", "another certificate", gitOf + "proxySecretRef: {name: p}, certSecretRef: {name: c}}}", gitOf + "certSecretRef: {name: d}}}", "certificates of its own"},
		{"restrict-flux-sources", "a proxy less and another branch", gitOf + "ref: {branch: a}, proxySecretRef: {name: p}, certSecretRef: {name: c}}}", gitOf + "ref: {branch: b}, certSecretRef: {name: c}}}", "certificates of its own"},

		{"restrict-nodeport", "another port of the Pods", serviceOf + "{type: NodePort, ports: [{port: 80, targetPort: 80}]}}", serviceOf + "{type: NodePort, ports: [{port: 80, targetPort: 22}]}}", "80/TCP to 22"},
		{"restrict-nodeport", "a port less", serviceOf + "{type: NodePort, ports: [{port: 80}, {port: 22}]}}", serviceOf + "{type: NodePort, ports: [{port: 80}]}}", ""},
		{"restrict-loadbalancer", "another port of the Pods", serviceOf + "{type: LoadBalancer, ports: [{port: 80, targetPort: web}]}}", serviceOf + "{type: LoadBalancer, ports: [{port: 80, targetPort: ssh}]}}", "80/TCP to ssh"},
		{"restrict-external-ips", "an address more", serviceOf + "{externalIPs: [198.51.100.1]}}", serviceOf + "{externalIPs: [198.51.100.1, 198.51.100.2]}}", "198.51.100.2"},
		{"restrict-loadbalancer", "a port more", serviceOf + "{type: LoadBalancer, ports: [{port: 80}]}}", serviceOf + "{type: LoadBalancer, ports: [{port: 80}, {port: 22}]}}", "22/TCP"},
		{"restrict-loadbalancer", "another selector", serviceOf + "{type: LoadBalancer, ports: [{port: 80}]}}", serviceOf + "{type: LoadBalancer, ports: [{port: 80}], selector: {a: b}}}", ""},
		{"restrict-ingress-wildcard", "a host more", ingressOf + "{rules: [{host: '*.a.example'}]}}", ingressOf + "{rules: [{host: '*.a.example'}, {host: '*.b.example'}]}}", "*.b.example"},
		{"require-ingress-https", "a host more", ingressOf + "{tls: [{hosts: [c.example]}], rules: [{host: a.example}]}}", ingressOf + "{tls: [{hosts: [c.example]}], rules: [{host: a.example}, {host: b.example}]}}", "b.example"},
		{"require-ingress-https", "a certificate less", ingressOf + "{tls: [{hosts: [b.example]}], rules: [{host: a.example}, {host: b.example}]}}", ingressOf + "{tls: [{hosts: [c.example]}], rules: [{host: a.example}, {host: b.example}]}}", "b.example"},
		{"require-ingress-https", "a certificate for each", ingressOf + "{tls: [{hosts: [c.example]}], rules: [{host: a.example}]}}", ingressOf + "{tls: [{hosts: ['*.example']}], rules: [{host: a.example}]}}", ""},
		{"disallow-empty-ingress-host", "a path more", ingressOf + "{rules: [{http: {paths: [{path: /a}]}}]}}", ingressOf + "{rules: [{http: {paths: [{path: /a}, {path: /}]}}]}}", ": /."},
	}
}

// TestWorse: an update adds to what is wrong, or does not.
func TestWorse(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	read := func(text string) object {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return o
	}
	for _, c := range changes() {
		t.Run(c.control+"/"+c.name, func(t *testing.T) {
			request := only(c.control, protocol.EvaluateParams{Operation: protocol.Update, Resource: encode(t, read(c.to)), OldResource: encode(t, read(c.from))})
			if strings.Contains(c.to, "ephemeralContainers") {
				request.SubResource = "ephemeralcontainers"
			}
			got := k.ask(t, in("apps", request))
			if got.Blocked != (c.names != "") || !strings.Contains(messages(got), c.names) || len(got.Results) == 0 {
				t.Errorf("refused %v, want the message to name %q: %s: %s", got.Blocked, c.names, verdict(got), messages(got))
			}
		})
	}
}
