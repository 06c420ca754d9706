package fluxtree_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// expect compares what is applied, and what the problems contain.
func expect(t *testing.T, dir string, o fluxtree.Options, want, problems []string) {
	t.Helper()
	got, said := read(t, dir, ".", o)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(said) != len(problems) {
		t.Fatalf("problems are\n%s", strings.Join(said, "\n"))
	}
	for i, want := range problems {
		if !strings.Contains(said[i], want) {
			t.Errorf("got %q, want %q", said[i], want)
		}
	}
}

// TestLinks: an artifact of Flux has no symbolic links.
func TestLinks(t *testing.T) {
	const web, old = "/web Pod apps/web.yaml:1 clusters/prod", "/old Pod old/old.yaml:1 clusters/prod"
	const links = "warning: symbolic links, which Flux leaves out of what it applies, so they are not followed: "
	files := sync + apps + pod("apps/web.yaml", "web") + pod("old/old.yaml", "old")
	unread := func(dir string) string { return dir + ": warning: not judged: no root leads to" }
	tests := []struct {
		name, files, link, to string
		want, problems        []string
	}{
		{"a kustomization", files + "-- shared/kustomization.yaml --\nresources: []\n", "apps/kustomization.yaml", "../shared/kustomization.yaml",
			[]string{web}, []string{links + "apps/kustomization.yaml", unread("old"), unread("shared")}},
		{"a manifest", files, "apps/old.yaml", "../old/old.yaml", []string{web}, []string{links, unread("old")}},
		{"a folder", files, "apps/more", "../old", []string{web}, []string{links, unread("old")}},
		{"the path of a Kustomization", strings.Replace(files, "path: ./apps", "path: ./all", 1), "all", "apps",
			nil, []string{links, unread("apps"), "there is no folder all in the repository", unread("old")}},
		{"a file that a kustomization lists", files + "-- apps/kustomization.yaml --\nresources: [web.yaml, ../all/old.yaml]\n", "all", "old",
			nil, []string{links, "leads through a symbolic link", unread("old")}},
		{"a base", files + "-- apps/kustomization.yaml --\nresources: [web.yaml, ../all]\n-- old/kustomization.yaml --\nresources: [old.yaml]\n", "all", "old",
			nil, []string{links, "symbolic link", unread("old")}},
		{"out of the repository", files, "apps/passwd.yaml", "/etc/passwd", []string{web}, []string{links, unread("old")}},
		{"none", files + "-- apps/kustomization.yaml --\nresources: [web.yaml, ../old/old.yaml]\n", "", "", []string{old, web}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			if tt.link != "" {
				if err := os.Symlink(filepath.FromSlash(tt.to), filepath.Join(dir, filepath.FromSlash(tt.link))); err != nil {
					t.Skip(err)
				}
			}
			expect(t, dir, fluxtree.Options{}, tt.want, tt.problems)
		})
	}
}

// TestLinesOfDocuments: objects of one file have the line of their document, also under another name.
func TestLinesOfDocuments(t *testing.T) {
	files := sync + apps + "  namePrefix: shop-\n" + `
-- apps/all.yaml --
# the web
apiVersion: v1
kind: Pod
metadata:
  labels: {name: web}

  name: web
spec: {containers: [{name: web-db, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {labels: {app: web}, name: "web-db"}
spec: {containers: [{name: web, image: x}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {}
---
kind: Pod
apiVersion: v1
metadata:
    name: 'db'   # of the web
spec: {containers: [{name: web, image: x}]}
`
	expect(t, write(t, files), fluxtree.Options{}, []string{
		"/shop-db Pod apps/all.yaml:20 clusters/prod", "/shop-web Pod apps/all.yaml:2 clusters/prod",
		"/shop-web Service apps/all.yaml:15 clusters/prod", "/shop-web-db Pod apps/all.yaml:10 clusters/prod",
	}, nil)
}

// TestArtifacts: what sources have that the checkout has not, and the other way round.
func TestArtifacts(t *testing.T) {
	const web = "/web Pod apps/web.yaml:1 clusters/prod"
	root := func(more string) string { return strings.Replace(sync, "interval: 1m}", "interval: 1m"+more+"}", 1) }
	// other applies the folder apps of another source of the repository.
	other := func(spec string) string {
		return strings.Replace(apps, "name: flux-system}\n", "name: release}\n", 1) +
			"-- clusters/prod/source.yaml --\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: release, namespace: flux-system}\nspec: {url: \"https://example.com/fleet\"" + spec + "}\n"
	}
	pinned := func(revision string) []string {
		return []string{"apps: warning: not judged: no root", "not judged: it applies GitRepository release (https://example.com/fleet, " + revision + "), which is not this repository"}
	}
	pods := pod("apps/web.yaml", "web")
	submodule := "-- .gitmodules --\n[submodule \"vendor\"]\n\tpath = apps/vendor\n\turl = https://example.com/vendor.git\n"
	tests := []struct {
		name, files    string
		want, problems []string
	}{
		{"another repository in a folder", root(`, include: [{repository: {name: common}, toPath: apps/common}]`) + apps + pods,
			[]string{web}, []string{"Kustomization flux-system/apps: not judged: its source includes GitRepository common in apps/common"}},
		{"another repository as a folder", root(`, include: [{repository: {name: apps}}]`) + apps + pod("web.yaml", "web"),
			nil, []string{"flux-system/apps: not judged: its source includes GitRepository apps in apps", "web.yaml"}},
		{"another repository elsewhere", root(`, include: [{repository: {name: common}}]`) + apps + pods, []string{web}, nil},
		{"a submodule that is not checked out", root(", recurseSubmodules: true") + apps + pods + submodule,
			[]string{web}, []string{"flux-system/apps: not judged: the submodule apps/vendor is not checked out"}},
		{"a submodule that is checked out", root(", recurseSubmodules: true") + apps + pods + submodule + "-- apps/vendor/README --\n", []string{web}, nil},
		{"a submodule that Flux does not fetch", root("") + apps + pods + submodule, []string{web}, nil},
		{"a tag", root(", ref: {branch: main}") + other(", ref: {tag: v1.0.0}") + pods, nil, pinned("tag v1.0.0")},
		{"a commit of a branch", root(", ref: {branch: main}") + other(", ref: {branch: main, commit: abc}") + pods, nil, pinned("commit abc")},
		{"another branch", root(", ref: {branch: main}") + other(", ref: {branch: live}") + pods, nil, pinned("branch live")},
		{"the default branch, which is another one", root(", ref: {branch: main}") + other("") + pods, nil, pinned("branch master")},
		{"the same branch", root(", ref: {branch: main}") + other(", ref: {branch: main}") + pods, []string{web}, nil},
		{"the same branch in other words", root(", ref: {branch: main}") + other(", ref: {name: refs/heads/main}") + pods, []string{web}, nil},
		{"the default branch", root(", ref: {branch: master}") + other("") + pods, []string{web}, nil},
		{"a tag that the root has, too", root(", ref: {tag: v1}") + other(", ref: {tag: v1}") + pods, []string{web}, nil},
		{"a folder that is checked out", root(", sparseCheckout: [./clusters, apps]") + apps + pods, []string{web}, nil},
		{"a folder that is not checked out", root(", sparseCheckout: [clusters]") + apps + pods,
			nil, []string{"apps: warning: not judged", "flux-system/apps: its source does not check out apps (spec.sparseCheckout)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expect(t, write(t, tt.files), fluxtree.Options{}, tt.want, tt.problems) })
	}
}
