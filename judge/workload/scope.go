package workload

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// namespaced reports whether an object without a namespace gets the default namespace
// when it is applied. Kinds of Kubernetes and Flux that are not in the table come from
// other versions and are taken for namespaced. The scope of any other kind cannot be
// read from a file; its objects stay as they are.
func namespaced(apiVersion, kind string) bool {
	group := kinds.Group(apiVersion)
	if k, known := kinds.Find(group, kind); known {
		return k.Scope == kinds.Namespaced
	}
	kubernetes := !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
	return kubernetes || strings.HasSuffix(group, ".toolkit.fluxcd.io")
}
