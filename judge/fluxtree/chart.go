package fluxtree

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/ranges"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Renderer renders and pulls charts; *engine.Renderer does.
type Renderer interface {
	Render(context.Context, engine.RenderParams) (engine.RenderResult, error)
	Pull(context.Context, engine.PullParams) (engine.PullResult, error)
}

// Helm says how HelmReleases are rendered.
type Helm struct {
	// Renderer renders charts; nil renders none.
	Renderer Renderer
	// Charts are charts that are at hand besides those of the repository.
	Charts []Chart
	// Pull allows to pull charts from where the repository says, into the folder Cache.
	Pull  bool
	Cache string
	// Given are ConfigMaps and Secrets that replace those of the repository.
	Given []Values

	rendered memory
}

// chart is a chart that is at hand.
type chart struct {
	files   map[string][]byte
	archive []byte
	size    int // of the files
	// origins are where the files lie in the repository; none for other charts.
	origins map[string]string
	// from says where it comes from.
	from string
	// spec has the files of values, and defaults those that lie in the repository.
	spec     chartSpec
	defaults [][]byte
}

// taken says which chart was taken.
func (c *chart) taken(version string) string { return "chart " + version + " from " + c.from }

// wanted is the chart that a release asks for.
type wanted struct {
	name string
	// version is a version, a range or empty. A tag of a registry, or a digest, may be neither.
	version string
	pull    engine.PullParams
	// place says where it is.
	place string
	// unpullable says why it cannot be pulled; empty if it can.
	unpullable string
}

// chart finds the chart of a release. The error says why it is not at hand.
func (p *Place) chart(ctx context.Context, r *helmRelease) (*chart, error) {
	if ref := r.Spec.ChartRef; ref != nil {
		ref.Namespace = cmp.Or(ref.Namespace, r.Metadata.Namespace)
		switch ref.Kind {
		case "OCIRepository":
			return p.find(ctx, p.artifact(*ref), chartSpec{})
		case "HelmChart":
			return p.helmChart(ctx, *ref)
		}
		return nil, fmt.Errorf("its chart is %s %s/%s, which is made in the cluster", ref.Kind, ref.Namespace, ref.Name)
	}
	return p.ofSpec(ctx, r.Spec.Chart.Spec, r.Metadata.Namespace)
}

