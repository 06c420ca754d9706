package flux

import (
	"fmt"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// BenchmarkProve is one environment with 10,000 namespaces in 40 shards.
func BenchmarkProve(b *testing.B) {
	var files []manifest.File
	for shard := 1; shard <= 40; shard++ {
		suffix := ""
		if shard > 1 {
			suffix = fmt.Sprintf("-%02d", shard)
		}
		var namespaces, policies []manifest.Object
		for i := range 250 {
			name := fmt.Sprintf("team-%02d-%03d", shard, i)
			namespaces = append(namespaces, namespace(name))
			policies = append(policies, object("networking.k8s.io/v1", "NetworkPolicy", name, "default-deny"))
		}
		files = append(files, layerFiles("environments/prod/namespaces"+suffix, namespaces...)...)
		files = append(files, layerFiles("environments/prod/network"+suffix, policies...)...)
	}
	files = append(files, join(newLayers(), "namespaces", "namespaces-02", "network", "network-02")...)
	p := newPlan()
	for b.Loop() {
		if found := Prove(p, Build(p, files), files, nil, nil); len(found) > 0 {
			b.Fatal(found)
		}
	}
}
