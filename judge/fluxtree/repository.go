package fluxtree

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/sourceignore/gitignore"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// Options say what of a repository is read.
type Options struct {
	// Roots are the folders that clusters apply, relative to the repository; empty to find them.
	Roots []string
	// Exclude are patterns as in .gitignore of what is not there for Flux.
	Exclude []string
	// Values are ConfigMaps and Secrets that are not in the repository. They replace those
	// that are. One without a namespace is in all.
	Values []Values
	// Helm says how HelmReleases are rendered; nil renders none.
	Helm *Helm
}

// Repository is a checked-out source of Flux.
type Repository struct {
	fsys    fs.FS
	disk    *Disk
	display string // of the repository in positions
	scope   string // the folder that was named, relative to the repository
	options Options

	listing
	// declared are the Kustomizations of Flux in the files of the scope.
	declared []*Kustomization
	// unreadable are Kustomizations that Flux would refuse.
	unreadable diag.List
	// urls are those of the sources in the files of the scope, by kind and name.
	urls map[string][]string
	// instances are the folders that FluxInstances of the Flux operator apply.
	instances []string
	// indexes are the kustomizations of kustomize, by folder, with what they list.
	indexes map[string][]string
	// sources are those in the files of the scope.
	sources []declaredSource
	// ignoring is what sources leave out, seen what those that were seen do, and ignored what the one does that is.
	ignoring ignoring
	seen     map[string]*ignored
	ignored  *ignored
	// failed are the folders that could not be built.
	failed []string
}

// listing has the YAML files of a folder.
type listing struct {
	files  []file
	charts []string // the folders of Helm charts
}

// file is a YAML file, and what its text tells.
type file struct {
	name string
	// object is set if it seems to hold objects of Kubernetes.
	object bool
	// index is set for a kustomization of kustomize.
	index bool
}

// Open looks through a repository: fsys is its root, which is the folder root of disk, and
// display its name in positions. Only what lies in the folder scope is looked for. It holds no
// manifests; [Repository.Flux] reports whether there is anything of Flux.
func Open(fsys fs.FS, disk filesys.FileSystem, root, display, scope string, o Options) (*Repository, error) {
	d, err := NewDisk(disk, root)
	if err != nil {
		return nil, err
	}
	if d.links, err = linksOf(fsys); err != nil {
		return nil, fmt.Errorf("reading the folder %s: %w", display, err)
	}
	r := &Repository{fsys: d.links.without(regular.FS(fsys, manifest.MaxDocument)), disk: d, display: display, scope: path.Clean(scope), options: o, indexes: map[string][]string{}, urls: map[string][]string{}, seen: map[string]*ignored{}}
	r.options.Roots = nil
	for _, dir := range o.Roots {
		dir = path.Clean(filepath.ToSlash(dir))
		if info, err := fs.Stat(r.fsys, dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("there is no folder %s in the repository %s", dir, display)
		}
		r.options.Roots = append(r.options.Roots, dir)
	}
	if r.ignoring, err = ignoringOf(r.fsys, o.Exclude); err != nil {
		return nil, fmt.Errorf("reading %s: %w", display, err)
	}
	if err := r.scan(r.fsys, r.scope, r.ignoring.of("", ""), r.note); err != nil {
		return nil, fmt.Errorf("reading the folder %s: %w", display, err)
	}
	return r, nil
}

// Patterns parses patterns of .gitignore.
func Patterns(texts []string) []gitignore.Pattern {
	return sourceignore.ReadPatterns(strings.NewReader(strings.Join(texts, "\n")), nil)
}

// Excluded returns whether a file or folder is left out by patterns of .gitignore.
func Excluded(patterns []string) func(name string, dir bool) bool {
	m := sourceignore.NewMatcher(Patterns(patterns))
	return func(name string, dir bool) bool { return m.Match(strings.Split(name, "/"), dir) }
}

var (
	kindLine       = regexp.MustCompile(`(?m)^"?kind"?:\s*\S`)
	fluxKind       = regexp.MustCompile(`(?m)^"?kind"?:\s*"?(Kustomization|FluxInstance|GitRepository|OCIRepository|Bucket)\b`)
	apiVersionLine = regexp.MustCompile(`(?m)^"?apiVersion"?:\s*\S`)
)