// helmChart finds the chart of a HelmChart.
func (p *Place) helmChart(ctx context.Context, ref reference) (*chart, error) {
	raw, known := p.sources[sourceKey(ref)]
	if !known {
		return nil, fmt.Errorf("its chart is HelmChart %s/%s, which nothing here applies", ref.Namespace, ref.Name)
	}
	var object struct{ Spec chartSpec }
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("HelmChart %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return p.ofSpec(ctx, object.Spec, ref.Namespace)
}

func sourceKey(ref reference) string { return ref.Kind + "/" + ref.Namespace + "/" + ref.Name }

// ofSpec finds the chart of a template of a HelmChart.
func (p *Place) ofSpec(ctx context.Context, spec chartSpec, namespace string) (*chart, error) {
	if len(spec.ValuesFiles) == 0 && spec.ValuesFile != "" {
		spec.ValuesFiles = []string{spec.ValuesFile}
	}
	ref := spec.SourceRef
	ref.Namespace = cmp.Or(ref.Namespace, namespace)
	if ref.Kind == "HelmRepository" {
		return p.find(ctx, p.listed(ref, spec), spec)
	}
	dir := path.Clean(strings.TrimLeft(path.Clean("/"+spec.Chart), "/"))
	var exists bool
	if p.repository != nil {
		_, err := fs.Stat(p.repository.fsys, dir)
		exists = err == nil
	}
	if exists && ref.Kind == "GitRepository" && p.other(ref, false) == "" {
		p.see(ref)
		return p.inRepository(ctx, dir, spec)
	}
	return p.find(ctx, wanted{name: strings.TrimSuffix(path.Base(dir), ".tgz"), place: fmt.Sprintf("%s %s/%s", ref.Kind, ref.Namespace, ref.Name),
		unpullable: "only charts of a HelmRepository or OCIRepository are pulled"}, spec)
}

// listed returns the chart of a HelmRepository.
func (p *Place) listed(ref reference, spec chartSpec) wanted {
	w := wanted{name: spec.Chart, version: spec.Version, place: fmt.Sprintf("HelmRepository %s/%s", ref.Namespace, ref.Name)}
	var object struct {
		Spec struct {
			URL, Type string
			Insecure  bool
		}
	}
	if raw, known := p.sources[sourceKey(ref)]; !known || json.Unmarshal(raw, &object) != nil || object.Spec.URL == "" {
		w.unpullable = "nothing here applies " + w.place
		return w
	}
	w.place += " (" + object.Spec.URL + ")"
	w.pull = engine.PullParams{URL: object.Spec.URL, Chart: spec.Chart, Version: spec.Version, PlainHTTP: object.Spec.Insecure}
	if strings.HasPrefix(object.Spec.URL, "oci://") {
		w.pull.URL, w.pull.Chart = strings.TrimSuffix(object.Spec.URL, "/")+"/"+spec.Chart, ""
	}
	return w
}

// artifact returns the chart of an OCIRepository.
func (p *Place) artifact(ref reference) wanted {
	w := wanted{place: fmt.Sprintf("OCIRepository %s/%s", ref.Namespace, ref.Name)}
	var object struct {
		Spec struct {
			URL      string
			Insecure bool
			Ref      struct{ Digest, Semver, SemverFilter, Tag string }
		}
	}
	if raw, known := p.sources[sourceKey(ref)]; !known || json.Unmarshal(raw, &object) != nil || object.Spec.URL == "" {
		w.unpullable = "nothing here applies " + w.place
		return w
	}
	which := object.Spec.Ref
	w.name = path.Base(object.Spec.URL)
	w.place += " (" + object.Spec.URL + ")"
	w.pull = engine.PullParams{URL: object.Spec.URL, PlainHTTP: object.Spec.Insecure}
	switch {
	case which.Digest != "":
		w.pull.Digest = which.Digest
	case which.Semver != "":
		w.version, w.pull.Version, w.pull.Filter = which.Semver, which.Semver, which.SemverFilter
	default:
		w.pull.Tag = cmp.Or(which.Tag, "latest")
		if version := strings.ReplaceAll(which.Tag, "_", "+"); ranges.Exact(version) {
			w.version = version
		}
	}
	return w
}

// find finds a chart that is not in the repository: among those that were given, or by pulling it.
func (p *Place) find(ctx context.Context, w wanted, spec chartSpec) (*chart, error) {
	text := strings.TrimSpace(w.name + " " + w.version)
	if text == "" {
		text = "(without a name)"
	}
	given, other := p.given(w)
	switch {
	case given != nil:
		data, err := given.read()
		if err != nil {
			return nil, fmt.Errorf("its chart %s: %w", given.From, err)
		}
		data.spec = spec
		return data, p.complete(ctx, data, "", 0)
	case !p.helm.Pull:
		return nil, fmt.Errorf("its chart %s of %s is not at hand%s: %s", text, w.place, other, GiveOrPull)
	case w.unpullable != "":
		return nil, fmt.Errorf("its chart %s of %s is not at hand%s, and cannot be pulled: %s; give it with --charts", text, w.place, other, w.unpullable)
	}
	w.pull.Cache = p.helm.Cache
	pulled, err := p.helm.Renderer.Pull(ctx, w.pull)
	if err != nil {
		return nil, fmt.Errorf("its chart %s cannot be pulled: %w", text, err)
	}
	return &chart{archive: pulled.Archive, spec: spec, from: w.pull.URL}, nil
}

// given returns the highest of the charts that were given which a release may take; nil if there
// is none, and then what there is instead.
func (p *Place) given(w wanted) (found *Chart, other string) {
	var versions []string
	var at []int
	for i, c := range p.helm.Charts {
		if c.Name == w.name {
			versions, at = append(versions, c.Version), append(at, i)
		}
	}
	if len(at) == 0 {
		return nil, ""
	}
	best, err := ranges.Highest(versions, w.version, func(int, int) bool { return false })
	if err != nil {
		return nil, fmt.Sprintf(" (--charts has %s)", strings.Join(versions, ", "))
	}
	return &p.helm.Charts[at[best]], ""
}

// inRepository reads a chart of the repository.
func (p *Place) inRepository(ctx context.Context, dir string, spec chartSpec) (*chart, error) {
	c := &chart{files: map[string][]byte{}, origins: map[string]string{}, spec: spec, from: path.Join(p.repository.display, dir)}
	for _, name := range spec.ValuesFiles { // paths in the repository
		data, err := p.repository.file(path.Clean(strings.TrimLeft(path.Clean("/"+name), "/")))
		switch {
		case err == nil:
			c.defaults = append(c.defaults, data)
		case !errors.Is(err, fs.ErrNotExist) || !spec.IgnoreMissingValuesFiles:
			return nil, fmt.Errorf("the values file %s: %w", name, err)
		}
	}
	if c.spec.ValuesFiles = nil; len(spec.ValuesFiles) > 0 && len(c.defaults) == 0 {
		c.defaults = [][]byte{[]byte("{}")} // without those that are missing, there are no values
	}
	if info, err := fs.Stat(p.repository.fsys, dir); err != nil || !info.IsDir() {
		data, err := fs.ReadFile(p.repository.fsys, dir)
		c.archive = data
		return c, err
	}
	if err := p.folder(c, dir, ""); err != nil {
		return nil, fmt.Errorf("its chart %s: %w", dir, err)
	}
	return c, p.complete(ctx, c, "", 0)
}

// file reads a file that the source has.
func (r *Repository) file(name string) ([]byte, error) {
	if r.disk.absent(name) {
		return nil, fmt.Errorf("%s is left out of the source: %w", name, fs.ErrNotExist)
	}
	return fs.ReadFile(r.fsys, name)
}

// folder adds the files of a folder of the repository to a chart, below a prefix.
func (p *Place) folder(c *chart, dir, prefix string) error {
	r := p.repository
	return eachFile(r.fsys, dir, r.disk.absent, func(name, below string, data []byte) error {
		c.origins[prefix+below] = name
		return c.add(prefix+below, data)
	})
}

// Limits of a chart.
const (
	maxChart   = 20 << 20 // bytes
	maxFiles   = 5000
	maxDepends = 5
)

// add adds a file to a folder.
func (c *chart) add(name string, data []byte) error {
	c.files[name] = data
	if c.size += len(data); c.size > maxChart || len(c.files) > maxFiles {
		return fmt.Errorf("it is too large: at most %d MiB and %d files are read", maxChart>>20, maxFiles)
	}
	return nil
}

// dependency is a chart that another one needs.
type dependency struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
}

