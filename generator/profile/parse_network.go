package profile

import (
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// clusterNetwork parses where a cluster has the API server and DNS.
func (r *reporter) clusterNetwork(field string, n v1alpha1.ClusterNetwork) plan.ClusterNetwork {
	out := plan.ClusterNetwork{
		APIServer: plan.APIServer{CIDRs: n.APIServer.Addresses, Callers: n.APIServer.Callers, Ports: r.ports(field+".apiServer.ports", n.APIServer.Ports)},
		DNS: plan.DNS{
			Namespace: *n.DNS.Namespace, Pods: n.DNS.Pods, CIDRs: n.DNS.Addresses, Ports: r.ports(field+".dns.ports", n.DNS.Ports),
		},
	}
	r.name(field+".dns.namespace", out.DNS.Namespace, 63)
	r.selector(field+".dns.pods", out.DNS.Pods)
	r.cidrs(field+".apiServer.addresses", out.APIServer.CIDRs)
	r.cidrs(field+".apiServer.callers", out.APIServer.Callers)
	r.cidrs(field+".dns.addresses", out.DNS.CIDRs)
	for at, ports := range map[string][]plan.Port{".apiServer.ports": out.APIServer.Ports, ".dns.ports": out.DNS.Ports} {
		for i, port := range ports {
			if port.Name != "" {
				r.Report(fmt.Sprintf("%s%s[%d]", field, at, i), "network-port", "write its number", "an address has no port named %q", port.Name)
			}
		}
	}
	return out
}

func (r *reporter) cidrs(field string, cidrs []string) {
	r.distinct(field, cidrs)
	for i, cidr := range cidrs {
		for _, err := range CheckCIDR(cidr, nil) {
			r.Report(fmt.Sprintf("%s[%d]", field, i), "network-cidr", "", "%v", err)
		}
	}
}

// network parses the network rules of a namespace. It returns nil if the profile leaves
// the namespace open.
func (p *parser) network(field string, n v1alpha1.Namespace) *plan.Network {
	given := n.Network
	if !*given.DefaultDeny && len(given.Ingress)+len(given.Egress)+len(given.Webhooks) > 0 {
		p.Report(field+".defaultDeny", "network-open", "remove the rules, or defaultDeny: false", "rules have no effect without a default deny")
	}
	out := &plan.Network{DNS: *given.DNS}
	for i, rule := range given.Ingress {
		at := fmt.Sprintf("%s.ingress[%d]", field, i)
		parsed := p.networkRule(n.Name, at, ".from", rule.From, rule.Pods, rule.Ports)
		if parsed.Peer.APIServer && len(rule.Ports) == 0 {
			p.Report(at, "network-peer", "set the ports that it calls", "a rule from the API server needs ports: where it calls from is often not known, and everyone would be let in")
		}
		out.Ingress = append(out.Ingress, parsed)
	}
	if webhooks := p.ports(field+".webhooks", given.Webhooks); len(webhooks) > 0 {
		out.Ingress = append(out.Ingress, plan.NetworkRule{Peer: plan.Peer{APIServer: true}, Ports: webhooks})
	}
	for i, rule := range given.Egress {
		at := fmt.Sprintf("%s.egress[%d]", field, i)
		out.Egress = append(out.Egress, p.networkRule(n.Name, at, ".to", rule.To, rule.Pods, rule.Ports))
	}
	if !*given.DefaultDeny {
		return nil
	}
	return out
}

func (p *parser) networkRule(namespace, field, side string, peer v1alpha1.Peer, pods map[string]string, ports []string) plan.NetworkRule {
	p.selector(field+".pods", pods)
	return plan.NetworkRule{Pods: pods, Peer: p.peer(namespace, field+side, peer), Ports: p.ports(field+".ports", ports)}
}

func (r *reporter) ports(field string, given []string) []plan.Port {
	r.distinct(field, given)
	var ports []plan.Port
	for i, s := range given {
		port, err := ParsePort(s)
		if err != nil {
			r.Report(fmt.Sprintf("%s[%d]", field, i), "network-port", "", "%v", err)
		}
		ports = append(ports, port)
	}
	return ports
}

func (r *reporter) selector(field string, labels map[string]string) {
	for _, key := range sortedKeys(labels) {
		r.label(fmt.Sprintf("%s[%s]", field, key), key, labels[key])
	}
}

// codePeerNamespace marks a peer in a namespace that the profile does not know.
const codePeerNamespace = "network-namespace"

// peer parses the other end of a rule. Without a namespace, it is in the namespace
// that the rule is for.
func (p *parser) peer(namespace, field string, peer v1alpha1.Peer) plan.Peer {
	p.selector(field+".pods", peer.Pods)
	p.selector(field+".namespaceLabels", peer.NamespaceLabels)
	if peer.Namespace != nil {
		p.name(field+".namespace", *peer.Namespace, 63)
		p.knownNamespace(field+".namespace", codePeerNamespace, *peer.Namespace)
	}
	p.peerKind(field, peer)
	out := plan.Peer{
		Pods: peer.Pods, Except: peer.Except, NamespaceLabels: peer.NamespaceLabels,
		AnyNamespace: peer.AnyNamespace != nil, APIServer: peer.APIServer != nil, Anywhere: peer.Anywhere != nil,
	}
	switch {
	case peer.CIDR != nil:
		out.CIDR = *peer.CIDR
		for _, err := range CheckCIDR(*peer.CIDR, peer.Except) {
			p.Report(field, "network-cidr", "", "%v", err)
		}
	case peer.Namespace != nil:
		out.Namespace = *peer.Namespace
	case len(peerKinds(peer)) == 0:
		out.Namespace = namespace
	}
	return out
}

// peerKinds returns the fields that are set of those that exclude each other.
func peerKinds(peer v1alpha1.Peer) []string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"namespace", peer.Namespace != nil}, {"namespaceLabels", peer.NamespaceLabels != nil}, {"anyNamespace", peer.AnyNamespace != nil},
		{"cidr", peer.CIDR != nil}, {"apiServer", peer.APIServer != nil}, {"anywhere", peer.Anywhere != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

// peerKind checks that a peer is of one kind, and has only what that kind can have.
func (p *parser) peerKind(field string, peer v1alpha1.Peer) {
	const code = "network-peer"
	kinds := peerKinds(peer)
	for name, value := range map[string]*bool{".anyNamespace": peer.AnyNamespace, ".apiServer": peer.APIServer, ".anywhere": peer.Anywhere} {
		if value != nil && !*value {
			p.Report(field+name, code, "leave it out", "only true is allowed")
		}
	}
	switch {
	case len(kinds) > 1:
		p.Report(field, code, "write one rule for each", "a peer is of one kind, not %s", strings.Join(kinds, " and "))
	case len(kinds) == 0 && peer.Pods == nil:
		p.Report(field, code, "set namespace, namespaceLabels, anyNamespace, pods, cidr, apiServer or anywhere", "an empty peer would allow everyone")
	case peer.NamespaceLabels != nil && len(peer.NamespaceLabels) == 0:
		p.Report(field+".namespaceLabels", code, "write anyNamespace: true if this is meant", "no labels would select every namespace")
	}
	if peer.Pods != nil && (peer.CIDR != nil || peer.APIServer != nil || peer.Anywhere != nil) {
		p.Report(field+".pods", code, "", "pods need a namespace, namespaceLabels or anyNamespace")
	}
	if peer.CIDR == nil && len(peer.Except) > 0 {
		p.Report(field+".except", code, "", "except needs a cidr")
	}
}
