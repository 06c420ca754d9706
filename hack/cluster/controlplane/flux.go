package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	fluxNamespace = "flux-system"
	// fluxModule holds what `flux install` adds to the manifests of the controllers.
	fluxModule = "github.com/fluxcd/flux2/v2@v2.9.5"
)

// FluxExport returns the output of `flux install --export` for source, kustomize and
// helm-controller, made from the same manifests in the modules of Flux. NetworkPolicies are
// left out, because nothing here enforces them.
func (c *ControlPlane) FluxExport(ctx context.Context) ([]byte, error) {
	disk := filesys.MakeFsInMemory()
	flux, err := downloadedDir(ctx, os.TempDir(), fluxModule)
	if err != nil {
		return nil, err
	}
	if err := copyInto(disk, filepath.Join(flux, "manifests"), "flux"); err != nil {
		return nil, err
	}
	resources := []string{"namespace.yaml", "../rbac"}
	for _, controller := range []string{SourceController, KustomizeController, HelmController} {
		dir, err := c.programs.moduleDir(ctx, controller, "github.com/fluxcd/"+controller)
		if err != nil {
			return nil, err
		}
		if err := copyInto(disk, filepath.Join(dir, "config"), controller); err != nil {
			return nil, err
		}
		if err := localBase(disk, controller); err != nil {
			return nil, err
		}
		resources = append(resources, "../bases/"+controller)
	}
	install, err := json.Marshal(map[string]any{"namespace": fluxNamespace, "resources": resources, "transformers": []string{"labels.yaml"}})
	if err != nil {
		return nil, err
	}
	if err := disk.WriteFile("flux/install/kustomization.yaml", install); err != nil { // theirs has all controllers
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "flux/install")
	if err != nil {
		return nil, fmt.Errorf("building the manifests of Flux: %w", err)
	}
	return built.AsYaml()
}

// released returns the manifests of a controller's release, which are in its module.
var released = regexp.MustCompile(`https://\S+\.(crds|deployment)\.yaml`)

// localBase lets Flux's base of a controller take the manifests of the module.
func localBase(disk filesys.FileSystem, controller string) error {
	name := path.Join("flux", "bases", controller, "kustomization.yaml")
	base, err := disk.ReadFile(name)
	if err != nil {
		return err
	}
	return disk.WriteFile(name, released.ReplaceAllFunc(base, func(url []byte) []byte {
		folder := "manager"
		if string(released.FindSubmatch(url)[1]) == "crds" {
			folder = "crd"
		}
		return []byte(path.Join("../../..", controller, folder))
	}))
}

// copyInto copies the YAML files of a folder.
func copyInto(disk filesys.FileSystem, dir, target string) error {
	return filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return disk.WriteFile(path.Join(target, filepath.ToSlash(relative)), data)
	})
}

// installFlux applies as much of Flux as the options ask for, and starts it.
func (c *ControlPlane) installFlux(ctx context.Context) error {
	if c.options.FluxLater {
		return nil
	}
	export, err := c.FluxExport(ctx)
	if err != nil {
		return err
	}
	objects, err := manifest.Parse(export)
	if err != nil {
		return fmt.Errorf("reading the manifests of Flux: %w", err)
	}
	var crds, rest []manifest.Object
	for _, o := range objects {
		if o.Kind() == "CustomResourceDefinition" {
			crds = append(crds, o)
		} else {
			rest = append(rest, o)
		}
	}
	if err := c.installCRDs(ctx, crds); err != nil {
		return err
	}
	if c.options.WithoutFlux {
		return c.applyAll(ctx, []manifest.Object{object("v1", "Namespace", "", fluxNamespace)})
	}
	if err := c.applyAll(ctx, rest); err != nil { // kustomize puts the namespace first
		return err
	}
	return c.RunFlux(ctx)
}

// RunFlux does what a kubelet does with the Deployments of the controllers of Flux that
// the options ask for: it starts them with their flags and ServiceAccounts, and returns
// when they are ready.
func (c *ControlPlane) RunFlux(ctx context.Context) error {
	ports, err := c.ports.take(1)
	if err != nil {
		return err
	}
	storage := address(ports[0])
	err = c.runFlux(ctx, SourceController, sourceProgram,
		"--storage-path="+c.path("artifacts"), "--storage-addr="+storage, "--storage-adv-addr="+storage)
	if err != nil {
		return err
	}
	// The default of 30 s between looks at a dependency only makes tests slow.
	const dependencies = "--requeue-dependency=2s"
	if err := c.runFlux(ctx, KustomizeController, kustomizeProgram, dependencies); err != nil || !c.options.Helm {
		return err
	}
	return c.runFlux(ctx, HelmController, helmProgram, dependencies)
}

// runFlux starts the controller of a Deployment. The flags for running outside of
// a Pod come last and win. One process needs no leader election, and events have no
// receiver.
func (c *ControlPlane) runFlux(ctx context.Context, name, program string, outside ...string) error {
	live, err := c.admin.Get(ctx, "apps/v1", "Deployment", fluxNamespace, name)
	if err != nil {
		return err
	}
	d, err := readDeployment(live)
	if err != nil {
		return err
	}
	ports, err := c.ports.take(2)
	if err != nil {
		return err
	}
	pod := d.Spec.Template.Spec
	kubeconfig, err := c.serviceAccountKubeconfig(ctx, fluxNamespace, pod.ServiceAccountName)
	if err != nil {
		return err
	}
	health := address(ports[1])
	outside = append(outside, "--events-addr=", "--enable-leader-election=false", "--metrics-addr="+address(ports[0]), "--health-addr="+health)
	return c.run(ctx, &process{
		name: name, program: c.programs.paths[program],
		args:  append(slices.Clone(pod.Containers[0].Args), outside...),
		env:   []string{"RUNTIME_NAMESPACE=" + fluxNamespace, "KUBECONFIG=" + kubeconfig},
		ready: probe("http://" + health + "/readyz"),
	})
}
