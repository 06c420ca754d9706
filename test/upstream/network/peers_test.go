package network

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/gatehouse-dev/gatehouse/generator"
)

// source has a namespace with a rule for each kind of peer, each on a port of its own,
// and namespaces that are not closed. The API server is known in prod:
// Pods reach it at one address, and it calls them from another one.
const source = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  network: {dns: {addresses: [169.254.20.10/32]}}
  namespaces:
    - name: shop
      tier: platform
      network:
        webhooks: [9443/TCP]
        ingress:
          - {from: {namespace: edge}, ports: [1001/TCP]}
          - {from: {namespace: edge, pods: {app: proxy}}, ports: [1002/TCP]}
          - {from: {namespaceLabels: {team: a}}, ports: [1003/TCP]}
          - {from: {namespaceLabels: {team: a}, pods: {app: proxy}}, ports: [1004/TCP]}
          - {from: {anyNamespace: true}, ports: [1005/TCP]}
          - {from: {pods: {app: db}}, ports: [1006/TCP]}
          - {from: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}, ports: [1007/TCP]}
          - {from: {anywhere: true}, ports: [1008-1009/TCP]}
          - {from: {anywhere: true}, pods: {app: other}, ports: [1010/TCP]}
        egress:
          - {to: {namespace: edge}, ports: [1001/TCP]}
          - {to: {namespace: edge, pods: {app: proxy}}, ports: [1002/TCP]}
          - {to: {namespaceLabels: {team: a}}, ports: [1003/TCP]}
          - {to: {namespaceLabels: {team: a}, pods: {app: proxy}}, ports: [1004/TCP]}
          - {to: {anyNamespace: true}, ports: [1005/TCP]}
          - {to: {pods: {app: db}}, ports: [1006/TCP]}
          - {to: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}, ports: [1007/TCP]}
          - {to: {anywhere: true}, ports: [1008-1009/TCP]}
          - {to: {anywhere: true}, pods: {app: other}, ports: [1010/TCP]}
          - {to: {apiServer: true}}
    - {name: silent, tier: platform}
    - {name: mute, tier: platform, network: {dns: false}}
    - {name: open, tier: platform, network: {defaultDeny: false}}
    - {name: audited, tier: apps, network: {ingress: [{from: {namespace: edge}}]}}
---
kind: Environment
metadata: {name: prod}
spec:
  ring: 1
  stage: enforce-platform
  allowSkip: true
  overrides: {network: {apiServer: {addresses: [10.8.0.10/32], ports: [6443/TCP], callers: [10.8.0.99/32]}}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: enforce-platform, allowSkip: true}