// scan reads the YAML files below a folder once.
func (l *listing) scan(fsys fs.FS, dir string, ignored *ignored, note func(f file, data []byte)) error {
	return fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (d.Name() == ".git" || !ignored.deep && ignored.leavesOut(name, true)):
			return fs.SkipDir
		case d.IsDir() || ignored.leavesOut(name, false):
			return nil
		}
		if d.Name() == "Chart.yaml" {
			l.charts = append(l.charts, path.Dir(name))
		}
		index := slices.Contains(kustomizations, d.Name())
		if ext := path.Ext(name); !index && ext != ".yaml" && ext != ".yml" {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil // a problem for who needs it
		}
		f := file{name: name, index: index, object: !index && kindLine.Match(data) && apiVersionLine.Match(data)}
		l.files = append(l.files, f)
		note(f, data)
		return nil
	})
}

// note keeps what a file says about Flux and kustomize.
func (r *Repository) note(f file, data []byte) {
	switch {
	case f.index:
		var index struct {
			Resources, Bases, Components []string
		}
		if yaml.Unmarshal(data, &index) == nil {
			dir := path.Dir(f.name)
			r.indexes[dir] = nil
			for _, entry := range slices.Concat(index.Resources, index.Bases, index.Components) {
				r.indexes[dir] = append(r.indexes[dir], path.Join(dir, entry))
			}
		}
	case f.object && fluxKind.Match(data):
		for doc, err := range manifest.Documents(bytes.NewReader(data)) {
			if err != nil {
				return // a problem for who applies it
			}
			r.declare(doc, diag.Position{File: f.name, Line: doc.Line})
		}
	}
}

func (r *Repository) declare(doc manifest.Document, at diag.Position) {
	h, err := headerOf(doc.JSON)
	switch {
	case err != nil:
	case h.is(fluxGroup, "Kustomization"):
		k, err := parseKustomization(doc.JSON, at)
		if err != nil {
			at.File = path.Join(r.display, at.File)
			r.unreadable.Add(diag.Diagnostic{Code: CodeBuild, Position: at, Summary: unreadable + err.Error()})
			return
		}
		r.declared = append(r.declared, k)
	case kinds.Group(h.APIVersion) == sourceGroup:
		key := h.Kind + "/" + h.Metadata.Name
		if url := urlOf(doc.JSON); !slices.Contains(r.urls[key], url) {
			r.urls[key] = append(r.urls[key], url)
		}
		r.sources = append(r.sources, declaredSource{reference{Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: h.Metadata.Name}, at.File, sourceSpecOf(doc.JSON)})
	case h.Kind == "FluxInstance":
		var instance struct {
			Spec struct {
				Sync struct {
					Path string `json:"path"`
				} `json:"sync"`
			} `json:"spec"`
		}
		if yaml.Unmarshal(doc.JSON, &instance) == nil && instance.Spec.Sync.Path != "" {
			r.instances = append(r.instances, path.Clean(instance.Spec.Sync.Path))
		}
	}
}

// unreadable begins the problem about a Kustomization that has no form that Flux knows.
const unreadable = "a Kustomization of Flux that is not readable: "

// Flux reports whether the repository has Kustomizations of Flux.
func (r *Repository) Flux() bool {
	return len(r.declared)+len(r.unreadable) > 0 || len(r.instances) > 0 || len(r.options.Roots) > 0
}

// Found returns how many of the folders that its Kustomizations apply exist. Of two
// guesses at the root of a repository, the right one has more.
func (r *Repository) Found() int {
	n := 0
	for _, k := range r.declared {
		if info, err := fs.Stat(r.fsys, k.dir()); err == nil && info.IsDir() {
			n++
		}
	}
	return n
}

// roots returns the Kustomizations to begin with, and whether they are said to be roots: by
// the options, by themselves, or by a FluxInstance.
func (r *Repository) roots() (roots []*Kustomization, said bool) {
	for _, dir := range r.options.Roots {
		roots = append(roots, r.rootAt(dir))
	}
	if len(roots) > 0 {
		return roots, true
	}
	for _, k := range r.declared {
		if r.isRoot(k) {
			roots = append(roots, rootOf(k, k.dir()))
		}
	}
	for _, dir := range r.instances {
		if !slices.ContainsFunc(roots, func(k *Kustomization) bool { return k.dir() == dir }) {
			roots = append(roots, r.rootAt(dir))
		}
	}
	if len(roots) > 0 {
		return roots, true
	}
	return r.entries(), false
}

// isRoot reports whether a Kustomization applies itself, and no other that does applies it more
// closely: one of another repository may seem to apply all of this one.
func (r *Repository) isRoot(k *Kustomization) bool {
	return r.appliesItself(k) && !slices.ContainsFunc(r.declared, func(other *Kustomization) bool {
		if other == k || !r.appliesItself(other) || !applies(other, k.at.File) {
			return false
		}
		deeper := other.dir() != k.dir() && reach.Within(other.dir(), k.dir())
		return deeper || !applies(k, other.at.File)
	})
}

