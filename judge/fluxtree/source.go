package fluxtree

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"regexp"
	"strings"
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
	case missing:
		return ref.Kind + " " + ref.Name
	}
	return ""
}

// source notes where a source is, and what it leaves out.
func (w *walk) source(h header, object json.RawMessage) {
	key := sourceKey(reference{Kind: h.Kind, Namespace: cmp.Or(h.Metadata.Namespace, defaultFlux), Name: h.Metadata.Name})
	w.urls[key], w.ignores[key] = urlOf(object), ignoreOf(object)
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