`

// policies returns the NetworkPolicies of an environment.
func policies(t *testing.T, environment string) *matcher.Policy {
	t.Helper()
	bundle, problems := generator.Compile(fstest.MapFS{"all.yaml": {Data: []byte(source)}}, ".", generator.Options{Now: time.Unix(0, 0)})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	var found []*networkingv1.NetworkPolicy
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if f.Folder.Environment != environment || o.Kind() != "NetworkPolicy" {
				continue
			}
			raw, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			var typed networkingv1.NetworkPolicy
			if err := json.Unmarshal(raw, &typed); err != nil {
				t.Fatal(err)
			}
			found = append(found, &typed)
		}
	}
	return matcher.BuildNetworkPolicies(false, found)
}

func pod(namespace, app, ip string, labels map[string]string) *matcher.TrafficPeer {
	all := map[string]string{"kubernetes.io/metadata.name": namespace}
	maps.Copy(all, labels)
	return &matcher.TrafficPeer{IP: ip, Internal: &matcher.InternalPeer{
		Namespace: namespace, NamespaceLabels: all, PodLabels: map[string]string{"app": app, "k8s-app": app},
	}}
}

// others returns whom the Pods of a namespace talk to, by name.
func others() map[string]*matcher.TrafficPeer {
	teamA := map[string]string{"team": "a"}
	return map[string]*matcher.TrafficPeer{
		"edge/proxy":        pod("edge", "proxy", "10.244.1.1", nil),
		"edge/web":          pod("edge", "web", "10.244.1.2", nil),
		"team-a/proxy":      pod("team-a", "proxy", "10.244.1.3", teamA),
		"team-a/web":        pod("team-a", "web", "10.244.1.4", teamA),
		"elsewhere/db":      pod("elsewhere", "db", "10.244.1.5", nil),
		"shop/db":           pod("shop", "db", "10.244.1.6", nil),
		"kube-dns":          pod("kube-system", "kube-dns", "10.244.1.7", nil),
		"kube-system/proxy": pod("kube-system", "proxy", "10.244.1.8", nil),
		"node-local DNS":    {IP: "169.254.20.10"},
		"API server":        {IP: "10.8.0.10"},
		"its caller":        {IP: "10.8.0.99"},
		"block":             {IP: "192.0.2.7"},
		"excepted block":    {IP: "192.0.2.200"},
		"internet":          {IP: "198.51.100.1"},
	}
}

// reach returns who reaches a Pod of a namespace, or whom it reaches, as "who port".
func reach(p *matcher.Policy, namespace, app string, ingress bool) []string {
	self := pod(namespace, app, "10.244.0.1", nil)
	var out []string
	for name, other := range others() {
		for _, port := range []int{53, 443, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 6443, 9443} {
			for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
				traffic := matcher.Traffic{Source: self, Destination: other, ResolvedPort: port, Protocol: protocol}
				if ingress {
					traffic.Source, traffic.Destination = other, self
				}
				if p.IsIngressOrEgressAllowed(&traffic, ingress).IsAllowed() {
					out = append(out, fmt.Sprintf("%s %d/%s", name, port, protocol))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// everyone returns all others with each of the ports.
func everyone(ports ...string) []string {
	var out []string
	for name := range others() {
		for _, port := range ports {
			out = append(out, name+" "+port)
		}
	}
	return out
}

// peers returns what the rules of source allow in either direction, without DNS and the
// API server.
func peers() []string {
	out := append(everyone("1008/TCP", "1009/TCP"),
		"edge/proxy 1001/TCP", "edge/web 1001/TCP",
		"edge/proxy 1002/TCP",
		"team-a/proxy 1003/TCP", "team-a/web 1003/TCP",
		"team-a/proxy 1004/TCP",
		"shop/db 1006/TCP",
		"block 1007/TCP",
	)
	for _, name := range []string{"edge/proxy", "edge/web", "team-a/proxy", "team-a/web", "elsewhere/db", "shop/db", "kube-dns", "kube-system/proxy"} {
		out = append(out, name+" 1005/TCP")
	}
	return out
}

var dns = []string{"kube-dns 53/TCP", "kube-dns 53/UDP", "node-local DNS 53/TCP", "node-local DNS 53/UDP"}

func TestReach(t *testing.T) {
	known, unknown := policies(t, "prod"), policies(t, "dev")
	for name, tt := range map[string]struct {
		policies       *matcher.Policy
		namespace, app string
		ingress        bool
		want           []string
	}{
		"in, the API server is known":     {known, "shop", "web", true, append(peers(), "its caller 9443/TCP")},
		"in, it is not":                   {unknown, "shop", "web", true, append(peers(), everyone("9443/TCP")...)},
		"in, to other Pods":               {known, "shop", "other", true, append(append(peers(), "its caller 9443/TCP"), everyone("1010/TCP")...)},
		"out, the API server is known":    {known, "shop", "web", false, slices.Concat(peers(), dns, []string{"API server 6443/TCP"})},
		"out, it is not":                  {unknown, "shop", "web", false, slices.Concat(peers(), dns, everyone("443/TCP", "6443/TCP"))},
		"out, of other Pods":              {known, "shop", "other", false, slices.Concat(peers(), dns, []string{"API server 6443/TCP"}, everyone("1010/TCP"))},
		"in, without rules":               {known, "silent", "web", true, nil},
		"out, without rules":              {known, "silent", "web", false, dns},
		"out, without rules and DNS":      {known, "mute", "web", false, nil},
		"in, left open":                   {known, "open", "web", true, all()},
		"out, left open":                  {known, "open", "web", false, all()},
		"in, below Enforce, with a rule":  {known, "audited", "web", true, all()},
		"out, below Enforce, with a rule": {known, "audited", "web", false, all()},
	} {
		t.Run(name, func(t *testing.T) {
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, reach(tt.policies, tt.namespace, tt.app, tt.ingress)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// all returns everyone with every port.
func all() []string { return reach(matcher.NewPolicy(), "open", "web", true) }
