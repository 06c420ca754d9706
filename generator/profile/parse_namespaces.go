package profile

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// reservedLabels are set by gatehouse, Flux or Pod Security Admission, or by Kubernetes itself.
var reservedLabels = []string{v1alpha1.Group + "/", "pod-security.kubernetes.io/", "kustomize.toolkit.fluxcd.io/", "kubernetes.io/metadata.name", v1alpha1.LabelManagedBy}

func (p *parser) namespaces(environments []string) {
	names := make([]string, len(p.spec.Namespaces))
	for i, n := range p.spec.Namespaces {
		field := fmt.Sprintf("spec.namespaces[%d]", i)
		names[i] = n.Name
		p.name(field+".name", n.Name, 63)
		if slices.Contains(p.out.SystemNamespaces, n.Name) {
			p.Report(field+".name", "namespace-system", "remove it: gatehouse never enforces there, and creates what it needs", "%s is a system namespace", n.Name)
		}
		tier := ""
		if len(p.spec.Tiers) > 0 {
			tier = *n.Tier
			p.known(field+".tier", "tier-unknown", "tier", tier, p.spec.Tiers)
		}
		p.distinct(field+".environments", n.Environments)
		for j, e := range n.Environments {
			p.known(fmt.Sprintf("%s.environments[%d]", field, j), "environment-unknown", "environment", e, environments)
		}
		p.labels(field+".labels", n.Labels)
		p.annotations(field+".annotations", n.Annotations)
		if *n.PodSecurity != "" {
			p.oneOf(field+".podSecurity", "pod-security", *n.PodSecurity, []string{"privileged", "baseline", "restricted"})
		}
		if !*n.Create {
			p.existing(field)
		}
		p.out.Namespaces = append(p.out.Namespaces, Namespace{
			Name: n.Name, Tier: tier, Labels: n.Labels, Annotations: n.Annotations, Existing: !*n.Create, PodSecurity: *n.PodSecurity,
			Network: p.network(field+".network", n), Field: field, At: p.Positions.At(field), environments: n.Environments,
		})
	}
	p.distinct("spec.namespaces", names)
}

func (p *parser) labels(field string, labels map[string]string) {
	for _, key := range sortedKeys(labels) {
		at := fmt.Sprintf("%s[%s]", field, key)
		p.label(at, key, labels[key])
		for _, reserved := range reservedLabels {
			if strings.HasPrefix(key, reserved) {
				p.Report(at, "label-reserved", "", "gatehouse or Kubernetes sets this label")
			}
		}
	}
}

// reservedAnnotations are set by gatehouse or Flux: they decide, for example, whether
// Flux may delete a namespace.
var reservedAnnotations = []string{v1alpha1.Group + "/", "kustomize.toolkit.fluxcd.io/"}

func (p *parser) annotations(field string, annotations map[string]string) {
	for _, key := range sortedKeys(annotations) {
		at := fmt.Sprintf("%s[%s]", field, key)
		for _, e := range validation.IsQualifiedName(strings.ToLower(key)) { // as the API server does
			p.Report(at, "annotation-invalid", "", "%q is not an annotation: %s", key, e)
		}
		for _, reserved := range reservedAnnotations {
			if strings.HasPrefix(key, reserved) {
				p.Report(at, "annotation-reserved", "", "gatehouse or Flux sets this annotation")
			}
		}
	}
}

// existing refuses what has no effect on a namespace that gatehouse does not create,
// unless overrides stop creating a namespace that the profile describes.
func (p *parser) existing(field string) {
	overridden := func(path string) bool { return strings.HasPrefix(p.Positions.Path(path), overridesField+".") }
	for _, name := range []string{"labels", "annotations", "podSecurity"} {
		at := field + "." + name
		if _, set := p.Positions.Lookup(at); set && overridden(at) == overridden(field+".create") {
			p.Report(at, "namespace-existing", "set it where the namespace is created", "has no effect: with create: false, gatehouse does not write the namespace")
		}
	}
}

// network parses the network rules. It returns nil if the profile leaves the
// namespace open.
func (p *parser) network(field string, n v1alpha1.Namespace) *plan.Network {
	if !*n.Network.DefaultDeny && (len(n.Network.Ingress) > 0 || len(n.Network.Egress) > 0) {
		p.Report(field+".defaultDeny", "network-open", "remove the rules, or defaultDeny: false", "rules have no effect without a default deny")
	}
	out := &plan.Network{DNS: *n.Network.DNS}
	for i, rule := range n.Network.Ingress {
		at := fmt.Sprintf("%s.ingress[%d]", field, i)
		out.Ingress = append(out.Ingress, p.networkRule(n.Name, at, ".from", rule.From, rule.Pods, rule.Ports))
	}
	for i, rule := range n.Network.Egress {
		at := fmt.Sprintf("%s.egress[%d]", field, i)
		out.Egress = append(out.Egress, p.networkRule(n.Name, at, ".to", rule.To, rule.Pods, rule.Ports))
	}
	if !*n.Network.DefaultDeny {
		return nil
	}
	return out
}

func (p *parser) networkRule(namespace, field, side string, peer v1alpha1.Peer, pods map[string]string, ports []string) plan.NetworkRule {
	p.selector(field+".pods", pods)
	rule := plan.NetworkRule{Pods: pods, Peer: p.peer(namespace, field+side, peer)}
	p.distinct(field+".ports", ports)
	for i, s := range ports {
		port, err := ParsePort(s)
		if err != nil {
			p.Report(fmt.Sprintf("%s.ports[%d]", field, i), "network-port", "", "%v", err)
		}
		rule.Ports = append(rule.Ports, port)
	}
	return rule
}

func (p *parser) selector(field string, labels map[string]string) {
	for _, key := range sortedKeys(labels) {
		p.label(fmt.Sprintf("%s[%s]", field, key), key, labels[key])
	}
}

// peer parses the other end of a rule. Without a namespace, it is in the namespace
// that the rule is for.
func (p *parser) peer(namespace, field string, peer v1alpha1.Peer) plan.Peer {
	p.selector(field+".pods", peer.Pods)
	out := plan.Peer{Pods: peer.Pods, Except: peer.Except}
	if peer.Namespace != nil {
		p.name(field+".namespace", *peer.Namespace, 63)
	}
	switch {
	case peer.CIDR != nil && (peer.Namespace != nil || peer.Pods != nil):
		p.Report(field, "network-peer", "", "a peer is a CIDR or Pods in a namespace, not both")
	case peer.CIDR == nil && peer.Namespace == nil && peer.Pods == nil:
		p.Report(field, "network-peer", "set namespace, pods or cidr", "an empty peer would allow everyone")
	case peer.CIDR == nil && len(peer.Except) > 0:
		p.Report(field+".except", "network-peer", "", "except needs a cidr")
	}
	switch {
	case peer.CIDR != nil:
		out.CIDR = *peer.CIDR
		for _, err := range CheckCIDR(*peer.CIDR, peer.Except) {
			p.Report(field, "network-cidr", "", "%v", err)
		}
	case peer.Namespace != nil:
		out.Namespace = *peer.Namespace
	default:
		out.Namespace = namespace
	}
	return out
}
