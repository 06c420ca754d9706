package workload

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// Input is one file, stream, kustomization or repository of Flux.
type Input struct {
	// Name of the input in positions.
	Name string
	// Open opens a file or stream; nil for all others.
	Open func() (io.ReadCloser, error)
	// Size in bytes; 0 if it is not known.
	Size int64
	// Folder has the files of a kustomization, which is built from the folder Name; nil if
	// it does not matter which of them it does not lead to.
	Folder fs.FS
	// Root is the folder on disk that kustomize may read; empty for all of it. Outside adds
	// kustomizations outside it.
	Root    string
	Outside bool
	// Flux is a repository that is read as Flux does; nil for all others.
	Flux *fluxtree.Repository
	// chart is set for the folder of a Helm chart, and component for a component of kustomize:
	// neither is read by itself.
	chart, component bool
}

// Folder lists the inputs in a folder and its subfolders by name: files that end in
// .yaml, .yml or .json. A folder with a kustomization is built, and its files are not
// read. Hidden files and folders are left out, and what excluded says, which may be nil.
// display is the name of the folder in positions.
func Folder(fsys fs.FS, display string, excluded func(name string, dir bool) bool) ([]Input, error) {
	var inputs []Input
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		shown := path.Join(display, name)
		if name != "." && (strings.HasPrefix(d.Name(), ".") || excluded != nil && excluded(name, d.IsDir())) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			built := isKustomization(fsys, name)
			in := Input{Name: shown, chart: !built && isFile(fsys, path.Join(name, "Chart.yaml")), component: built && isComponent(fsys, name)}
			if !built && !in.chart {
				return nil
			}
			if in.Folder, err = fs.Sub(fsys, name); err != nil {
				return err
			}
			inputs = append(inputs, in)
			return fs.SkipDir
		}
		if !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) {
			return nil
		}
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() && !info.IsDir() { // a link to a folder is read where it lies
			return fmt.Errorf("%s %w", shown, regular.ErrType)
		}
		if info.Mode().IsRegular() {
			open := func() (io.ReadCloser, error) { return fsys.Open(name) }
			inputs = append(inputs, Input{Name: shown, Open: open, Size: info.Size()})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the folder %s: %w", display, err)
	}
	return inputs, nil
}

// kustomizations are the file names that kustomize looks for.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(fsys fs.FS, dir string) bool {
	return slices.ContainsFunc(kustomizations, func(name string) bool { return isFile(fsys, path.Join(dir, name)) })
}

// isComponent reports whether the kustomization of a folder is a part of others.
func isComponent(fsys fs.FS, dir string) bool {
	return slices.ContainsFunc(kustomizations, func(name string) bool {
		name = path.Join(dir, name)
		if !isFile(fsys, name) {
			return false
		}
		data, err := fs.ReadFile(fsys, name)
		return err == nil && componentKind.Match(data)
	})
}

var componentKind = regexp.MustCompile(`(?m)^kind:\s*"?Component\b`)

func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.Mode().IsRegular()
}

// Files reads the workloads of inputs, in their order.
type Files struct {
	inputs    []Input
	disk      filesys.FileSystem
	namespace string
	read      int64
	disks     map[string]*fluxtree.Disk // by the root of the inputs
	helm      *fluxtree.Helm
}

// NewFiles returns the workloads of the inputs. Kustomizations are built on disk, where
// their bases may be anywhere. Objects that need a namespace and have none get the given
// one.
func NewFiles(inputs []Input, disk filesys.FileSystem, namespace string) *Files {
	return &Files{inputs: inputs, disk: disk, namespace: namespace}
}

// Render renders the HelmReleases of inputs that are no repository of Flux, which renders its own.
func (f *Files) Render(helm *fluxtree.Helm) { f.helm = helm }

// Progress implements [Source]. The total is known if all inputs are files.
func (f *Files) Progress() (read, total int64) {
	for _, in := range f.inputs {
		if in.Size == 0 {
			return f.read, 0
		}
		total += in.Size
	}
	return f.read, total
}

