package network

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// maxName is the maximal length of a label value, which should be able to hold the
// name of a policy.
const maxName = 63

// Emit returns a file for each environment and namespace in which default-deny is
// enforced: one policy that denies everything, one for DNS, and one for each rule. The
// other namespaces get nothing, because an allow rule alone closes the Pods that it
// selects. The name of a rule's policy says what it allows, and does not depend on the
// other rules. The plan must hold rules that profile.ParsePort and profile.CheckCIDR
// accept.
//
// Rules for the API server and DNS are for where [plan.ClusterNetwork] of the
// environment says. docs/network.md has what they mean for each CNI.
//
// Objects share parts, and the files of environments that share a network share its
// objects. Do not change them.
func Emit(p *plan.Plan) []manifest.File {
	emitters := map[string]*emitter{}
	var files []manifest.File
	for _, env := range p.Environments {
		where := hash(env.Network)
		if emitters[where] == nil {
			emitters[where] = newEmitter(env.Network)
		}
		e := emitters[where]
		for _, ns := range env.Namespaces {
			if env.Closes(ns) != plan.Enforce {
				continue
			}
			folder := layout.Folder{Environment: env.Name, Kind: layout.Network, Shard: ns.Shard}
			files = append(files, manifest.File{
				Path: folder.File(ns.Name), Folder: folder, Origin: ns.At.File, Objects: e.shared(ns),
			})
		}
	}
	return files
}

// emitter makes equal specs once, for clusters with equal networks. The namespaces of a
// fleet are much alike, and their policies would not fit into the memory of a small
// machine otherwise.
type emitter struct {
	where  plan.ClusterNetwork
	labels map[string]any
	specs  map[string]map[string]any
	byUse  map[use][]manifest.Object
}

// use is the use of a network by a namespace, which may be in many environments.
type use struct {
	namespace string
	network   *plan.Network
}

