package proof_test

import (
	"flag"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var (
	randomObjects = flag.Int("objects", 400, "how many random objects to ask about")
	randomSeed    = flag.Uint64("seed", 1, "seed of the random objects; 0 takes the clock")
)

// seedOf is the seed of what is random in a test, which it logs.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("from -seed %d", seed)
	return seed
}

// volumeSources are the fields of a volume that say where it comes from.
func volumeSources() []string {
	var names []string
	for field := range reflect.TypeFor[corev1.VolumeSource]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
