package generator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// maxShard is how many namespaces one layer holds: the time in which Flux
// builds a layer grows with the square of its objects, and a namespace has
// about four policies: 600 of them take half a second (make bench).
const maxShard = 150

// shardsOf assigns the namespaces of each environment to shards and returns the
// suffix of the layers of a namespace: empty for the first shard, then -02. The
// prior lock (nil: none) says where each namespace is now. It stays there,
// because a move between layers is a deletion to Flux.
func shardsOf(p *plan.Plan, prior *manifest.Lock) func(environment, namespace string) string {
	before := priorShards(prior)
	shards := map[string]map[string]int{}
	for _, env := range p.Environments {
		names := make([]string, len(env.Namespaces))
		for i, ns := range env.Namespaces {
			names[i] = ns.Name
		}
		shards[env.Name] = assignShards(names, before[env.Name], maxShard, len(ownNamespaces(p)))
	}
	return func(environment, namespace string) string {
		if n := shards[environment][namespace]; n > 1 {
			return fmt.Sprintf("-%02d", n)
		}
		return ""
	}
}

// assignShards returns a shard, counted from 1, for each name. A name keeps the
// one it had before; new names, in their order in the alphabet, fill the first
// shards that hold fewer than size. The first one holds some others already.
func assignShards(names []string, before map[string]int, size, others int) map[string]int {
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
		environment, layer, ok := strings.Cut(strings.TrimPrefix(f.Layer, "environments/"), "/")
		number, isNamespaces := strings.CutPrefix(layer, "namespaces")
		if !ok || !isNamespaces {
			continue
		}
		n := 1
		if number != "" {
			var err error
			if n, err = strconv.Atoi(strings.TrimPrefix(number, "-")); err != nil || n < 2 {
				continue
			}
		}
		for _, id := range f.Objects {
			if name, ok := strings.CutPrefix(id, "/Namespace//"); ok {
				if before[environment] == nil {
					before[environment] = map[string]int{}
				}
				before[environment][name] = n
			}
		}
	}
	return before
}
