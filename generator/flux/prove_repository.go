package flux

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
)

// codeAppliedTwice marks an output that Flux applies already.
const codeAppliedTwice = "graph-applied-twice"

// syncFile is where `flux bootstrap --path=DIR` writes the Kustomization that applies
// DIR: in DIR/NAMESPACE.
const syncFile = "gotk-sync.yaml"

// ProveRepository refuses an output that Flux applies already, by a Kustomization that
// `flux bootstrap` wrote: it would apply everything twice, the second time in no order.
// repository returns the repository in which the output has a path; nil if it is not
// known.
func ProveRepository(p *plan.Plan, repository func(output string) fs.FS) diag.List {
	var found diag.List
	done := map[string]bool{} // files with a finding: one is enough
	for _, env := range p.Environments {
		tree := repository(env.Flux.Path)
		if tree == nil {
			continue
		}
		for _, folder := range outputFolders(env) {
			for _, dir := range parents(folder) {
				file := path.Join(dir, env.Flux.Namespace, syncFile)
				if !done[file] {
					done[file] = proveSync(&found, tree, env.Flux, file, folder)
				}
			}
		}
	}
	return found.Sort()
}

// ProvePath warns of an output that is not at spec.flux.path of the source, so that no
// path that Flux is given exists there. at is the path of the output in the work tree of
// Git, with slashes; empty if it is in none. What another kind of source holds is not
// known.
func ProvePath(p *plan.Plan, at string) diag.List {
	var found diag.List
	done := map[diag.Position]bool{}
	for _, env := range p.Environments {
		if at == "" || env.Flux.SourceKind != sourcev1.GitRepositoryKind || env.Flux.Path == at || done[env.FluxPathAt] {
			continue
		}
		done[env.FluxPathAt] = true
		found.Add(diag.Diagnostic{Severity: diag.Warning, Code: "flux-path", Position: env.FluxPathAt, Path: "spec.flux.path",
			Summary: fmt.Sprintf("is ./%s, but the output is written to ./%s of this Git repository: Flux finds nothing there if this is the repository that it reads", strings.TrimPrefix(env.Flux.Path, "."), strings.TrimPrefix(at, ".")),
			Hint:    "set spec.flux.path to ./" + strings.TrimPrefix(at, ".") + ", or write to the folder that it names"})
	}
	return found.Sort()
}

// outputFolders returns what the clusters of an environment apply, in the source.
func outputFolders(env plan.Environment) []string {
	folders := []string{path.Join(env.Flux.Path, layout.Environments, env.Name)}
	for _, cluster := range env.Clusters {
		folders = append(folders, path.Join(env.Flux.Path, layout.Of(cluster).String()))
	}
	return folders
}

// parents returns a folder and those that hold it, up to the root.
func parents(folder string) []string {
	all := []string{folder}
	for folder != "." {
		folder = path.Dir(folder)
		all = append(all, folder)
	}
	return all
}

// proveSync reports the Kustomizations of a file that reach a folder, and whether there
// was something to report. A file that does not exist has none.
func proveSync(found *diag.List, tree fs.FS, f plan.Flux, file, folder string) bool {
	before := len(*found)
	data, err := fs.ReadFile(tree, file)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var objects []manifest.Object
	if err == nil {
		objects, err = manifest.Parse(data)
	}
	for _, k := range objects {
		dir := k.String("spec", "path")
		ref := manifest.Object(k.Map("spec", "sourceRef"))
		if k.Group() != groupFlux || ref.String("kind") != f.SourceKind || ref.String("name") != f.SourceName {
			continue
		}
		reached, wrong := reach.Reaches(tree, dir, folder)
		err = errors.Join(err, wrong)
		if reached {
			found.Add(diag.Diagnostic{Code: codeAppliedTwice, Position: diag.Position{File: file}, Path: "spec.path",
				Summary: fmt.Sprintf("Flux applies %s, and with it %s of the output: everything would be applied twice, and in no order", dir, folder),
				Hint:    "set spec.flux.path to a folder outside " + dir + ", or list in " + path.Join(dir, layout.Index) + " what Flux applies there"})
		}
	}
	if err != nil {
		found.Add(diag.Diagnostic{Code: codeAppliedTwice, Severity: diag.Warning, Position: diag.Position{File: file},
			Summary: fmt.Sprintf("what Flux applies of the output is not known: %v", err)})
	}
	return len(*found) > before
}
