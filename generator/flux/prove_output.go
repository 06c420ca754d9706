package flux

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// checkApplied requires a node for each layer in each cluster of its environment,
// and a layer for each node.
func checkApplied(p *proof) {
	for _, env := range p.plan.Environments {
		for _, name := range env.Clusters {
			applied := map[layout.Folder]bool{}
			for _, c := range p.clusters {
				for _, n := range c.nodes {
					applied[n.Folder] = applied[n.Folder] || c.name == name
				}
			}
			for folder := range p.contents {
				if folder.Environment == env.Name && !applied[folder] {
					p.list.Add(diag.Diagnostic{Code: codeUnapplied, Summary: fmt.Sprintf("cluster %s: no Kustomization applies %s", name, folder)})
				}
			}
		}
	}
	for i := range p.graph.Nodes {
		if n := &p.graph.Nodes[i]; n.Folder.Applied() && p.contents[n.Folder] == nil {
			p.report(n, codeUnapplied, "", "applies %s, which has no objects", n.Folder)
		}
	}
}

// appliedDirs returns the folders of the output that Flux applies as a whole, with
// the names that the index of each lists; nil for a folder without an index.
func (p *proof) appliedDirs() map[layout.Folder]map[string]bool {
	dirs := map[layout.Folder]map[string]bool{}
	for i := range p.graph.Nodes {
		if n := &p.graph.Nodes[i]; n.Folder.Applied() {
			dirs[n.Folder] = nil
		}
	}
	for _, f := range p.files {
		if f.Folder.Applied() && f.Path == f.Folder.Index() && len(f.Objects) == 1 {
			dirs[f.Folder] = listed(f.Objects[0])
		}
	}
	return dirs
}

// listed returns the resources of an index; never nil.
func listed(index manifest.Object) map[string]bool {
	names := map[string]bool{}
	for _, name := range index.Strings("resources") {
		names[name] = true
	}
	return names
}

// checkIndexes requires that each applied folder has an index that lists all its
// files and nothing else.
func checkIndexes(p *proof) {
	dirs := p.appliedDirs()
	written := map[string]bool{}
	for _, f := range p.files {
		written[f.Path] = true
	}
	for dir, names := range dirs {
		if names == nil {
			p.indexError(dir, "has no %s: Flux would apply every YAML file below it", layout.Index)
		}
		for name := range names {
			if !written[path.Join(dir.String(), name)] {
				p.indexError(dir, "lists %s, which does not exist", name)
			}
		}
	}
	for _, f := range p.files {
		names := dirs[f.Folder]
		if names == nil || f.Path == f.Folder.Index() {
			continue
		}
		name, inside := strings.CutPrefix(f.Path, f.Folder.String()+"/")
		if !inside || !names[name] {
			p.indexError(f.Folder, "does not list %s", f.Path)
		}
	}
}

func (p *proof) indexError(dir layout.Folder, format string, args ...any) {
	p.list.Add(diag.Diagnostic{Code: codeIndex, Summary: dir.String() + " " + fmt.Sprintf(format, args...)})
}

// checkStray looks for YAML in applied folders that gatehouse did not write. Flux
// skips what the index does not list, but a second index stops the whole layer.
func checkStray(p *proof) {
	dirs := p.appliedDirs()
	for i := range p.graph.Nodes {
		dirs[layout.Of(p.graph.Nodes[i].Cluster)] = nil
	}
	known := map[string]bool{}
	for _, f := range p.files {
		known[f.Path] = true
	}
	for i := range p.graph.Nodes {
		if n := &p.graph.Nodes[i]; !n.Existing {
			known[n.Path()] = true
		}
		known[layout.Of(p.graph.Nodes[i].Cluster).Index()] = true
	}
	if p.prior != nil {
		for _, f := range p.prior.Files {
			known[f.Path] = true
		}
	}
	for _, file := range p.existing {
		dir, ok := appliedDir(dirs, file)
		if !ok || known[file] {
			continue
		}
		switch base := path.Base(file); {
		case path.Dir(file) == dir && (base == "kustomization.yml" || base == "Kustomization"):
			p.list.Add(diag.Diagnostic{Code: codeStrayYAML, Summary: file + " is a second index: Flux does not apply a folder with two", Hint: "remove it"})
		case slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(file)):
			p.list.Add(diag.Diagnostic{Severity: diag.Warning, Code: codeStrayYAML,
				Summary: file + " was not written by gatehouse, and Flux does not apply it", Hint: "move it out of " + dir})
		}
	}
}

