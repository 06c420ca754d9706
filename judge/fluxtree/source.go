package fluxtree

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
)

// externalArtifact is a kind of sources that controllers put together in the cluster.
const externalArtifact = "ExternalArtifact"

// SaidMade ends the problem about a Kustomization of an ExternalArtifact.
const SaidMade = ", which is made in the cluster, perhaps of folders of this repository"

// otherSource returns a source if it is not the repository: it is another one than that of the
// root, and has another URL or nothing at the path. The reference has a namespace.
func (w *walk) otherSource(ref reference, missing bool) string {
	own := w.own
	if own.Name == "" {
		own = reference{Kind: ref.Kind, Namespace: defaultFlux, Name: defaultFlux}
	}
	if ref.Kind == externalArtifact { // put together in the cluster
		return ref.Kind + " " + ref.Name
	}
	url := w.urls[sourceKey(ref)]
	if declared := w.repository.urls[ref.Kind+"/"+ref.Name]; url == "" && len(declared) == 1 {
		url = declared[0]
	}
	if ref.Name == "" || ref.Kind == own.Kind && ref.Name == own.Name && (ref.Namespace == own.Namespace || url == "") {
		return ""
	}
	same := sameURL(url, w.urls[sourceKey(own)])
	for _, remote := range w.repository.remotes() {
		same = same || sameURL(url, remote)
	}
	switch {
	case url != "" && !same:
		return ref.Kind + " " + ref.Name + " (" + url + ")"
	case url != "" && w.revision(ref, own) != "":
		return ref.Kind + " " + ref.Name + " (" + url + ", " + w.revision(ref, own) + ")"
	case missing:
		return ref.Kind + " " + ref.Name
	}
	return ""
}

// source notes where a source is, and what it leaves out.
func (w *walk) source(h header, object json.RawMessage) {
	key := sourceKey(reference{Kind: h.Kind, Namespace: cmp.Or(h.Metadata.Namespace, defaultFlux), Name: h.Metadata.Name})
	w.urls[key], w.specs[key] = urlOf(object), sourceSpecOf(object)
}

// sourceSpec is what a source says of the repository that it has.
type sourceSpec struct {
	// Ignore are patterns of .gitignore.
	Ignore string
	Ref    sourceRef
	// Include are other repositories that it puts into folders.
	Include []struct {
		Repository struct{ Name string }
		ToPath     string
	}
	// SparseCheckout are the only folders that it has; empty for all.
	SparseCheckout    []string
	RecurseSubmodules bool
}

// sourceRef is the revision of a source.
type sourceRef struct{ Name, Branch, Tag, SemVer, Commit, Digest string }

// of returns what counts for a kind of sources: the most exact field, or what the kind has by default.
func (r sourceRef) of(kind string) string {
	if branch, ok := strings.CutPrefix(r.Name, "refs/heads/"); ok {
		r.Name, r.Tag, r.SemVer, r.Branch = "", "", "", branch
	}
	for _, one := range []struct{ field, value string }{
		{"commit", r.Commit}, {"digest", r.Digest}, {"reference", r.Name}, {"semver", r.SemVer}, {"tag", r.Tag}, {"branch", r.Branch},
	} {
		if one.value != "" {
			return one.field + " " + one.value
		}
	}
	if kind == "GitRepository" {
		return "branch master"
	}
	return "tag latest"
}

// sourceSpecOf returns what a source says. One of another form says nothing.
func sourceSpecOf(object json.RawMessage) sourceSpec {
	var source struct{ Spec sourceSpec }
	if json.Unmarshal(object, &source) != nil {
		return sourceSpec{}
	}
	return source.Spec
}

// declaredSource is a source in a file.
type declaredSource struct {
	reference // without a namespace if it names none
	file      string
	spec      sourceSpec
}

// declaredSpec returns what a source says that was not applied yet, as a file has it: one in the
// folder of the root, or else the only one of its name.
func (r *Repository) declaredSpec(ref reference, root string) (sourceSpec, bool) {
	var near, all []sourceSpec
	for _, s := range r.sources {
		if s.Kind != ref.Kind || s.Name != ref.Name || s.Namespace != "" && s.Namespace != ref.Namespace {
			continue
		}
		if all = append(all, s.spec); reach.Within(s.file, root) {
			near = append(near, s.spec)
		}
	}
	for _, found := range [][]sourceSpec{near, all} {
		if len(found) > 0 && !slices.ContainsFunc(found, func(s sourceSpec) bool { return !reflect.DeepEqual(s, found[0]) }) {
			return found[0], true
		}
	}
	return sourceSpec{}, false
}

