package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// reading says how WORKLOADS are read.
type reading struct {
	// flux follows the Kustomizations of Flux in folders that have some.
	flux bool
	// roots are the folders that clusters apply; empty to find them.
	roots []string
	// exclude are patterns of what is left out, as in .gitignore.
	exclude []string
	// substitute are files with ConfigMaps and Secrets for variables and values of charts.
	substitute []string
	// charts are folders with charts, and pull allows to pull others.
	charts []string
	pull   bool
	// renderer renders charts; nil for none.
	renderer fluxtree.Renderer
}

// given returns the flags about WORKLOADS that are set.
func (r reading) given() bool {
	return len(r.roots)+len(r.exclude)+len(r.substitute)+len(r.charts) > 0 || r.pull
}

// openWorkloads returns the source of the workloads. Of manifests, it reads only which of
// them Flux applies.
func openWorkloads(ctx context.Context, args []string, cluster *clusterOptions, kinds []string, in io.Reader, how reading) (workload.Source, error) {
	switch {
	case len(args) == 0 && !cluster.given():
		return nil, usagef("give WORKLOADS, or select a cluster with --context, --kubeconfig, -n or -A")
	case len(args) == 0 && how.given():
		return nil, usagef("--flux, --exclude, --substitute, --charts and --pull are about WORKLOADS, and cannot be used with a cluster")
	case len(args) == 0:
		return openCluster(cluster, kinds)
	case cluster.live():
		return nil, usagef("--context, --kubeconfig and -A read from a cluster and cannot be used with WORKLOADS")
	}
	values, err := readValues(how.substitute)
	if err != nil {
		return nil, err
	}
	helm, err := how.helm(values)
	if err != nil {
		return nil, err
	}
	var inputs []workload.Input
	for _, arg := range args {
		if arg == "-" {
			inputs = append(inputs, workload.Input{Name: "stdin", Open: func() (io.ReadCloser, error) { return io.NopCloser(interruptible{ctx, in}), nil }})
			continue
		}
		some, err := openWorkload(ctx, arg, how, values, helm)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, some...)
	}
	namespace := cluster.namespace
	if namespace == "" {
		namespace = "default"
	}
	files := workload.NewFiles(inputs, boundedDisk{filesys.MakeFsOnDisk()}, namespace)
	files.Render(helm)
	return quiet{files, values}, nil
}

// helm returns how HelmReleases are rendered; nil if they are not.
func (r reading) helm(values []fluxtree.Values) (*fluxtree.Helm, error) {
	if r.renderer == nil {
		return nil, nil
	}
	h := &fluxtree.Helm{Renderer: r.renderer, Pull: r.pull, Given: values}
	for _, dir := range r.charts {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, fmt.Errorf("--charts: %w", err)
		}
		charts, err := fluxtree.Charts(root.FS(), filepath.ToSlash(filepath.Clean(dir)))
		if err != nil {
			return nil, fmt.Errorf("--charts: %w", err)
		}
		if len(charts) == 0 {
			return nil, usagef("--charts: %s: there is no chart in it: neither a Chart.yaml nor a .tgz", dir)
		}
		h.Charts = append(h.Charts, charts...)
	}
	if r.pull {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("--pull: %w", err)
		}
		h.Cache = filepath.Join(cache, "gatehouse", "charts")
	}
	return h, nil
}

// quiet is a source that kustomize builds for: its warnings on the standard error stream have
// no place, and the source returns them with one.
// It also warns about values that nothing asked for.
type quiet struct {
	workload.Source
	values []fluxtree.Values
}

// Each implements [workload.Source].
func (q quiet) Each(ctx context.Context, yield func(workload.Workload) error) (fluxtree.Problems, error) {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer nowhere.Close()
	stderr := os.Stderr
	os.Stderr = nowhere
	defer func() { os.Stderr = stderr }()
	problems, err := q.Source.Each(ctx, yield)
	for _, d := range fluxtree.Unused(q.values) {
		problems.Add(d)
	}
	return problems, err
}

// readValues reads the ConfigMaps and Secrets in files.
func readValues(files []string) ([]fluxtree.Values, error) {
	var all []fluxtree.Values
	for _, name := range files {
		data, err := boundedDisk{filesys.MakeFsOnDisk()}.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--substitute: %w", err)
		}
		found := false
		for doc, err := range manifest.Documents(bytes.NewReader(data)) {
			var v fluxtree.Values
			ok := false
			if err == nil {
				v, ok, err = fluxtree.Given(doc.JSON)
			}
			if err != nil {
				return nil, fmt.Errorf("--substitute: %s: %w", name, plain.JSONError(err))
			}
			if found = found || ok; ok {
				v.At = diag.Position{File: filepath.ToSlash(name), Line: doc.Line}
				all = append(all, v)
			}
		}
		if !found {
			return nil, usagef("--substitute: %s: there is no ConfigMap or Secret in it", name)
		}
	}
	return all, nil
}

