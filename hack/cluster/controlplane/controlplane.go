package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Names of the components, for [ControlPlane.Kill] and its kin.
const (
	Etcd                = "etcd"
	APIServer           = "kube-apiserver"
	ControllerManager   = "kube-controller-manager"
	KyvernoAdmission    = "kyverno-admission-controller"
	KyvernoBackground   = "kyverno-background-controller"
	KyvernoCleanup      = "kyverno-cleanup-controller"
	KyvernoReports      = "kyverno-reports-controller"
	SourceController    = "source-controller"
	KustomizeController = "kustomize-controller"
	HelmController      = "helm-controller"
)

// readyTimeout is generous: CI machines build while they test.
const readyTimeout = 3 * time.Minute

// Options of a control plane.
type Options struct {
	// Root of the repository.
	Root string
	// Dir is the folder of the state: databases, keys, logs. It must be empty or not
	// exist. Close removes it.
	Dir string
	// Cache is the folder of the programs; DefaultCache if empty.
	Cache string
	// WithoutFlux leaves out Flux's controllers; its definitions and namespace are there.
	WithoutFlux bool
	// FluxLater leaves out all of Flux. The caller applies what
	// [ControlPlane.FluxExport] returns and then calls [ControlPlane.RunFlux].
	FluxLater bool
	// Helm runs helm-controller, too. [ControlPlane.InstallKyverno] needs it not to run.
	Helm bool
	// Log gets one line per step; nil is silent.
	Log io.Writer
}

// ControlPlane is a running control plane. Close must be called.
type ControlPlane struct {
	options  Options
	programs *Programs
	ports    *ports
	admin    *kube.Client
	git      *gitServer

	// stop ends the goroutines of this process.
	stop       context.CancelFunc
	background sync.WaitGroup

	mu        sync.Mutex
	processes []*process // in the order of their start
}

// DefaultCache is where programs are kept.
func DefaultCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache: %w", err)
	}
	return filepath.Join(dir, "gatehouse", "cluster"), nil
}

// Start builds the programs if needed and starts everything but Kyverno, which
// [ControlPlane.InstallKyverno] does. When it fails, nothing is left running.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	programs, err := Build(ctx, options)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	options.Dir = dir
	if options.Log == nil {
		options.Log = io.Discard
	}
	for _, name := range []string{"logs", "pids", "tmp", "kubeconfigs", "artifacts"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	background, stop := context.WithCancel(context.Background())
	c := &ControlPlane{options: options, programs: programs, ports: &ports{}, stop: stop}
	if err := c.startAll(ctx, background); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *ControlPlane) startAll(ctx, background context.Context) error {
	if err := c.startKubernetes(ctx); err != nil {
		return fmt.Errorf("starting Kubernetes: %w", err)
	}
	c.background.Go(func() { c.markPods(background) })
	git, err := startGit(ctx, c.path("git"), c.options.Log)
	if err != nil {
		return fmt.Errorf("starting the git server: %w", err)
	}
	c.git = git
	if err := c.installFlux(ctx); err != nil {
		return fmt.Errorf("installing Flux: %w", err)
	}
	return nil
}

// Close stops everything, in the reverse order, and removes the folder.
func (c *ControlPlane) Close() error {
	c.stop()
	c.background.Wait()
	c.mu.Lock()
	processes := slices.Clone(c.processes)
	c.mu.Unlock()
	for _, p := range slices.Backward(processes) {
		signal := syscall.SIGTERM
		if p.name == APIServer { // it would wait for watches that are no longer needed
			signal = syscall.SIGKILL
		}
		p.end(signal)
	}
	var err error
	if c.git != nil {
		err = c.git.close()
	}
	return errors.Join(err, os.RemoveAll(c.options.Dir))
}

// Client returns a client that acts as cluster-admin and takes over the fields that it applies.
func (c *ControlPlane) Client() *kube.Client { return c.admin }

// Kubeconfig returns the path of the kubeconfig of cluster-admin.
func (c *ControlPlane) Kubeconfig() string { return c.path("kubeconfig") }

// GitURL returns the URL of the repository, which needs no credentials.
func (c *ControlPlane) GitURL() string { return c.git.url() }

// Kill ends a component as a crash does, and keeps it down.
func (c *ControlPlane) Kill(name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	p.end(syscall.SIGKILL)
	return nil
}

// Crash kills a component, which is started again after a second, as Kubernetes does.
func (c *ControlPlane) Crash(name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	p.signal(syscall.SIGKILL)
	return nil
}

// Restart starts a component that was killed and waits until it is ready.
func (c *ControlPlane) Restart(ctx context.Context, name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	return p.waitReady(ctx, readyTimeout)
}

// Ready returns nil if the component serves.
func (c *ControlPlane) Ready(ctx context.Context, name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	return p.isReady(ctx)
}

// Log returns the path of a component's log.
func (c *ControlPlane) Log(name string) string { return c.path("logs", name+".log") }

func (c *ControlPlane) process(name string) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		if p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no component is called %q", name)
}

// run starts a component and waits until it is ready.
func (c *ControlPlane) run(ctx context.Context, p *process) error {
	p.dir, p.logs, p.pids = c.options.Dir, c.path("logs"), c.path("pids")
	p.env = append(p.env, "PATH="+os.Getenv("PATH"), "HOME="+c.path("tmp"), "TMPDIR="+c.path("tmp"))
	begin := time.Now()
	if err := p.start(); err != nil {
		return err
	}
	c.mu.Lock()
	c.processes = append(c.processes, p)
	c.mu.Unlock()
	if err := p.waitReady(ctx, readyTimeout); err != nil {
		return err
	}
	fmt.Fprintf(c.options.Log, "%s is ready after %.1f s\n", p.name, time.Since(begin).Seconds())
	return nil
}

// path returns the path of a file in the folder.
func (c *ControlPlane) path(elements ...string) string {
	return filepath.Join(append([]string{c.options.Dir}, elements...)...)
}

// applyAll applies objects in their order.
func (c *ControlPlane) applyAll(ctx context.Context, objects []manifest.Object) error {
	for _, o := range objects {
		if _, err := c.admin.Apply(ctx, o, "gatehouse-cluster"); err != nil {
			return fmt.Errorf("applying %s: %w", o.ID(), err)
		}
	}
	return nil
}
