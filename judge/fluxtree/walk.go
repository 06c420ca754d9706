package fluxtree

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
)

// Object is an object as Flux applies it in one place.
type Object struct {
	JSON json.RawMessage
	// At is the file that it comes from.
	At diag.Position
	// Root is the folder that a cluster applies, and By the Kustomization that applies the object,
	// or the HelmRelease and the Kustomization that applies that.
	Root, By string
	// Namespace is where an object goes that names none; empty for the usual one.
	Namespace string
	// Template is the template that made an object of a chart that is not in the repository.
	Template string
	// Elsewhere says that it is applied to another cluster than that of the root.
	Elsewhere bool
	cluster   string // the other one, if it is known
	// IfMissing says that it is only made if it is not there: it has no other object to be.
	IfMissing bool
	// Unknown are the fields that are not known, and Renderings the object with other values there.
	Unknown    []Unknown
	Renderings []json.RawMessage
}

// Roots returns the root that a problem with the object is about; none if it is applied to another
// cluster.
func (o Object) Roots() []string { return rootsOf(o.Root, o.Elsewhere) }

// Codes of problems that are about a whole Kustomization.
const (
	// CodeBuild: it cannot be built.
	CodeBuild = "kustomize-build"
	// CodeTwice is the code of a warning: another one of its name overwrites it.
	CodeTwice = "flux-twice"
	// CodePath: what it applies is not in the repository.
	CodePath = "kustomization-path"
	// CodeSource is the code of a warning: it applies another repository.
	CodeSource = "kustomization-source"
)

// Each calls yield for each object that the roots apply, once for each place, and returns what
// could not be read, what applies something else, and what is not reached. It stops at the
// first error of yield.
func (r *Repository) Each(ctx context.Context, yield func(Object) error) (Problems, error) {
	var problems Problems
	roots, said := r.roots()
	slices.SortStableFunc(roots, func(a, b *Kustomization) int { return cmp.Compare(a.root, b.root) })
	for begin := 0; begin < len(roots); {
		end := begin + 1 // those of one folder are of one cluster
		for end < len(roots) && roots[end].root == roots[begin].root {
			end++
		}
		w := &walk{repository: r, ctx: ctx, yield: yield, problems: &problems, queue: slices.Clone(roots[begin:end]), seen: map[string][]*Kustomization{},
			store: store{given: r.options.Values, built: map[string]Values{}}, own: r.own(roots[begin:end]), urls: map[string]string{}, specs: map[string]sourceSpec{}, root: roots[begin].root}
		w.place = NewPlace(r.options.Helm)
		w.place.repository, w.place.other, w.place.see = r, w.otherSource, w.see
		for _, root := range w.queue {
			w.met(root)
			r.disk.read[filepath.Join(r.disk.root, filepath.FromSlash(root.at.File))] = true
		}
		if err := w.run(); err != nil {
			return problems, err
		}
		begin = end
	}
	if !said && len(roots) > 0 {
		problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "kustomization-roots", Position: diag.Position{File: r.display},
			Summary: "no Kustomization here applies itself, so the roots are guessed: " + names(roots), Hint: "name the folder that a cluster applies with --flux"})
	}
	for _, d := range r.unreadable { // what a root leads to was read as kustomize reads it
		if name, err := filepath.Rel(r.display, d.File); err != nil || !r.read(filepath.ToSlash(name)) {
			problems.Add(d)
		}
	}
	for _, d := range r.disk.Warnings(r.shown) {
		problems.Add(d)
	}
	r.linked(&problems)
	r.unreached(r.scope, r.display, r.read, "no root leads to", &problems)
	return problems.Sort(), nil
}

// read reports whether a root leads to a file: it was read, or lies in what could not be built.
func (r *Repository) read(file string) bool {
	return r.disk.Read(file) || slices.ContainsFunc(r.failed, func(dir string) bool { return reach.Within(file, dir) })
}

// names lists the folders of roots, at most ten.
func names(roots []*Kustomization) string {
	var all []string
	for _, k := range roots {
		if !slices.Contains(all, k.root) {
			all = append(all, k.root)
		}
	}
	if more := len(all) - 10; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:10], ", "), more)
	}
	return strings.Join(all, ", ")
}

