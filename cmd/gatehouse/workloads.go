package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// openWorkloads returns the source of the workloads. It reads nothing yet.
func openWorkloads(ctx context.Context, args []string, cluster *clusterOptions, kinds []string, in io.Reader) (workload.Source, error) {
	switch {
	case len(args) == 0 && !cluster.given():
		return nil, usagef("give WORKLOADS, or select a cluster with --context, --kubeconfig, -n or -A")
	case len(args) == 0:
		return openCluster(cluster, kinds)
	case cluster.live():
		return nil, usagef("--context, --kubeconfig and -A read from a cluster and cannot be used with WORKLOADS")
	}
	var inputs []workload.Input
	for _, arg := range args {
		if arg == "-" {
			inputs = append(inputs, workload.Input{Name: "stdin", Open: func() (io.ReadCloser, error) { return io.NopCloser(interruptible{ctx, in}), nil }})
			continue
		}
		some, err := openWorkload(ctx, arg)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, some...)
	}
	namespace := cluster.namespace
	if namespace == "" {
		namespace = "default"
	}
	return workload.NewFiles(inputs, boundedDisk{filesys.MakeFsOnDisk()}, namespace), nil
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

func openWorkload(ctx context.Context, name string) ([]workload.Input, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading workloads: %w", err)
	}
	shown := filepath.ToSlash(filepath.Clean(name))
	if !info.IsDir() {
		open := func() (io.ReadCloser, error) { return openInterruptible(ctx, name) }
		return []workload.Input{{Name: shown, Open: open, Size: info.Size()}}, nil
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("reading workloads: %w", err)
	}
	inputs, err := workload.Folder(root.FS(), shown)
	if err == nil && len(inputs) == 0 {
		var none diag.List
		none.Add(diag.Diagnostic{Code: "workload-none", Position: diag.Position{File: shown}, Summary: "the folder contains no .yaml, .yml or .json file"})
		err = none.Err()
	}
	return inputs, err
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