// spec returns what a source says, if that is known. An object that was applied counts more than a file.
func (w *walk) spec(ref reference) (sourceSpec, bool) {
	if spec, applied := w.specs[sourceKey(ref)]; applied {
		return spec, true
	}
	return w.repository.declaredSpec(ref, w.root)
}

// named returns a source; that of the root if the reference names none.
func (w *walk) named(ref reference) reference {
	if ref.Name != "" {
		return ref
	}
	return reference{Kind: cmp.Or(w.own.Kind, "GitRepository"), Namespace: cmp.Or(w.own.Namespace, defaultFlux), Name: cmp.Or(w.own.Name, defaultFlux)}
}

// revision returns which revision of this repository a source has, if it may be another one than
// that of the root; else it returns an empty text.
func (w *walk) revision(ref, own reference) string {
	spec, known := w.spec(ref)
	if !known {
		return ""
	}
	has := spec.Ref.of(ref.Kind)
	ours, known := w.spec(own)
	if !known && strings.HasPrefix(has, "branch ") || known && has == ours.Ref.of(own.Kind) {
		return "" // the checkout may be any branch
	}
	return has
}

// elsewhere notes what the source of a Kustomization has in a folder and the checkout has not:
// other repositories that it includes, and submodules. It reports whether that is all of it.
func (w *walk) elsewhere(k *Kustomization, dir string) (all bool) {
	spec, known := w.spec(w.named(k.source()))
	note := func(at, format string, args ...any) {
		if reach.Within(dir, at) || reach.Within(at, dir) {
			w.problem(k, CodeSource, diag.Warning, "not judged: "+format, args...)
			all = all || reach.Within(dir, at)
		}
	}
	for _, include := range spec.Include {
		at := path.Clean(cmp.Or(include.ToPath, include.Repository.Name))
		note(at, "its source includes GitRepository %s in %s", include.Repository.Name, at)
	}
	if !known || spec.RecurseSubmodules {
		for _, at := range w.repository.submodules() {
			note(at, "the submodule %s is not checked out", at)
		}
	}
	if len(spec.SparseCheckout) > 0 && !slices.ContainsFunc(spec.SparseCheckout, func(at string) bool {
		at = path.Clean(at)
		return reach.Within(dir, at) || reach.Within(at, dir)
	}) {
		w.problem(k, CodePath, diag.Error, "its source does not check out %s (spec.sparseCheckout)", dir)
		return true
	}
	return all
}

var submodulePath = regexp.MustCompile(`(?m)^\s*path\s*=\s*(.*?)\s*$`)

// submodules returns the folders of submodules that are not checked out.
func (r *Repository) submodules() []string {
	data, err := fs.ReadFile(r.fsys, ".gitmodules")
	if err != nil {
		return nil
	}
	var empty []string
	for _, m := range submodulePath.FindAllSubmatch(data, -1) {
		at := path.Clean(strings.Trim(string(m[1]), `"`))
		if !fs.ValidPath(at) {
			continue
		}
		if entries, err := fs.ReadDir(r.fsys, at); err != nil || len(entries) == 0 {
			empty = append(empty, at)
		}
	}
	return empty
}

// urlOf returns where a source is; empty if it does not say it.
func urlOf(object json.RawMessage) string {
	var source struct {
		Spec struct {
			URL, Endpoint, BucketName string
		}
	}
	if json.Unmarshal(object, &source) != nil {
		return ""
	}
	return cmp.Or(source.Spec.URL, strings.Trim(source.Spec.Endpoint+"/"+source.Spec.BucketName, "/"))
}

var remoteURL = regexp.MustCompile(`(?m)^\s*url\s*=\s*(\S+)\s*$`)

// remotes returns the URLs that Git knows the repository by, if it is a clone.
func (r *Repository) remotes() []string {
	data, err := fs.ReadFile(r.fsys, ".git/config")
	if err != nil {
		return nil
	}
	var urls []string
	for _, m := range remoteURL.FindAllSubmatch(data, -1) {
		urls = append(urls, string(m[1]))
	}
	return urls
}

// sameURL reports whether two URLs of Git repositories are for the same one: the protocol and
// the user do not matter.
func sameURL(a, b string) bool { return a != "" && place(a) == place(b) }

// place returns host and path of a URL, also of the form user@host:path.
func place(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	if _, rest, ok := strings.Cut(url, "@"); ok {
		url = rest
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(strings.Replace(url, ":", "/", 1), "/"), ".git"))
}
