package controlplane

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	fluxNamespace = "flux-system"
	// helmControllerModule has only its definitions installed: it cannot be built with this Go.
	helmControllerModule = "github.com/fluxcd/helm-controller@v1.6.4"
)

// startFlux does the rest of what `flux install` does, and starts the two controllers. Both
// are bound to cluster-admin; Flux gives the source controller less, but nothing
// here depends on it.
func (c *ControlPlane) startFlux(ctx context.Context) error {
	var objects []manifest.Object
	for _, name := range []string{SourceController, KustomizeController} {
		binding := object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "flux-"+name)
		binding["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
		binding["subjects"] = []any{map[string]any{"kind": "ServiceAccount", "namespace": fluxNamespace, "name": name}}
		objects = append(objects, object("v1", "ServiceAccount", fluxNamespace, name), binding)
	}
	if err := c.applyAll(ctx, objects); err != nil {
		return err
	}
	ports, err := c.ports.take(5)
	if err != nil {
		return err
	}
	storage := address(ports[0])
	err = c.runFlux(ctx, SourceController, sourceProgram, ports[1:3],
		"--storage-path="+c.path("artifacts"), "--storage-addr="+storage, "--storage-adv-addr="+storage)
	if err != nil {
		return err
	}
	// The default of 30 s between looks at a dependency only makes tests slow.
	return c.runFlux(ctx, KustomizeController, kustomizeProgram, ports[3:5], "--requeue-dependency=2s")
}

func (c *ControlPlane) runFlux(ctx context.Context, name, program string, ports []int, args ...string) error {
	kubeconfig, err := c.serviceAccountKubeconfig(ctx, fluxNamespace, name)
	if err != nil {
		return err
	}
	health := address(ports[1])
	return c.run(ctx, &process{
		name: name, program: c.programs.paths[program],
		args: append(args, "--watch-all-namespaces", "--events-addr=", "--enable-leader-election=false",
			"--metrics-addr="+address(ports[0]), "--health-addr="+health),
		env:   []string{"RUNTIME_NAMESPACE=" + fluxNamespace, "KUBECONFIG=" + kubeconfig},
		ready: probe("http://" + health + "/readyz"),
	})
}

func (c *ControlPlane) installFluxCRDs(ctx context.Context) error {
	var crds []manifest.Object
	for _, controller := range []string{SourceController, KustomizeController} {
		dir, err := c.programs.moduleDir(ctx, controller, "github.com/fluxcd/"+controller)
		if err != nil {
			return err
		}
		found, err := readFolder(filepath.Join(dir, "config", "crd", "bases"))
		if err != nil {
			return fmt.Errorf("reading the definitions of %s: %w", controller, err)
		}
		crds = append(crds, found...)
	}
	dir, err := downloadedDir(ctx, helmControllerModule)
	if err != nil {
		return err
	}
	found, err := readFolder(filepath.Join(dir, "config", "crd", "bases"))
	if err != nil {
		return fmt.Errorf("reading the definitions of helm-controller: %w", err)
	}
	return c.installCRDs(ctx, append(crds, found...))
}
