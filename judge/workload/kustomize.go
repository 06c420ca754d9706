package workload

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomize builds a folder as `kustomize build` does by default: no plugins, no Helm, no
// files outside the roots. The position of its objects is the folder.
func kustomize(disk filesys.FileSystem, dir string, s sink) error {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
	if err != nil {
		return problemAt(0, "kustomize-build", "", "%s", strings.Join(strings.Fields(err.Error()), " "))
	}
	for _, r := range built.Resources() {
		object, err := r.MarshalJSON()
		if err != nil {
			return fmt.Errorf("encoding %s: %w", r.CurId(), err)
		}
		if err := s.add(object, 0, header{}, func(int) int { return 0 }); err != nil {
			return err
		}
	}
	return nil
}
