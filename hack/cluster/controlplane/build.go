package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// rootModule is the module of this repository.
const rootModule = "github.com/gatehouse-dev/gatehouse"

// Programs of the modules in hack/cluster/modules. etcd's is called by its folder.
const (
	etcdProgram              = "server"
	apiServerProgram         = "kube-apiserver"
	controllerManagerProgram = "kube-controller-manager"
	sourceProgram            = "source-controller"
	kustomizeProgram         = "kustomize-controller"
	helmProgram              = "helm-controller"
	chartProgram             = "kyverno-chart"
)

// modules are the folders in hack/cluster/modules, each a module whose tools are
// the programs: their dependencies conflict.
func modules(options Options) []string {
	all := []string{"kubernetes", "kyverno"}
	if !options.WithoutFlux {
		all = append(all, "source-controller", "kustomize-controller")
	}
	if options.Helm {
		all = append(all, "helm-controller")
	}
	return all
}

// Programs holds the paths of the built programs and of the modules they come from.
type Programs struct {
	// paths of the programs by name.
	paths map[string]string
	// root of the repository.
	root string
}

// Build builds the programs that are not in the cache yet. All of them take 20 minutes on
// two cores. The key consists of go.mod, go.sum, the flags and the Go release.
func Build(ctx context.Context, options Options) (*Programs, error) {
	if options.Log == nil {
		options.Log = io.Discard
	}
	if options.Cache == "" {
		cache, err := DefaultCache()
		if err != nil {
			return nil, err
		}
		options.Cache = cache
	}
	p := &Programs{root: options.Root, paths: map[string]string{}}
	for _, module := range modules(options) {
		folder := filepath.Join(options.Root, "hack", "cluster", "modules", module)
		flags, err := linkerFlags(ctx, module, folder)
		if err != nil {
			return nil, err
		}
		key, err := cacheKey(ctx, folder, flags)
		if err != nil {
			return nil, err
		}
		target := filepath.Join(options.Cache, key)
		if err := buildModule(ctx, folder, target, flags, options.Log); err != nil {
			return nil, fmt.Errorf("building %s: %w", module, err)
		}
		entries, err := os.ReadDir(target)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			p.paths[e.Name()] = filepath.Join(target, e.Name())
		}
	}
	// The renderer of the chart is code of this repository: Go's own cache decides.
	p.paths[chartProgram] = filepath.Join(options.Cache, chartProgram)
	_, err := goCommand(ctx, filepath.Join(options.Root, "test", "upstream"), "build", "-o", p.paths[chartProgram], "./"+chartProgram)
	return p, err
}

// linkerFlags returns flags that set the version of the programs of Kubernetes, as its own
// build does. Without them the API server reports v0.0.0.
func linkerFlags(ctx context.Context, module, folder string) (string, error) {
	if module != "kubernetes" {
		return "-s -w", nil
	}
	version, err := goCommand(ctx, folder, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	return "-s -w -X k8s.io/component-base/version.gitVersion=" + strings.TrimSpace(string(version)), nil
}

func cacheKey(ctx context.Context, folder, flags string) (string, error) {
	release, err := goCommand(ctx, folder, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	hash.Write(release)
	hash.Write([]byte(flags))
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return "", err
		}
		hash.Write(data)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8]), nil
}

// buildModule builds into a folder next to the target and renames it, so that an existing
// target is complete.
func buildModule(ctx context.Context, folder, target, flags string, log io.Writer) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	fmt.Fprintf(log, "building %s (minutes, once)\n", filepath.Base(folder))
	begin := time.Now()
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(target), "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if _, err := goCommand(ctx, folder, "build", "-ldflags", flags, "-o", tmp+string(filepath.Separator), "tool"); err != nil {
		return err
	}
	if err := os.Rename(tmp, target); err != nil && !errors.Is(err, os.ErrExist) { // another process was faster
		return err
	}
	fmt.Fprintf(log, "built %s in %v\n", filepath.Base(folder), time.Since(begin).Round(time.Second))
	return nil
}

// moduleDir returns the folder of a module that a module in hack/cluster/modules requires.
// It need not be built.
func (p *Programs) moduleDir(ctx context.Context, module, path string) (string, error) {
	return downloadedDir(ctx, filepath.Join(p.root, "hack", "cluster", "modules", module), path)
}

// downloadedDir returns the folder of a module, which Go downloads and verifies: with its
// version, or without it in the folder of a module that requires it.
func downloadedDir(ctx context.Context, folder, module string) (string, error) {
	out, err := goCommand(ctx, folder, "mod", "download", "-json", module)
	if err != nil {
		return "", err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return "", fmt.Errorf("reading the answer of go mod download %s: %w", module, err)
	}
	return downloaded.Dir, nil
}

// Root finds the root of this repository from the working directory.
func Root(ctx context.Context) (string, error) {
	out, err := goCommand(ctx, ".", "list", "-m", "-f", "{{.Dir}}", rootModule)
	return strings.TrimSpace(string(out)), err
}

func goCommand(ctx context.Context, folder string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = folder, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
