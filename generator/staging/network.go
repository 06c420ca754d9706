package staging

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// What the lock keeps of an environment as a whole.
const (
	keptSystemNamespace = "systemNamespace"
	keptNetwork         = "network"
)

// SystemNamespaces returns the namespaces in which nothing is enforced: those of the
// source, and those of the last build until the environment accepts that they are not.
func (e *Environment) SystemNamespaces(given []string) []string {
	all := slices.Clone(given)
	if e.prior.Kyverno == nil || e.options.Immediate {
		return all
	}
	for _, name := range e.prior.Kyverno.SystemNamespaces {
		if slices.Contains(all, name) {
			continue
		}
		since, waits := e.keptSince(keptSystemNamespace, name)
		if waits && e.acceptsSince(since) {
			e.acts = true
			continue
		}
		all = append(all, name)
		e.keep(manifest.LockedKept{Kind: keptSystemNamespace, Name: name, Since: since},
			plan.Pending{What: "namespace " + name, Effect: "is a system namespace, and then judged as any other"})
	}
	slices.Sort(all)
	return all
}

// keptSince returns the day since which the source no longer has something; today if it
// had it in the last build.
func (e *Environment) keptSince(kind, name string) (since string, waits bool) {
	for _, k := range e.prior.Kept {
		if k.Kind == kind && k.Name == name && k.Since != "" {
			return k.Since, true
		}
	}
	return e.day(), false
}

func (e *Environment) keep(k manifest.LockedKept, p plan.Pending) {
	e.Locked.Kept = append(e.Locked.Kept, k)
	p.Since = k.Since
	e.Pending = append(e.Pending, p)
}

// ClusterNetwork returns where the API server and DNS are: what the source says, and
// where the last build let Pods reach them, until the environment accepts the change.
func (e *Environment) ClusterNetwork(given plan.ClusterNetwork) plan.ClusterNetwork {
	effective := given
	for _, raw := range e.prior.Networks { // of both branches, after a merge
		var before plan.ClusterNetwork
		if e.closesSomething() && json.Unmarshal(raw, &before) == nil {
			effective = both(before, effective)
		}
	}
	if !reflect.DeepEqual(effective, given) {
		since, waits := e.keptSince(keptNetwork, "cluster")
		if e.options.Immediate || waits && e.acceptsSince(since) {
			e.acts = e.acts || waits
			effective = given
		} else {
			e.keep(manifest.LockedKept{Kind: keptNetwork, Name: "cluster", Since: since},
				plan.Pending{What: "network of the cluster", Effect: "lets Pods reach the API server and DNS also where the last build did, and then only where the source says"})
		}
	}
	e.Locked.Networks = []json.RawMessage{encode(effective)}
	return effective
}

func (e *Environment) closesSomething() bool {
	return slices.ContainsFunc(e.options.Tiers, func(tier string) bool { return e.prior.action(catalog.DefaultDeny, tier) == plan.Enforce })
}

// both returns what lets through what either lets through. Where a list of addresses is
// empty, any address passes.
func both(before, after plan.ClusterNetwork) plan.ClusterNetwork {
	addresses := func(a, b []string) []string {
		if len(a) == 0 || len(b) == 0 {
			return nil
		}
		return union(b, a)
	}
	out := after
	out.APIServer.CIDRs = addresses(before.APIServer.CIDRs, after.APIServer.CIDRs)
	out.APIServer.Callers = addresses(before.APIServer.Callers, after.APIServer.Callers)
	out.APIServer.Ports = union(after.APIServer.Ports, before.APIServer.Ports)
	former := before.FormerDNS
	if before.DNS.Namespace == after.DNS.Namespace && maps.Equal(before.DNS.Pods, after.DNS.Pods) {
		out.DNS.CIDRs = union(after.DNS.CIDRs, before.DNS.CIDRs)
		out.DNS.Ports = union(after.DNS.Ports, before.DNS.Ports)
	} else {
		former = append([]plan.DNS{before.DNS}, former...)
	}
	out.FormerDNS = union(after.FormerDNS, slices.DeleteFunc(slices.Clone(former), func(d plan.DNS) bool { return reflect.DeepEqual(d, after.DNS) }))
	return out
}

func union[T any](first, more []T) []T {
	all := slices.Clone(first)
	for _, m := range more {
		if !slices.ContainsFunc(all, func(o T) bool { return reflect.DeepEqual(o, m) }) {
			all = append(all, m)
		}
	}
	return all
}

// rules adds to the network of a closed namespace what the last build let through and
// the source does not, until the environment accepts that.
func (e *Environment) rules(n *plan.Namespace, before manifest.LockedNamespace, after *manifest.LockedNamespace) {
	after.Network = e.encodeNetwork(n.Network)
	var old plan.Network
	if !before.Closed || e.options.Immediate || bytes.Equal(before.Network, after.Network) || json.Unmarshal(before.Network, &old) != nil {
		return
	}
	all := together(*n.Network, old)
	what := waitFor(waitRules, after.Network)
	if reflect.DeepEqual(all, *n.Network) || e.acceptsWait(before, what) {
		return
	}
	e.wait(after, before, what, plan.Pending{What: "network of " + n.Name, Effect: "keeps what the source no longer lets through, and then closes it"})
	n.Network = &all
	after.Network = e.encodeNetwork(n.Network)
}

// together returns what lets through what either lets through.
func together(a, b plan.Network) plan.Network {
	return plan.Network{DNS: a.DNS || b.DNS, Ingress: union(a.Ingress, b.Ingress), Egress: union(a.Egress, b.Egress)}
}

// bothNetworks is together for what the lock has.
func bothNetworks(a, b json.RawMessage) json.RawMessage {
	var first, second plan.Network
	switch {
	case json.Unmarshal(a, &first) != nil:
		return b
	case json.Unmarshal(b, &second) != nil:
		return a
	}
	return encode(together(first, second))
}

// encodeNetwork encodes each network once: namespaces share them.
func (e *Environment) encodeNetwork(n *plan.Network) json.RawMessage {
	if e.networks[n] == nil {
		e.networks[n] = encode(n)
	}
	return e.networks[n]
}

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values always encode
	}
	return raw
}