// appliesItself reports whether a Kustomization lies in what it applies of this repository.
func (r *Repository) appliesItself(k *Kustomization) bool {
	return applies(k, k.at.File) && k.Spec.SourceRef.Kind != externalArtifact && (k.dir() != "." || !r.elsewhere(k))
}

// elsewhere reports whether a Kustomization of the root of a repository, which all of them have,
// is of another one: others that apply themselves name their folder, and another source.
func (r *Repository) elsewhere(k *Kustomization) bool {
	named := func(other *Kustomization) bool { return other.dir() != "." && applies(other, other.at.File) }
	return slices.ContainsFunc(r.declared, named) && !slices.ContainsFunc(r.declared, func(other *Kustomization) bool {
		return named(other) && other.Spec.SourceRef.Kind == k.Spec.SourceRef.Kind && other.Spec.SourceRef.Name == k.Spec.SourceRef.Name
	})
}

// own returns the source of a cluster with these roots. Those that are guessed may have several:
// the one that bootstrap makes, or else one that the repository does not have, and of these the
// one that most of them name.
func (r *Repository) own(roots []*Kustomization) reference {
	count := map[string]int{}
	for _, k := range roots {
		count[sourceKey(k.source())]++
	}
	rank := func(k *Kustomization) int {
		ref := k.Spec.SourceRef
		switch {
		case ref.Kind == externalArtifact:
			return 3
		case ref.Name == defaultFlux:
			return 0
		case r.urls[ref.Kind+"/"+ref.Name] == nil:
			return 1
		}
		return 2
	}
	best := slices.MinFunc(roots, func(a, b *Kustomization) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(count[sourceKey(b.source())], count[sourceKey(a.source())]))
	})
	return best.source()
}

// applies reports whether a file lies in what a Kustomization applies.
func applies(k *Kustomization, name string) bool { return reach.Within(name, k.dir()) }

func rootOf(k *Kustomization, name string) *Kustomization {
	root := *k
	root.root = name
	return &root
}

// rootAt returns the Kustomization that applies a folder: the one in it that says so, or else
// one that says nothing more.
func (r *Repository) rootAt(dir string) *Kustomization {
	for _, k := range r.declared {
		if k.dir() == dir && applies(k, k.at.File) {
			return rootOf(k, dir)
		}
	}
	k := &Kustomization{root: dir}
	k.Metadata.Name, k.Metadata.Namespace, k.Spec.Path = path.Base(dir), defaultFlux, dir
	return k
}

// entries guesses the roots of a repository that names none: the Kustomizations that no other
// one applies, each by the outermost kustomization that leads to it.
func (r *Repository) entries() []*Kustomization {
	listed := map[string][]string{} // the folders whose kustomization lists a file or folder
	for dir, entries := range r.indexes {
		for _, entry := range entries {
			listed[entry] = append(listed[entry], dir)
		}
	}
	var roots []*Kustomization
	seen := map[string]bool{}
	for _, k := range r.declared {
		above := climb(listed, k.at.File)
		if r.applied(k, append(above.all, k.at.File)) {
			continue
		}
		for _, dir := range above.tops {
			if !seen[dir] {
				seen[dir] = true
				roots = append(roots, r.rootAt(dir))
			}
		}
		if len(above.tops) == 0 {
			roots = append(roots, rootOf(k, path.Dir(k.at.File)))
		}
	}
	if len(roots) == 0 { // they apply each other
		for _, k := range r.declared {
			roots = append(roots, rootOf(k, path.Dir(k.at.File)))
		}
	}
	return roots
}

// applied reports whether another Kustomization applies one of the places.
func (r *Repository) applied(k *Kustomization, places []string) bool {
	return slices.ContainsFunc(r.declared, func(other *Kustomization) bool {
		return other != k && slices.ContainsFunc(places, func(place string) bool { return applies(other, place) })
	})
}

// ancestry is where kustomizations list something, directly or not.
type ancestry struct{ all, tops []string }

func climb(listed map[string][]string, name string) ancestry {
	var a ancestry
	seen := map[string]bool{}
	var up func(name string)
	up = func(name string) {
		for _, dir := range listed[name] {
			if seen[dir] {
				continue
			}
			seen[dir] = true
			a.all = append(a.all, dir)
			if len(listed[dir]) == 0 {
				a.tops = append(a.tops, dir)
			}
			up(dir)
		}
	}
	up(name)
	slices.Sort(a.tops)
	return a
}
