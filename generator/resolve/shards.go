package resolve

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// maxShard is how many namespaces one layer holds: the time in which Flux
// builds a layer grows with the square of its objects, and a namespace has
// about four policies: 600 of them take half a second (make bench).
const maxShard = 150

// assignShards decides the shard of each namespace. The prior lock (nil: none)
// says where each namespace is now. It stays there, because a move between
// layers is a deletion to Flux.
func assignShards(p *plan.Plan, prior *manifest.Lock) {
	before := priorShards(prior)
	for _, env := range p.Environments {
		names := make([]string, len(env.Namespaces))
		for i, ns := range env.Namespaces {
			names[i] = ns.Name
		}
		shards := fillShards(names, before[env.Name], maxShard, len(p.OwnNamespaces()))
		for i, ns := range env.Namespaces {
			if n := shards[ns.Name]; n > 1 {
				env.Namespaces[i].Shard = n
			}
		}
	}
}

// fillShards returns a shard, counted from 1, for each name. A name keeps the
// one it had before; new names, in their order in the alphabet, fill the first
// shards that hold fewer than size. The first one holds some others already.
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

// priorShards reads from a lock in which shard each Namespace lies, by environment.
func priorShards(lock *manifest.Lock) map[string]map[string]int {
	before := map[string]map[string]int{}
	if lock == nil {
		return before
	}
	for _, f := range lock.Files {
		folder, ok := layout.Parse(f.Layer)
		if !ok || folder.Kind != layout.Namespaces {
			continue
		}
		for _, id := range f.Objects {
			if name, ok := strings.CutPrefix(id, "/Namespace//"); ok {
				if before[folder.Environment] == nil {
					before[folder.Environment] = map[string]int{}
				}
				before[folder.Environment][name] = max(1, folder.Shard)
			}
		}
	}
	return before
}