func newEmitter(where plan.ClusterNetwork) *emitter {
	return &emitter{
		where:  where,
		labels: map[string]any{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		specs:  map[string]map[string]any{},
		byUse:  map[use][]manifest.Object{},
	}
}

func (e *emitter) shared(ns plan.Namespace) []manifest.Object {
	key := use{ns.Name, ns.Network}
	if e.byUse[key] == nil {
		e.byUse[key] = e.policies(ns)
	}
	return e.byUse[key]
}

func (e *emitter) policies(ns plan.Namespace) []manifest.Object {
	objects := []manifest.Object{e.policy(ns.Name, "default-deny", e.spec("default-deny", func() map[string]any {
		return spec(nil, "Ingress", "Egress")
	}))}
	if ns.Network.DNS {
		objects = append(objects, e.policy(ns.Name, "allow-dns", e.spec("allow-dns", e.dns)))
	}
	objects = append(objects, e.allows(ns.Name, "ingress", "from", ns.Network.Ingress)...)
	return append(objects, e.allows(ns.Name, "egress", "to", ns.Network.Egress)...)
}

// allows returns one policy for each distinct rule of a direction.
func (e *emitter) allows(namespace, direction, side string, rules []plan.NetworkRule) []manifest.Object {
	type named struct {
		rule       plan.NetworkRule
		hash, name string
		complete   bool
	}
	var distinct []named
	seen := map[string]bool{}
	alike := map[string]int{} // rules that share a readable name
	for _, r := range rules {
		n := named{rule: r, hash: hash(r)}
		if seen[n.hash] {
			continue
		}
		seen[n.hash] = true
		n.name, n.complete = readable(direction, side, r)
		alike[n.name]++
		distinct = append(distinct, n)
	}
	var objects []manifest.Object
	for _, n := range distinct {
		name := n.name
		if !n.complete || len(name) > maxName || alike[name] > 1 {
			name = strings.TrimRight(name[:min(len(name), maxName-9)], "-.") + "-" + n.hash[:8]
		}
		objects = append(objects, e.policy(namespace, name, e.spec(direction+n.hash, func() map[string]any {
			return e.allow(direction, side, n.rule)
		})))
	}
	return objects
}

func (e *emitter) spec(key string, build func() map[string]any) map[string]any {
	if e.specs[key] == nil {
		e.specs[key] = build()
	}
	return e.specs[key]
}

func (e *emitter) policy(namespace, name string, spec map[string]any) manifest.Object {
	return manifest.Object{
		"apiVersion": "networking.k8s.io/v1",
		"kind":       "NetworkPolicy",
		"metadata":   map[string]any{"name": name, "namespace": namespace, "labels": e.labels},
		"spec":       spec,
	}
}

var notInName = regexp.MustCompile(`[^a-z0-9.]+`)

// readable returns a name such as allow-ingress-from-ingress-nginx-8080-tcp, and
// reports whether the name describes the complete rule.
func readable(direction, side string, r plan.NetworkRule) (name string, complete bool) {
	parts := []string{"allow", direction, side}
	whole := r.Pods == nil && r.Peer.Pods == nil && len(r.Peer.Except) == 0
	switch {
	case r.Peer.CIDR != "":
		parts = append(parts, r.Peer.CIDR)
	case r.Peer.Namespace != "":
		parts = append(parts, r.Peer.Namespace)
	case r.Peer.NamespaceLabels != nil:
		parts, whole = append(parts, "namespaces"), false
	case r.Peer.AnyNamespace:
		parts = append(parts, "any-namespace")
	case r.Peer.APIServer:
		parts = append(parts, "api-server")
	case r.Peer.Anywhere:
		parts = append(parts, "anywhere")
	}
	if r.Peer.Pods != nil {
		parts = append(parts, "pods")
	}
	for _, p := range r.Ports {
		switch {
		case p.Name != "":
			parts = append(parts, p.Name, p.Protocol)
		case p.End != 0:
			parts = append(parts, fmt.Sprintf("%d-%d", p.Number, p.End), p.Protocol)
		default:
			parts = append(parts, fmt.Sprint(p.Number), p.Protocol)
		}
	}
	name = notInName.ReplaceAllString(strings.ToLower(strings.Join(parts, "-")), "-")
	return strings.TrimRight(name, "-."), whole
}

// hash returns a hash of everything in a value.
func hash(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func spec(pods map[string]string, types ...any) map[string]any {
	return map[string]any{"podSelector": selector(pods), "policyTypes": types}
}

// dns returns the spec of the policy for look-ups: at Pods, and at addresses, which no
// Pod selector covers.
func (e *emitter) dns() map[string]any {
	var rules []any
	for _, at := range append([]plan.DNS{e.where.DNS}, e.where.FormerDNS...) {
		rule := plan.NetworkRule{Peer: plan.Peer{Namespace: at.Namespace, Pods: at.Pods}, Ports: at.Ports}
		rules = append(rules, e.allow("egress", "to", rule)["egress"].([]any)...)
		if len(at.CIDRs) > 0 {
			rules = append(rules, map[string]any{"to": blocks(at.CIDRs), "ports": ports(at.Ports)})
		}
	}
	s := spec(nil, "Egress")
	s["egress"] = rules
	return s
}

// allow returns the spec of a policy with one rule. Without peers, a rule is for
// everyone.
func (e *emitter) allow(direction, side string, r plan.NetworkRule) map[string]any {
	s := spec(r.Pods, strings.ToUpper(direction[:1])+direction[1:])
	if r.Peer.APIServer && len(r.Ports) == 0 {
		r.Ports = e.where.APIServer.Ports
	}
	rule := map[string]any{}
	if peers := e.peers(side, r.Peer); len(peers) > 0 {
		rule[side] = peers
	}
	if len(r.Ports) > 0 {
		rule["ports"] = ports(r.Ports)
	}
	s[direction] = []any{rule}
	return s
}

// peers returns the peers of a rule; none for everyone. If the addresses of the API
// server are not known, its rules are for everyone: Cilium gives nodes an identity, and
// no block of addresses covers them then, not even 0.0.0.0/0. The ports limit such a
// rule.
func (e *emitter) peers(side string, p plan.Peer) []any {
	switch {
	case p.Anywhere:
		return nil
	case p.APIServer && side == "from":
		return blocks(e.where.APIServer.Callers)
	case p.APIServer:
		return blocks(e.where.APIServer.CIDRs)
	}
	return []any{peer(p)}
}

func blocks(cidrs []string) []any {
	var out []any
	for _, cidr := range cidrs {
		out = append(out, map[string]any{"ipBlock": map[string]any{"cidr": cidr}})
	}
	return out
}

// selector returns a label selector. Without labels, it selects everything.
func selector(labels map[string]string) map[string]any {
	if len(labels) == 0 {
		return map[string]any{}
	}
	match := map[string]any{}
	for k, v := range labels {
		match[k] = v
	}
	return map[string]any{"matchLabels": match}
}

// peer returns a peer of a rule. It names a namespace by a label that only the API
// server can set.
func peer(p plan.Peer) map[string]any {
	if p.CIDR != "" {
		block := map[string]any{"cidr": p.CIDR}
		if len(p.Except) > 0 {
			except := make([]any, len(p.Except))
			for i, e := range p.Except {
				except[i] = e
			}
			block["except"] = except
		}
		return map[string]any{"ipBlock": block}
	}
	out := map[string]any{}
	switch {
	case p.Namespace != "":
		out["namespaceSelector"] = selector(map[string]string{"kubernetes.io/metadata.name": p.Namespace})
	case p.NamespaceLabels != nil || p.AnyNamespace:
		out["namespaceSelector"] = selector(p.NamespaceLabels)
	}
	if p.Pods != nil || len(out) == 0 {
		out["podSelector"] = selector(p.Pods)
	}
	return out
}

func ports(ps []plan.Port) []any {
	out := make([]any, len(ps))
	for i, p := range ps {
		out[i] = port(p)
	}
	return out
}

func port(p plan.Port) map[string]any {
	out := map[string]any{"protocol": p.Protocol}
	if p.Name != "" {
		out["port"] = p.Name
		return out
	}
	out["port"] = int64(p.Number)
	if p.End != 0 {
		out["endPort"] = int64(p.End)
	}
	return out
}
