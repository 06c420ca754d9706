package workload

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// Input is one file, stream or kustomization.
type Input struct {
	// Name of the input in positions.
	Name string
	// Open opens a file or stream; nil for a kustomization, which is built from
	// the folder Name.
	Open func() (io.ReadCloser, error)
	// Size in bytes; 0 if it is not known.
	Size int64
}

// Folder lists the inputs in a folder and its subfolders by name: files that end in
// .yaml, .yml or .json. A folder with a kustomization is built, and its files are not
// read. Hidden files and folders are left out. display is the name of the folder in
// positions.
func Folder(fsys fs.FS, display string) ([]Input, error) {
	var inputs []Input
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		shown := path.Join(display, name)
		if hidden := strings.HasPrefix(d.Name(), ".") && name != "."; hidden {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if !isKustomization(fsys, name) {
				return nil
			}
			inputs = append(inputs, Input{Name: shown})
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
	return slices.ContainsFunc(kustomizations, func(name string) bool {
		info, err := fs.Stat(fsys, path.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	})
}

// Files reads the workloads of inputs, in their order.
type Files struct {
	inputs    []Input
	disk      filesys.FileSystem
	namespace string
	read      int64
}

// NewFiles returns the workloads of the inputs. Kustomizations are built on disk, where
// their bases may be anywhere. Objects that need a namespace and have none get the given
// one.
func NewFiles(inputs []Input, disk filesys.FileSystem, namespace string) *Files {
	return &Files{inputs: inputs, disk: disk, namespace: namespace}
}

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
func (f *Files) Each(ctx context.Context, yield func(Workload) error) (diag.List, error) {
	var all diag.List
	found := false
	f.read = 0
	checked := func(w Workload) error {
		found = true
		if err := ctx.Err(); err != nil {
			return err
		}
		return yield(w)
	}
	for _, in := range f.inputs {
		var stopped error
		err := f.input(ctx, in, sink{file: in.Name, namespace: f.namespace, problems: &all, yield: checked, stopped: &stopped})
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
	if !found && !all.HasErrors() {
		all.Add(diag.Diagnostic{Code: "workload-none", Summary: "no Kubernetes object was found: nothing was judged"})
	}
	return all.Sort(), nil
}

func (f *Files) input(ctx context.Context, in Input, s sink) error {
	if in.Open == nil {
		return kustomize(ctx, f.disk, in.Name, s)
	}
	opened, err := in.Open()
	if err != nil {
		return err
	}
	defer opened.Close()
	buffered := bufio.NewReaderSize(io.TeeReader(opened, (*counter)(&f.read)), 64<<10)
	first, err := firstByte(buffered)
	if err != nil {
		return err
	}
	if first == '{' || first == '[' {
		return readJSON(buffered, s)
	}
	return readYAML(buffered, s)
}

// counter counts the bytes that are read.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// firstByte returns the first byte that is not space without reading it; 0 if there is
// none near. It drops a byte order mark.
func firstByte(in *bufio.Reader) (byte, error) {
	const mark = "\ufeff"
	begin, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	text, marked := strings.CutPrefix(string(begin), mark)
	if marked {
		if _, err := in.Discard(len(mark)); err != nil {
			return 0, err
		}
	}
	if text = strings.TrimLeft(text, " \t\r\n"); text == "" {
		return 0, nil
	}
	return text[0], nil
}
