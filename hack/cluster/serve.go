package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Files next to the folder of the control plane, which exists only while it runs.
const (
	lockSuffix = ".lock" // locked by the process that serves; holds its pid
	logSuffix  = ".log"  // output of a start in the background
)

// stateFile is in the folder once everything is ready.
const stateFile = "state.json"

// state is the information for users.
type state struct {
	Kubeconfig string `json:"kubeconfig"`
	Git        string `json:"git"`
}

// serve runs the control plane until ctx ends.
func serve(ctx context.Context, o options, out, log io.Writer) error {
	release, err := kyvernoRelease(o.values)
	if err != nil {
		return err
	}
	lock, err := takeLock(o.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	// Remove the files of a killed run, whose processes died with it.
	if err := os.RemoveAll(o.dir); err != nil {
		return err
	}
	c, err := controlplane.Start(ctx, controlplane.Options{Root: o.root, Dir: o.dir, Log: log})
	if err != nil {
		return err
	}
	err = serveReady(ctx, c, o, release, out)
	return errors.Join(err, c.Close(), os.Remove(o.dir+lockSuffix))
}

// serveReady finishes the start, reports it, and waits for the end.
func serveReady(ctx context.Context, c *controlplane.ControlPlane, o options, release manifest.Object, out io.Writer) error {
	if !o.noKyverno {
		if err := c.InstallKyverno(ctx, release); err != nil {
			return fmt.Errorf("installing Kyverno: %w", err)
		}
	}
	s := state{Kubeconfig: c.Kubeconfig(), Git: c.GitURL()}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.dir, stateFile), raw, 0o644); err != nil {
		return err
	}
	s.print(out)
	<-ctx.Done()
	return nil
}

func (s state) print(out io.Writer) {
	fmt.Fprintf(out, "export KUBECONFIG=%s\ngit push %s HEAD:main\n", s.Kubeconfig, s.Git)
}

// takeLock makes sure that only one process serves a folder. The kernel releases the lock
// when the process ends.
func takeLock(dir string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(dir+lockSuffix, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a control plane runs in %s already; stop it first", dir), lock.Close())
	}
	if err := lock.Truncate(0); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if _, err := lock.WriteString(strconv.Itoa(os.Getpid())); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// kyvernoRelease reads values: the default ones, a HelmRelease, or more values over them.
func kyvernoRelease(files []string) (manifest.Object, error) {
	release := controlplane.DefaultRelease()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := manifest.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		for _, o := range objects {
			if o.Kind() == "HelmRelease" {
				release = o
				continue
			}
			spec := release["spec"].(map[string]any)
			values, _ := spec["values"].(map[string]any)
			spec["values"] = merge(values, o)
		}
	}
	return release, nil
}

// merge merges values as Helm does: maps are merged, everything else is replaced.
func merge(under, over map[string]any) map[string]any {
	merged := maps.Clone(under)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range over {
		below, isMap := merged[key].(map[string]any)
		above, wasMap := value.(map[string]any)
		if isMap && wasMap {
			value = merge(below, above)
		}
		merged[key] = value
	}
	return merged
}
