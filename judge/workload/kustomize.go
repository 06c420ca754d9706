package workload

import (
	"context"
	"path"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// kustomize builds a folder with the settings of Flux: no plugins, no Helm, files from
// anywhere in the root. The position of an object is the file it comes from.
func kustomize(ctx context.Context, disk *fluxtree.Disk, dir string, s sink) error {
	built, err := fluxtree.Build(ctx, disk, dir)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return problemAt(0, fluxtree.CodeBuild, "", "%s", fluxtree.ErrorText(err, disk.Root()))
	}
	for _, b := range built {
		of := s
		if b.File != "" {
			of.file = path.Join(dir, b.File)
		}
		if b.Err != nil {
			s.problem(diag.Diagnostic{Code: "workload-kind", Position: diag.Position{File: of.file, Line: b.Line},
				Summary: b.ID + ": not a Kubernetes object: " + fluxtree.ErrorText(plain.JSONError(b.Err), "")})
			continue
		}
		if err := of.add(b.JSON, b.Line, header{}, func(int) int { return b.Line }); err != nil {
			return err
		}
	}
	return nil
}

// flux passes what the roots of a repository apply to the sink.
func flux(ctx context.Context, r *fluxtree.Repository, s sink) error {
	problems, err := r.Each(ctx, s.take)
	*s.problems = append(*s.problems, problems...)
	return err
}

// take adds an object that Flux applies.
func (s sink) take(o fluxtree.Object) error {
	s.file, s.applied, s.place = o.At.File, &o, nil
	if o.Namespace != "" {
		s.namespace = o.Namespace
	}
	return s.add(o.JSON, o.At.Line, header{}, func(int) int { return o.At.Line })
}
