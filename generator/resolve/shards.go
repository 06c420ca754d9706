package resolve

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// maxShard is the number of namespaces that one layer holds. The time that Flux
// needs to build a layer grows with the square of its objects. A namespace has about
// four policies, and 600 policies take half a second (make bench).
const maxShard = 150

// assignShards decides the shard of each namespace. The prior lock, which may be nil,
// says where each namespace is now. It stays there, because Flux deletes what moves
// to another layer.
func assignShards(p *plan.Plan, prior *manifest.Lock) {
	before := priorShards(prior)
	for _, env := range p.Environments {
		names := make([]string, len(env.Namespaces))
		for i, ns := range env.Namespaces {
			names[i] = ns.Name
		}
		shards := fillShards(names, before[env.Name], maxShard, len(p.OwnNamespaces(env)))
		for i, ns := range env.Namespaces {
			if n := shards[ns.Name]; n > 1 {
				env.Namespaces[i].Shard = n
			}
		}
	}
}

// fillShards returns the shard of each name, counted from 1. A name keeps the shard
// that it had before. New names, in alphabetical order, fill the first shards that
// hold fewer than size. others is how many other objects the first shard holds.
func fillShards(names []string, before map[string]int, size, others int) map[string]int {
	shards := make(map[string]int, len(names))
	held := map[int]int{1: others}
	var added []string
	for _, name := range names {
		if n, known := before[name]; known {
			shards[name] = n
			held[n]++
		} else {
			added = append(added, name)
		}
	}
	slices.Sort(added)
	shard := 1
	for _, name := range added {
		for held[shard] >= size {
			shard++
		}
		shards[name] = shard
		held[shard]++
	}
	return shards
}

// priorShards returns the shard of each namespace in a lock, by environment: that of
// the Namespace, or of its network or limits if gatehouse did not create it.
func priorShards(lock *manifest.Lock) map[string]map[string]int {
	before := map[string]map[string]int{}
	if lock == nil {
		return before
	}
	for _, kind := range []layout.Kind{layout.Limits, layout.Network, layout.Namespaces} { // the last one wins
		for _, f := range lock.Files {
			folder, ok := layout.Parse(f.Layer)
			if !ok || folder.Kind != kind {
				continue
			}
			if before[folder.Environment] == nil {
				before[folder.Environment] = map[string]int{}
			}
			for _, id := range f.Objects {
				if name := shardedNamespace(id); name != "" {
					before[folder.Environment][name] = max(1, folder.Shard)
				}
			}
		}
	}
	return before
}

// shardedNamespace returns the name of a Namespace, or the namespace of what is in a
// layer with it, from the id of an object; empty for other objects. All of a namespace are
// in the same shard.
func shardedNamespace(id string) string {
	if name, ok := strings.CutPrefix(id, "/Namespace//"); ok {
		return name
	}
	for _, kind := range []string{"networking.k8s.io/NetworkPolicy/", "/ResourceQuota/", "/LimitRange/"} {
		if rest, ok := strings.CutPrefix(id, kind); ok {
			name, _, _ := strings.Cut(rest, "/")
			return name
		}
	}
	return ""
}
