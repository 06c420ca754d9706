package fluxtree

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"github.com/fluxcd/pkg/sourceignore"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// CodeUnreached is the code of a warning about files that nothing applies.
const CodeUnreached = "workload-unreached"

// Unreached warns about the manifests below a folder that a kustomization of kustomize was
// built from, if they were not read.
func Unreached(fsys fs.FS, display string, read func(name string) bool) (Problems, error) {
	var l listing
	err := l.scan(regular.FS(fsys, manifest.MaxDocument), ".", &ignored{Matcher: sourceignore.NewDefaultMatcher(nil, nil)}, func(file, []byte) {})
	var problems Problems
	l.unreached(".", display, read, "no kustomization that was built leads to", &problems)
	return problems, err
}

// unreached is that of the listing, without what all sources leave out, and what belongs to gatehouse: its
// sources, which nothing applies, and its output, which is applied once it joins the clusters.
func (r *Repository) unreached(scope, display string, read func(name string) bool, why string, problems *Problems) {
	l := listing{charts: r.charts, files: slices.DeleteFunc(slices.Clone(r.files), func(f file) bool { return !read(f.name) && (r.absent(f.name) || r.ofGatehouse(f)) })}
	l.unreached(scope, display, read, why, problems)
}

var ofGatehouse = regexp.MustCompile(`(?m)^"?apiVersion"?:\s*"?gatehouse\.dev/`)

// ofGatehouse reports whether a file is one of a source of gatehouse, or lies in an output.
func (r *Repository) ofGatehouse(f file) bool {
	for dir := path.Dir(f.name); dir != "."; dir = path.Dir(dir) { // the root has files of others, too
		if _, err := fs.Stat(r.fsys, path.Join(dir, layout.Lock)); err == nil {
			return true
		}
	}
	data, err := fs.ReadFile(r.fsys, f.name)
	return err == nil && ofGatehouse.Match(data)
}

// unreached warns about the files with objects, and the kustomizations, that were not read:
// one line for each outermost folder of which nothing was.
func (l *listing) unreached(scope, display string, read func(name string) bool, why string, problems *Problems) {
	reached := map[string]bool{} // folders with a file that was read, and those above
	for _, f := range l.files {
		if !read(f.name) {
			continue
		}
		for dir := path.Dir(f.name); !reached[dir]; dir = path.Dir(dir) {
			reached[dir] = true
		}
	}
	counts := map[string]int{}
	for _, f := range l.files {
		if !read(f.name) && (f.object || f.index) && !l.inChart(f.name) {
			counts[outermost(f.name, scope, reached)]++
		}
	}
	for place, n := range counts {
		what := "1 file"
		if n > 1 {
			what = fmt.Sprintf("%d files", n)
		}
		problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: CodeUnreached, Position: diag.Position{File: path.Join(display, place)},
			Summary: "not judged: " + why + " " + what})
	}
}

// outermost returns the outermost folder of a file of which nothing was read; the file itself
// if something was in its own folder.
func outermost(name, scope string, reached map[string]bool) string {
	place := name
	for dir := path.Dir(name); !reached[dir]; dir = path.Dir(dir) {
		place = dir
		if dir == "." || dir == scope {
			break
		}
	}
	return place
}

// inChart reports whether a file is a part of a Helm chart.
func (l *listing) inChart(name string) bool {
	return slices.ContainsFunc(l.charts, func(dir string) bool { return dir != "." && reach.Within(name, dir) })
}