// boundedDisk is a disk for kustomize, which reads whole files. It reads regular files only,
// up to the size of a document of YAML.
type boundedDisk struct{ filesys.FileSystem }

// ReadFile implements filesys.FileSystem.
func (d boundedDisk) ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = regular.Check(info, manifest.MaxDocument)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return d.FileSystem.ReadFile(name)
}

func openWorkload(ctx context.Context, name string, how reading, values []fluxtree.Values, helm *fluxtree.Helm) ([]workload.Input, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading workloads: %w", err)
	}
	shown := filepath.ToSlash(filepath.Clean(name))
	if !info.IsDir() {
		if len(how.roots) > 0 {
			return nil, usagef("--flux needs the folder of a repository, and %s is a file", name)
		}
		open := func() (io.ReadCloser, error) { return openInterruptible(ctx, name) }
		return []workload.Input{{Name: shown, Open: open, Size: info.Size()}}, nil
	}
	if how.flux {
		repository, err := openFlux(name, fluxtree.Options{Roots: how.roots, Exclude: how.exclude, Values: values, Helm: helm})
		if err != nil {
			return nil, err
		}
		if repository.Flux() {
			return []workload.Input{{Name: shown, Flux: repository}}, nil
		}
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("reading workloads: %w", err)
	}
	inputs, err := workload.Folder(root.FS(), shown, fluxtree.Excluded(how.exclude))
	if err == nil && len(inputs) == 0 {
		var none diag.List
		none.Add(diag.Diagnostic{Code: "workload-none", Position: diag.Position{File: shown}, Summary: "the folder contains no .yaml, .yml or .json file"})
		err = none.Err()
	}
	within, outside := limit(name)
	for i := range inputs {
		inputs[i].Root, inputs[i].Outside = within, outside
	}
	return inputs, err
}

// openFlux looks through a folder that may be a repository of Flux, or a part of one: the
// paths of Kustomizations begin at the root of the repository, which is the folder that has
// more of them.
func openFlux(name string, o fluxtree.Options) (*fluxtree.Repository, error) {
	open := func(root, scope string) (*fluxtree.Repository, error) {
		dir, err := os.OpenRoot(root)
		if err != nil {
			return nil, fmt.Errorf("reading workloads: %w", err)
		}
		return fluxtree.Open(dir.FS(), boundedDisk{filesys.MakeFsOnDisk()}, root, filepath.ToSlash(filepath.Clean(root)), scope, o)
	}
	r, err := open(name, ".")
	if err != nil || !r.Flux() || len(o.Roots) > 0 {
		return r, err
	}
	above := versioned(name)
	if above == "" {
		return r, nil
	}
	scope, err := relative(above, name)
	if err != nil || scope == "." {
		return r, nil
	}
	outer, err := open(above, filepath.ToSlash(scope))
	if err == nil && outer.Found() > r.Found() {
		return outer, nil
	}
	return r, nil
}

// relative returns the path from one folder to another.
func relative(from, to string) (string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	if to, err = filepath.Abs(to); err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}

// versioned returns the folder under version control that a folder lies in; empty if there is
// none. It is relative if name is.
func versioned(name string) string {
	for dir := filepath.Clean(name); ; {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		above := filepath.Join(dir, "..")
		one, err := os.Stat(dir)
		other, otherErr := os.Stat(above)
		if err != nil || otherErr != nil || os.SameFile(one, other) {
			return ""
		}
		dir = above
	}
}

// limit returns the folder that the kustomizations in a folder may read: what is under version
// control with it, or else the working directory, or the folder itself if it lies elsewhere.
// Without version control, outside is set: bases may then lie anywhere.
func limit(name string) (root string, outside bool) {
	if dir := versioned(name); dir != "" {
		return dir, false
	}
	if filepath.IsLocal(name) {
		return ".", true
	}
	return name, true
}

// openInterruptible opens a file that may be a pipe, such as <(helm template …).
func openInterruptible(ctx context.Context, name string) (io.ReadCloser, error) {
	type opened struct {
		file *os.File
		err  error
	}
	o, err := await(ctx, func() opened {
		file, err := os.Open(name)
		return opened{file, err}
	})
	if err != nil {
		return nil, err
	}
	if o.err != nil {
		return nil, o.err
	}
	return struct {
		io.Reader
		io.Closer
	}{interruptible{ctx, o.file}, o.file}, nil
}

// openCluster returns the workloads that run in a cluster. It sends nothing yet.
func openCluster(o *clusterOptions, kinds []string) (*workload.Cluster, error) {
	namespace, err := o.chosenNamespace()
	if err != nil {
		return nil, err
	}
	client, err := o.connect(rest.NoWarnings{}) // of deprecated kinds, which the user did not name
	if err != nil {
		return nil, err
	}
	return &workload.Cluster{Name: client.Server(), Client: client, Namespace: namespace, Judged: kinds}, nil
}
