package profile

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// networkLints warns of what a closed namespace will miss. The rules may be right, so
// nothing is refused.
func (p *parser) networkLints() {
	known := wellKnown()
	for _, n := range p.out.Namespaces {
		if n.Network == nil || !p.mayClose(n.Tier) {
			continue
		}
		field := n.Field + ".network"
		p.serviceAddress(field, n.Network.Egress)
		p.metadataReachable(field, n.Network.Egress)
		of, ok := known[n.Name]
		if !ok {
			continue
		}
		if of.webhook != 0 && !p.letsIn(n.Network.Ingress, of.webhook) {
			p.Warn(n.Field, "webhook-unreachable", fmt.Sprintf("add webhooks: [%d/TCP], or the port that they listen on", of.webhook),
				"the API server cannot call the webhooks of %s: no rule lets it in", n.Name)
		}
		if !p.letsOut(n.Network.Egress) {
			p.Warn(n.Field, "api-server-unreachable", "add {to: {apiServer: true}} to egress",
				"what runs in %s needs the API server: no rule lets it out", n.Name)
		}
	}
}

// mayClose reports whether default-deny can be enforced for a tier at some stage.
func (p *parser) mayClose(tier string) bool {
	i := slices.IndexFunc(p.out.Controls, func(c Control) bool { return c.ID == catalog.DefaultDeny })
	if i < 0 || p.out.Controls[i].MaxStage < 0 { // off, or an unknown stage
		return false
	}
	return p.src.Stages[p.out.Controls[i].MaxStage].Actions[tier] == plan.Enforce
}

// workloads says what is known of the workloads that usually run in a namespace: they
// use the API server, and it calls them on the port webhook, or not if that is 0.
type workloads struct{ webhook int32 }

// wellKnown returns what runs in the namespaces that the installation of these projects
// uses, with the container ports of their webhooks.
func wellKnown() map[string]workloads {
	return map[string]workloads{
		"argocd": {}, "cattle-system": {9443}, "cert-manager": {10250}, "cnpg-system": {9443}, "crossplane-system": {9443},
		"elastic-system": {9443}, "external-dns": {}, "external-secrets": {10250}, "gatekeeper-system": {8443},
		"ingress-nginx": {8443}, "istio-system": {15017}, "karpenter": {}, "keda": {9443}, "knative-serving": {8443},
		"kubevirt": {8443}, "linkerd": {8443}, "longhorn-system": {9502}, "metallb-system": {9443}, "monitoring": {10250},
		"opentelemetry-operator-system": {9443}, "velero": {},
	}
}

// letsIn reports whether a rule lets the API server call a port. A rule for the API
// server counts with any port: its author knows the port.
func (p *parser) letsIn(rules []plan.NetworkRule, port int32) bool {
	return slices.ContainsFunc(rules, func(r plan.NetworkRule) bool {
		return r.Peer.APIServer || holds(r.Peer, p.out.Network.APIServer.Callers) && covers(r.Ports, port)
	})
}

// letsOut reports whether a rule lets Pods connect to the API server.
func (p *parser) letsOut(rules []plan.NetworkRule) bool {
	at := p.out.Network.APIServer
	return slices.ContainsFunc(rules, func(r plan.NetworkRule) bool {
		return r.Peer.APIServer || holds(r.Peer, at.CIDRs) && slices.ContainsFunc(at.Ports, func(port plan.Port) bool {
			return covers(r.Ports, port.Number)
		})
	})
}

// holds reports whether a peer that does not name the API server may hold it: everyone,
// and a block with one of its addresses, or any block if they are not known.
func holds(peer plan.Peer, known []string) bool {
	block, err := netip.ParsePrefix(peer.CIDR)
	if err != nil {
		return peer.Anywhere
	}
	return len(known) == 0 || slices.ContainsFunc(known, func(cidr string) bool {
		address, err := netip.ParsePrefix(cidr)
		return err == nil && block.Overlaps(address)
	})
}

// covers reports whether ports include a TCP port. The number of a named port is not
// known, so it counts.
func covers(ports []plan.Port, number int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p plan.Port) bool {
		return p.Protocol == "TCP" && (p.Name != "" || p.Number <= number && number <= max(p.Number, p.End))
	})
}

// serviceAddress warns of a rule to the address that the API server usually has inside
// a cluster: the first of the Services.
func (p *parser) serviceAddress(field string, egress []plan.NetworkRule) {
	for i, r := range egress {
		if firstOfServices(r.Peer.CIDR) && covers(r.Ports, 443) {
			p.Warn(fmt.Sprintf("%s.egress[%d].to.cidr", field, i), "api-server-service-address", "write to: {apiServer: true}",
				"%s looks like the Service of the API server: most CNIs compare the address behind it", r.Peer.CIDR)
		}
	}
}

// firstOfServices reports whether a block is one address that ends in 1, in a range that
// clusters use for Services: private ones, and the one of GKE.
func firstOfServices(cidr string) bool {
	block, err := netip.ParsePrefix(cidr)
	if err != nil || !block.IsSingleIP() {
		return false
	}
	bytes := block.Addr().AsSlice()
	gke := netip.MustParsePrefix("34.118.224.0/20")
	shared := netip.MustParsePrefix("100.64.0.0/10")
	return bytes[len(bytes)-1] == 1 && (block.Addr().IsPrivate() || gke.Contains(block.Addr()) || shared.Contains(block.Addr()))
}