// shown returns how an absolute file is shown.
func (r *Repository) shown(file string) string {
	rel, err := filepath.Rel(r.disk.root, file)
	if err != nil || !filepath.IsLocal(rel) {
		return file
	}
	return path.Join(r.display, filepath.ToSlash(rel))
}

// walk follows one root.
type walk struct {
	repository *Repository
	ctx        context.Context
	yield      func(Object) error
	problems   *Problems

	// queue has what is still to be built, and seen all that was in it.
	queue []*Kustomization
	seen  map[string][]*Kustomization // by their ids
	store store
	// waiting are those that wait for others.
	waiting []*Kustomization
	// own is the source of the root, and urls are those of the sources that were applied.
	own   reference
	urls  map[string]string
	specs map[string]sourceSpec // of those
	root  string
	// place has the HelmReleases.
	place *Place
}

// run builds the queue, and then renders the HelmReleases, which may make Kustomizations.
func (w *walk) run() error {
	for len(w.queue) > 0 {
		if err := w.kustomizations(); err != nil {
			return err
		}
		err := w.place.Render(w.ctx, w.problems, func(o Object) error {
			if h, err := headerOf(o.JSON); err == nil {
				w.follow(&Kustomization{root: w.root, elsewhere: o.Elsewhere, cluster: o.cluster}, h, o.JSON, o.Unknown, o.At)
			}
			return w.yield(o)
		})
		if err != nil {
			return err
		}
	}
	w.dependencies()
	return nil
}

// kustomizations builds the queue. A Kustomization waits for its variables, which another one may
// apply, and then for those that it depends on, so that releases come in the order of Flux.
func (w *walk) kustomizations() error {
	for len(w.queue) > 0 {
		i := slices.IndexFunc(w.queue, func(k *Kustomization) bool { return w.store.ready(k) && !w.waits(k) })
		if i < 0 {
			i = max(slices.IndexFunc(w.queue, w.store.ready), 0)
		}
		k := w.queue[i]
		w.queue = slices.Delete(w.queue, i, i+1)
		k.root = w.root
		if len(k.Spec.DependsOn) > 0 {
			w.waiting = append(w.waiting, k)
		}
		if err := w.apply(k); err != nil {
			return err
		}
	}
	return nil
}

// waits reports whether a Kustomization depends on another one in the queue.
func (w *walk) waits(k *Kustomization) bool {
	return slices.ContainsFunc(k.Spec.DependsOn, func(ref reference) bool {
		id := cmp.Or(ref.Namespace, k.Metadata.Namespace) + "/" + ref.Name
		return id != k.id() && slices.ContainsFunc(w.queue, func(other *Kustomization) bool { return other.id() == id })
	})
}

// dependencies warns about Kustomizations that wait for what nothing applies.
func (w *walk) dependencies() {
	for _, k := range w.waiting {
		for _, ref := range k.Spec.DependsOn {
			if id := cmp.Or(ref.Namespace, k.Metadata.Namespace) + "/" + ref.Name; len(w.seen[id]) == 0 {
				w.problem(k, "kustomization-depends", diag.Warning, "it waits for %s, which nothing here applies", id)
			}
		}
	}
}

// problem notes that a Kustomization is not judged.
func (w *walk) problem(k *Kustomization, code string, severity diag.Severity, format string, args ...any) {
	at := k.at
	if at.File == "" {
		at.File = k.dir()
	}
	at.File = path.Join(w.repository.display, at.File)
	w.problems.Add(diag.Diagnostic{Severity: severity, Code: code, Position: at, Summary: "Kustomization " + k.id() + ": " + fmt.Sprintf(format, args...)}, k.roots()...)
}

