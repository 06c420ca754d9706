package generator

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/board"
	"github.com/gatehouse-dev/gatehouse/generator/flux"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/parallel"
	"github.com/gatehouse-dev/gatehouse/internal/schema"
)

// link gives every layer its index, builds the Flux graph over the layers, adds what no
// cluster applies, and checks what can only be checked on all files together: schemas, identity, and
// the proof of the graph.
func link(p *plan.Plan, files []manifest.File, o Options) (*Bundle, diag.List) {
	graph := flux.Build(p, files)
	graphFiles, err := graph.Files()
	if err != nil {
		panic(err) // typed objects always encode
	}
	files = append(files, board.Emit(p, chartValues(p), existing(p, graph))...)
	problems := checkObjects(slices.Concat(files, graphFiles))
	files = slices.Concat(files, graphFiles, indexes(files))
	slices.SortFunc(files, func(a, b manifest.File) int { return strings.Compare(a.Path, b.Path) })
	problems = append(problems, flux.Prove(p, graph, files, o.Prior, o.Existing)...)
	return &Bundle{Plan: p, Graph: graph, Files: files}, problems
}

// existing returns what the workloads that gatehouse does not write must wait for, by
// environment and name.
func existing(p *plan.Plan, g *flux.Graph) map[string]map[string][]string {
	all := map[string]map[string][]string{}
	for _, env := range p.Environments {
		all[env.Name] = map[string][]string{}
		for _, n := range g.Existing(env.Name) {
			all[env.Name][n.Name()] = n.WaitsFor()
		}
	}
	return all
}

// indexes returns the kustomization.yaml of each layer. Without it, Flux would
// apply every YAML file that it finds there.
func indexes(files []manifest.File) []manifest.File {
	listed := map[layout.Folder][]string{}
	for _, f := range files {
		if f.Folder.Applied() {
			listed[f.Folder] = append(listed[f.Folder], path.Base(f.Path))
		}
	}
	var out []manifest.File
	for folder, names := range listed {
		out = append(out, flux.Index(folder, names))
	}
	return out
}

// checkObjects checks every object that Flux will apply against its schema, and
// refuses two objects with the same identity in an environment. The proof of the graph
// does that for the Kustomizations of a cluster.
func checkObjects(files []manifest.File) diag.List {
	var problems diag.List
	errs := schemaErrors(files)
	seen := map[string]string{}
	for _, f := range files {
		if !applied(f) {
			continue
		}
		environment := strings.Join(strings.SplitN(f.Path, "/", 3)[:2], "/") // or cluster
		for i, o := range f.Objects {
			for _, err := range errs[&f.Objects[i]] {
				problems.Add(diag.Diagnostic{Code: "object-schema", Position: diag.Position{File: f.Path}, Path: o.Kind() + "/" + o.Name(),
					Summary: err.Error(), Hint: "made from " + f.Origin + "; a built-in control that does this is a bug of gatehouse"})
			}
			id := environment + " " + o.ID()
			if first, twice := seen[id]; twice && f.Folder.Cluster == "" {
				problems.Add(diag.Diagnostic{Code: "object-duplicate", Position: diag.Position{File: f.Path}, Path: o.Kind() + "/" + o.Name(),
					Summary: fmt.Sprintf("is also in %s", first)})
			}
			seen[id] = f.Path
		}
	}
	return problems
}

// schemaErrors checks every object once, even if several files share it.
func schemaErrors(files []manifest.File) map[*manifest.Object][]error {
	var objects []*manifest.Object
	errs := map[*manifest.Object][]error{}
	for _, f := range files {
		if !applied(f) {
			continue
		}
		for i := range f.Objects {
			if _, known := errs[&f.Objects[i]]; !known {
				errs[&f.Objects[i]] = nil
				objects = append(objects, &f.Objects[i])
			}
		}
	}
	found := make([][]error, len(objects))
	_ = parallel.Do(context.Background(), len(objects), func(i int) error { // no check fails or blocks
		found[i] = schema.Check(*objects[i])
		return nil
	})
	for i, o := range objects {
		errs[o] = found[i]
	}
	return errs
}