// dependencies returns what the chart in a folder of a chart needs, with the versions of the lock.
func (c *chart) dependencies(prefix string) ([]dependency, error) {
	var all []dependency
	for _, names := range [][]string{{"Chart.yaml", "requirements.yaml"}, {"Chart.lock", "requirements.lock"}} {
		for _, name := range names {
			var content struct {
				Dependencies []dependency `json:"dependencies"`
			}
			if err := yaml.Unmarshal(c.files[prefix+name], &content); err != nil {
				return nil, fmt.Errorf("%s: %w", prefix+name, err)
			}
			if len(content.Dependencies) > 0 {
				all = content.Dependencies
			}
		}
	}
	return all, nil
}

// complete adds the charts that a folder needs and does not have, as source-controller does.
func (p *Place) complete(ctx context.Context, c *chart, prefix string, depth int) error {
	if c.archive != nil {
		return nil
	}
	needs, err := c.dependencies(prefix)
	if err != nil {
		return err
	}
	for _, d := range needs {
		if !c.has(prefix, d.Name) {
			if err := p.depend(ctx, c, prefix, d, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// has reports whether a chart has another one in its folder charts.
func (c *chart) has(prefix, name string) bool {
	if _, folder := c.files[prefix+"charts/"+name+"/Chart.yaml"]; folder {
		return true
	}
	for file := range c.files {
		rest, named := strings.CutPrefix(file, prefix+"charts/"+name+"-")
		version, packaged := strings.CutSuffix(rest, ".tgz")
		if named && packaged && ranges.Exact(version) {
			return true
		}
	}
	return false
}

// depend adds one chart that another one needs.
func (p *Place) depend(ctx context.Context, c *chart, prefix string, d dependency, depth int) error {
	if depth >= maxDepends {
		return fmt.Errorf("its chart depends on others that depend on others, more than %d times", maxDepends)
	}
	if rel, local := strings.CutPrefix(d.Repository, "file://"); local {
		dir := path.Join(path.Dir(c.origins[prefix+"Chart.yaml"]), rel)
		if c.origins == nil || !fs.ValidPath(dir) {
			return fmt.Errorf("its chart depends on %s, which is not in the repository", d.Repository)
		}
		below := prefix + "charts/" + d.Name + "/"
		if err := p.folder(c, dir, below); err != nil {
			return fmt.Errorf("its chart depends on %s: %w", d.Repository, err)
		}
		return p.complete(ctx, c, below, depth+1)
	}
	w := wanted{name: d.Name, version: d.Version, place: cmp.Or(d.Repository, "no repository")}
	switch {
	case strings.HasPrefix(d.Repository, "oci://"):
		w.pull = engine.PullParams{URL: strings.TrimSuffix(d.Repository, "/") + "/" + d.Name, Version: d.Version}
	case strings.HasPrefix(d.Repository, "http://"), strings.HasPrefix(d.Repository, "https://"):
		w.pull = engine.PullParams{URL: d.Repository, Chart: d.Name, Version: d.Version}
	default:
		w.unpullable = fmt.Sprintf("the repository %q of it is not known", d.Repository)
	}
	found, err := p.find(ctx, w, chartSpec{})
	if err != nil {
		return fmt.Errorf("its chart depends on another: %w", err)
	}
	if found.archive != nil {
		return c.add(prefix+"charts/"+d.Name+"-0.0.0.tgz", found.archive) // what it is called does not matter
	}
	for name, data := range found.files {
		if err := c.add(prefix+"charts/"+d.Name+"/"+name, data); err != nil {
			return err
		}
	}
	return nil
}

// eachFile calls yield for the regular files in a folder, with their paths below it. Links are
// left out, as Flux leaves them out of a source, and what is absent, by its path.
func eachFile(fsys fs.FS, dir string, absent func(name string) bool, yield func(name, below string, data []byte) error) error {
	return fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != dir && absent(name):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		below := name
		if dir != "." {
			below = strings.TrimPrefix(name, dir+"/")
		}
		return yield(name, below, data)
	})
}

// params are what the chart is rendered with.
func (c *chart) params(v variant, apis []string) engine.RenderParams {
	r := v.release
	var metadata string
	if len(c.defaults)+len(c.spec.ValuesFiles) > 0 {
		metadata = "1" // source-controller counts how often the files of values were changed
	}
	return engine.RenderParams{
		Files: c.files, Archive: c.archive, Defaults: c.defaults, ValuesFiles: c.spec.ValuesFiles, IgnoreMissing: c.spec.IgnoreMissingValuesFiles,
		Name: r.name(), Namespace: r.namespace(), Owner: r.Metadata.Namespace,
		Values: r.Spec.Values, ValuesFrom: r.Spec.ValuesFrom, Sources: v.sources, APIVersions: apis,
		SkipCRDs: !r.installsCRDs(), SkipSchema: r.Spec.Install.DisableSchemaValidation || v.madeUp, Metadata: metadata,
	}
}

// maxArchive bounds a packaged chart; manifest.MaxDocument bounds a file.
const maxArchive = max(maxChart, manifest.MaxDocument)