// apply yields what a Kustomization applies.
func (w *walk) apply(k *Kustomization) error {
	dir := k.dir()
	w.see(k.source())
	missing := w.repository.missing(dir)
	// Any repository has its own root.
	unclear := missing || dir == "." && w.urls[sourceKey(k.source())] == ""
	switch other := w.otherSource(k.source(), unclear); {
	case other != "":
		why := ", which is not this repository"
		if k.Spec.SourceRef.Kind == externalArtifact {
			why = SaidMade
		}
		w.problem(k, CodeSource, diag.Warning, "not judged: it applies %s%s", other, why)
		return nil
	case w.elsewhere(k, dir):
		return nil
	case missing:
		w.problem(k, CodePath, diag.Error, "there is no folder %s in the repository", dir)
		return nil
	}
	w.repository.ignored.used = true
	built, err := w.build(k, dir)
	if err == nil && w.learns(k, built) {
		w.repository.ignored.used = false
		w.see(k.source())
		w.repository.ignored.used = true
		built, err = w.build(k, dir)
	}
	if err != nil {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		w.problem(k, CodeBuild, diag.Error, "%s", ErrorText(err, w.repository.disk.root))
		w.repository.failed = append(w.repository.failed, dir)
		return nil
	}
	w.keep(built)
	variables := w.store.variables(k)
	for _, b := range built {
		at := diag.Position{File: path.Join(w.repository.display, dir)}
		if b.File != "" {
			at = diag.Position{File: path.Join(w.repository.display, dir, b.File), Line: b.Line}
		}
		if err := w.object(k, b, variables, at); err != nil {
			return err
		}
	}
	if variables != nil && len(variables.unset) > 0 {
		w.problem(k, "kustomization-variable", diag.Warning, "${%s} is not set and has no default: Flux 2.9 refuses to apply it, earlier versions take it as empty",
			strings.Join(slices.Sorted(maps.Keys(variables.unset)), "}, ${"))
	}
	return nil
}

// build builds the folder of a Kustomization. Files that make Flux refuse it are left out.
func (w *walk) build(k *Kustomization, dir string) ([]Built, error) {
	d := w.repository.disk
	full := filepath.Join(d.root, filepath.FromSlash(dir))
	var first error
	for _, strict := range []bool{false, true} {
		file, data, refused, err := k.index(d, full, strict)
		if err != nil {
			return nil, err
		}
		if strict && len(refused) == 0 {
			return nil, first
		}
		for _, f := range refused {
			what := "no manifest of Kubernetes, so Flux applies nothing of it"
			if !f.read {
				what = "not read"
			}
			w.problems.Add(diag.Diagnostic{Code: "kustomization-manifest", Position: diag.Position{File: w.repository.shown(f.file)},
				Summary: fmt.Sprintf("Kustomization %s: %s: %s", k.id(), what, ErrorText(f.err, d.root))}, k.roots()...)
		}
		d.instead[file] = data
		built, err := d.build(w.ctx, full)
		if err == nil || w.ctx.Err() != nil || strict {
			return built, err
		}
		first = err
	}
	return nil, first
}

// keep notes the variables among what a Kustomization applies, which it may use itself.
func (w *walk) keep(built []Built) {
	for _, b := range built {
		if b.Err != nil {
			continue
		}
		if strings.HasPrefix(b.ID, "ConfigMap ") || strings.HasPrefix(b.ID, "Secret ") {
			if v, ok, err := ParseValues(b.JSON); ok && err == nil {
				w.store.add(v)
			}
		}
	}
}

// object yields an object, or follows it if it is a Kustomization.
func (w *walk) object(k *Kustomization, b Built, v *variables, at diag.Position) error {
	object, fields, renderings, err := b.JSON, []Unknown(nil), []json.RawMessage(nil), b.Err
	if err == nil {
		object, fields = Decrypt(object)
		if v != nil {
			var out replaced
			if out, err = v.replace(object); err == nil {
				object, renderings = out.json, out.renderings
				fields = append(fields, out.unknown...)
			}
		}
	}
	if err == nil {
		object, renderings, err = k.mark(object, renderings)
	}
	if err != nil {
		w.problems.Add(diag.Diagnostic{Code: "kustomization-object", Position: at,
			Summary: fmt.Sprintf("Kustomization %s: %s: Flux cannot apply it: %s", k.id(), b.ID, ErrorText(plain.JSONError(err), w.repository.disk.root))}, k.roots()...)
		return nil
	}
	h, err := headerOf(object)
	if err == nil {
		w.follow(k, h, object, fields, at)
	}
	o := Object{JSON: object, At: at, Root: k.root, By: "Kustomization " + k.id(), Elsewhere: k.remote(), cluster: k.target(), Unknown: fields, Renderings: renderings}
	w.place.Note(o)
	return w.yield(o)
}

