package workload

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomize builds a folder as `kustomize build` does by default: no plugins, no Helm, no
// files outside the roots. The position of its objects is the folder. If ctx ends, what is
// built is dropped: kustomize cannot be stopped.
func kustomize(ctx context.Context, disk filesys.FileSystem, dir string, s sink) error {
	type result struct {
		built resmap.ResMap
		err   error
	}
	results := make(chan result, 1)
	go func() {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
		results <- result{built, err}
	}()
	var built resmap.ResMap
	var err error
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case r := <-results:
		built, err = r.built, r.err
	}
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