// appliedDir returns the applied folder that holds a file, at any depth.
func appliedDir(dirs map[layout.Folder]map[string]bool, file string) (string, bool) {
	for dir := path.Dir(file); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if folder, ok := layout.Parse(dir); !ok {
			continue
		} else if _, ok := dirs[folder]; ok {
			return dir, true
		}
	}
	return "", false
}

// checkMoves looks for objects that were in another layer in the previous build. The
// old layer deletes the object unless the new one has taken it over by then, which
// is certain only if the old one waits for the new one.
func checkMoves(p *proof) {
	if p.prior == nil {
		return
	}
	now := map[string]map[string]layout.Folder{} // environment → object → layer
	for _, f := range p.files {
		env := f.Folder.Environment
		if env == "" {
			continue
		}
		if now[env] == nil {
			now[env] = map[string]layout.Folder{}
		}
		for _, o := range f.Objects {
			now[env][o.ID()] = f.Folder
		}
	}
	for _, f := range p.prior.Files {
		old, ok := layout.Parse(f.Layer)
		if !ok || !old.IsLayer() || !p.mayPrune(old.Kind) {
			continue
		}
		for _, id := range f.Objects {
			if to := now[old.Environment][id]; to.Applied() && to != old && !strings.HasPrefix(id, groupIndex+"/") {
				p.checkMove(id, old, to)
			}
		}
	}
}

// mayPrune reports whether Flux deletes what disappears from a layer of this kind.
// It assumes so of a kind that the table does not have: another version of
// gatehouse made that layer.
func (p *proof) mayPrune(kind layout.Kind) bool {
	return p.table.index(kind) < 0 || p.table.layer(kind).prune
}

func (p *proof) checkMove(id string, from, to layout.Folder) {
	for _, c := range p.clusters {
		var source, target *Node
		for _, n := range c.nodes {
			switch n.Folder {
			case from:
				source = n
			case to:
				target = n
			}
		}
		if target == nil || source != nil && c.after(source, target) {
			continue
		}
		p.list.Add(diag.Diagnostic{Code: codeMove,
			Summary: fmt.Sprintf("cluster %s: %s moves from %s to %s, and Flux may delete it on the way", c.name, id, from, to)})
	}
}

// checkRenames looks for Kustomizations that get another name or namespace: Flux
// deletes the old one with all its objects.
func checkRenames(p *proof) {
	if p.prior == nil {
		return
	}
	before := map[string][]ref{} // cluster → Kustomizations
	for _, f := range p.prior.Files {
		folder, ok := layout.Parse(path.Dir(f.Path))
		if !ok || folder.Cluster == "" {
			continue
		}
		for _, id := range f.Objects {
			if o := strings.Split(id, "/"); len(o) == 4 && o[0] == groupFlux {
				before[folder.Cluster] = append(before[folder.Cluster], ref{o[2], o[3]})
			}
		}
	}
	for _, c := range p.clusters {
		for _, old := range before[c.name] {
			layer, ok := layout.ParseKustomization(old.name)
			if c.byRef[old] != nil || !ok || !p.mayPrune(layer.Kind) {
				continue
			}
			for _, n := range c.nodes {
				if n.Folder.Kind == layer.Kind && n.Folder.Shard == layer.Shard && !slices.Contains(before[c.name], refOf(n)) {
					p.report(n, codeRename, "keep the name and namespace", "was %s before: Flux deletes the old one with all its objects", old)
				}
			}
		}
	}
}