// follow looks at an applied object that matters for others.
func (w *walk) follow(k *Kustomization, h header, object json.RawMessage, fields []Unknown, at diag.Position) {
	switch {
	case h.is(fluxGroup, "Kustomization"):
		w.add(k, object, fields, at)
	case kinds.Group(h.APIVersion) == sourceGroup:
		w.source(h, object)
	case h.is("", "ConfigMap"), h.is("", "Secret"):
		if v, ok, err := ParseValues(object); ok && err == nil {
			v.hide(fields)
			w.store.add(v)
		}
	}
}

// met notes a Kustomization, and reports whether the same one was met before. Others of its name in its cluster
// say something else: they overwrite each other, and which one counts is not known, so all are followed.
func (w *walk) met(k *Kustomization) bool {
	var other *Kustomization
	for _, one := range w.seen[k.id()] {
		switch {
		case one.at.File == "" || one.cluster != k.cluster: // the first is made up for a folder
		case reflect.DeepEqual(one.Spec, k.Spec), one.parent == nil && one.at.File == k.at.File: // a root is read from its file
			return true
		default:
			other = one
		}
	}
	if other != nil {
		at := other.at
		at.File = path.Join(w.repository.display, at.File)
		w.problem(k, CodeTwice, diag.Warning, saidTwice, at)
	}
	w.seen[k.id()] = append(w.seen[k.id()], k)
	return false
}

// saidTwice is said of one of two objects of a name, with the place of the other.
const saidTwice = "there is another one of this name, %s: what applies them overwrites one with the other, and Flux follows the last, so both are judged"

// maxDepth bounds Kustomizations that apply themselves under another name.
const maxDepth = 50

// add queues a Kustomization that is applied, unless it is known.
func (w *walk) add(parent *Kustomization, object json.RawMessage, fields []Unknown, at diag.Position) {
	local := at
	if rel, err := filepath.Rel(w.repository.display, at.File); err == nil {
		local.File = filepath.ToSlash(rel)
	}
	k, err := parseKustomization(object, local)
	if err != nil {
		w.problems.Add(diag.Diagnostic{Code: CodeBuild, Position: at, Summary: unreadable + err.Error()}, rootsOf(parent.root, parent.remote() || saysElsewhere(object))...)
		return
	}
	k.root, k.parent, k.elsewhere, k.cluster = w.root, parent, parent.remote(), parent.target()
	if k.appliesItself() || w.met(k) {
		return
	}
	if k.depth = parent.depth + 1; k.depth > maxDepth {
		w.problem(k, CodeBuild, diag.Error, "more than %d Kustomizations apply each other", maxDepth)
		return
	}
	k.unknown = map[string]Unknown{}
	for _, f := range fields {
		switch {
		case len(f.Keys) == 4 && f.Keys[1] == "postBuild" && f.Keys[2] == "substitute":
			k.unknown[f.Keys[3]] = f
		case matters(f.Keys):
			w.problem(k, CodeBuild, diag.Error, "what it applies is not known: %s: %s", f.Path, f.Why)
			return
		}
	}
	w.queue = append(w.queue, k)
}

// matters reports whether a field of a Kustomization decides what it applies. No keys mean
// any field.
func matters(keys []string) bool {
	if len(keys) < 2 || keys[0] != "spec" {
		return len(keys) == 0 || keys[0] == "metadata" && slices.Contains(keys, "name")
	}
	return slices.Contains([]string{"path", "sourceRef", "targetNamespace", "namePrefix", "nameSuffix", "components", "patches", "patchesStrategicMerge", "patchesJson6902", "images", "commonMetadata", "postBuild"}, keys[1])
}

// mark sets the common metadata of a Kustomization.
func (k *Kustomization) mark(object json.RawMessage, renderings []json.RawMessage) (json.RawMessage, []json.RawMessage, error) {
	all := append([]json.RawMessage{object}, renderings...)
	for i, one := range all {
		var err error
		if all[i], err = k.Spec.CommonMetadata.set(one); err != nil {
			return nil, nil, err
		}
	}
	return all[0], all[1:], nil
}