// Each implements [Source].
func (f *Files) Each(ctx context.Context, yield func(Workload) error) (fluxtree.Problems, error) {
	var all fluxtree.Problems
	found := false
	f.read, f.disks = 0, map[string]*fluxtree.Disk{}
	checked := func(w Workload) error {
		found = true
		if err := ctx.Err(); err != nil {
			return err
		}
		return yield(w)
	}
	place := fluxtree.NewPlace(f.helm)
	for _, in := range f.inputs {
		var stopped error
		err := f.input(ctx, in, sink{file: in.Name, namespace: f.namespace, problems: &all, yield: checked, stopped: &stopped, place: place})
		var p *problem
		switch {
		case stopped != nil:
			return all, stopped
		case errors.As(err, &p):
			p.File = in.Name
			all.Add(p.Diagnostic)
		case err != nil:
			return all, fmt.Errorf("reading %s: %w", in.Name, err)
		}
	}
	var stopped error
	rendered := sink{namespace: f.namespace, problems: &all, yield: checked, stopped: &stopped}
	if err := place.Render(ctx, &all, rendered.take); err != nil {
		return all, cmp.Or(stopped, err)
	}
	if err := f.unreached(&all); err != nil {
		return all, err
	}
	if !found && !all.HasErrors() {
		all.Add(diag.Diagnostic{Code: "workload-none", Summary: "no Kubernetes object was found: nothing was judged"})
	}
	return all.Sort(), nil
}

// unreached notes what lies in the folders of kustomizations, and none of them leads to.
func (f *Files) unreached(problems *fluxtree.Problems) error {
	for _, in := range f.inputs {
		if in.Folder == nil || in.chart {
			continue
		}
		disk := f.disks[in.Root] // none if there are only components
		list, err := fluxtree.Unreached(in.Folder, in.Name, func(name string) bool { return disk != nil && disk.ReadIn(in.Name, name) })
		if err != nil {
			return fmt.Errorf("reading the folder %s: %w", in.Name, err)
		}
		*problems = append(*problems, list...)
	}
	for _, disk := range f.disks {
		for _, d := range disk.Warnings(disk.Display) {
			problems.Add(d)
		}
	}
	return nil
}

func (f *Files) input(ctx context.Context, in Input, s sink) error {
	switch {
	case in.Flux != nil:
		return flux(ctx, in.Flux, s)
	case in.chart:
		s.problem(diag.Diagnostic{Severity: diag.Warning, Code: CodeChart, Position: diag.Position{File: in.Name}, Summary: "not judged: a Helm chart, which has to be rendered", Hint: helmHint})
		return nil
	case in.component:
		return nil // of those that name it; else nothing leads to it
	case in.Open == nil:
		disk, err := f.diskOf(in)
		if err != nil {
			return err
		}
		return kustomize(ctx, disk, in.Name, s)
	}
	opened, err := in.Open()
	if err != nil {
		return err
	}
	defer opened.Close()
	buffered := bufio.NewReaderSize(io.TeeReader(opened, (*counter)(&f.read)), 64<<10)
	first, err := firstBytes(buffered)
	if err != nil {
		return err
	}
	if strings.HasPrefix(first, "{") && first != "{{" && first != "{%" { // those are templates
		return readJSON(buffered, s)
	}
	return readYAML(buffered, s)
}

// diskOf returns the disk for a kustomization: one for all with the same root.
func (f *Files) diskOf(in Input) (*fluxtree.Disk, error) {
	if disk := f.disks[in.Root]; disk != nil {
		return disk, nil
	}
	disk, err := fluxtree.NewDisk(f.disk, in.Root)
	if err != nil {
		return nil, err
	}
	disk.Outside = in.Outside
	f.disks[in.Root] = disk
	return disk, nil
}

// counter counts the bytes that are read.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// firstBytes returns the first two bytes that are not space without reading them, fewer if
// there are none near. It drops a byte order mark.
func firstBytes(in *bufio.Reader) (string, error) {
	const mark = "\ufeff"
	begin, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	text, marked := strings.CutPrefix(string(begin), mark)
	if marked {
		if _, err := in.Discard(len(mark)); err != nil {
			return "", err
		}
	}
	text = strings.TrimLeft(text, " \t\r\n")
	return text[:min(len(text), 2)], nil
}
