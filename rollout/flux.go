package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// What bootstrap does if a cluster has no Flux: spec.flux.install of the profile.
const (
	// FluxByCLI applies what `flux install --export` printed.
	FluxByCLI = "cli"
	// FluxByOperator creates a FluxInstance, which the Flux Operator acts on.
	FluxByOperator = "operator"
)

// The Flux that the Kustomizations are written and tested for. The operator takes
// any patch release of the minor version, the CLI exactly one.
const (
	fluxRange   = "2.9.x"
	fluxVersion = "v2.9.5"
)

const fluxInstanceAPI = "fluxcd.controlplane.io/v1"

// fluxComponents lists what Flux's own tools install by default. The repository
// needs the first three; the user's alerts need the last.
func fluxComponents() []string {
	return []string{"source-controller", "kustomize-controller", "helm-controller", "notification-controller"}
}

// FluxInstance returns the object that the Flux Operator installs Flux from. The
// operator accepts only one, called flux, in its own namespace.
func (t *Target) FluxInstance() manifest.Object {
	var components []any
	for _, c := range fluxComponents() {
		components = append(components, c)
	}
	o := identity(fluxInstanceAPI, "FluxInstance", t.Namespace, "flux")
	o["spec"] = map[string]any{
		"distribution": map[string]any{"version": fluxRange, "registry": "ghcr.io/fluxcd"},
		"components":   components,
	}
	return o
}

// fluxInstallCommand returns the command that prints the Flux that the repository needs.
func (t *Target) fluxInstallCommand() string {
	return "flux install --export --version=" + fluxVersion + " --namespace=" + t.Namespace + " --components=" + strings.Join(fluxComponents(), ",")
}

// fluxKind is a kind of Flux that the repository needs, and its controller.
type fluxKind struct{ apiVersion, kind, controller string }

func (t *Target) fluxKinds() []fluxKind {
	kinds := []fluxKind{
		{kustomizationAPI, "Kustomization", "kustomize-controller"},
		{sourceAPI, t.SourceKind, "source-controller"},
	}
	if len(t.Releases) > 0 {
		kinds = append(kinds, fluxKind{helmAPI, "HelmRelease", "helm-controller"})
	}
	return kinds
}

// settleFlux drops the FluxInstance if applying it would change a Flux that others
// set up: a FluxInstance of theirs, or a Flux without one, which the operator would
// take over with the settings of ours.
func (b *Bootstrap) settleFlux(ctx context.Context, c *checks) {
	if b.Target.FluxInstall != FluxByOperator {
		return
	}
	instances, err := b.Client.List(ctx, fluxInstanceAPI, "FluxInstance", "", "")
	if err != nil && !kube.IsNotServed(err) {
		c.wrong("", "Flux Operator: listing FluxInstances: %v", err)
		return
	}
	if i := slices.IndexFunc(instances, func(o manifest.Object) bool { return !applied(o) }); i >= 0 {
		c.ok("Flux: %s is managed by others and stays as it is", display(instances[i]))
		b.Flux = nil
		return
	}
	missing, err := b.missingFluxKinds(ctx)
	switch {
	case err != nil: // Flux may be installed
		c.wrong("", "Flux: %v", err)
	case len(instances) == 0 && len(missing) < len(b.Target.fluxKinds()):
		c.warn("to migrate it: https://fluxoperator.dev/docs/guides/migration", "Flux: it runs without a FluxInstance and stays as it is, although the profile says operator")
		b.Flux = nil
	}
}

// missingFluxKinds returns the kinds that the API server does not serve.
func (b *Bootstrap) missingFluxKinds(ctx context.Context) ([]string, error) {
	var missing []string
	for _, k := range b.Target.fluxKinds() {
		_, err := b.Client.Resource(ctx, k.apiVersion, k.kind)
		if err != nil && !kube.IsNotServed(err) {
			return nil, err
		}
		if err != nil {
			missing = append(missing, k.apiVersion+" "+k.kind)
		}
	}
	return missing, nil
}

// checkFlux checks the Flux in the cluster, or what is to install one.
func (b *Bootstrap) checkFlux(ctx context.Context, c *checks) {
	switch {
	case len(b.Flux) == 0:
		b.checkFluxRuns(ctx, c)
	case b.Target.FluxInstall == FluxByOperator:
		b.checkFluxOperator(ctx, c)
	default:
		b.checkFluxInstall(c)
	}
}

// missingFluxHint says how to install Flux, or the part of it that is missing.
func (t *Target) missingFluxHint() string {
	switch t.FluxInstall {
	case FluxByCLI:
		return "run `" + t.fluxInstallCommand() + " > flux.yaml` and use --flux-install flux.yaml"
	case FluxByOperator: // a part of Flux is served; the operator may or may not manage it
		return "add it where that Flux is managed"
	}
	return "install Flux, or set spec.flux.install to cli or operator in the profile and build again"
}

// checkFluxRuns checks a Flux that the cluster has already.
func (b *Bootstrap) checkFluxRuns(ctx context.Context, c *checks) {
	missing, err := b.missingFluxKinds(ctx)
	if err != nil {
		c.wrong("", "Flux: %v", err)
		return
	}
	if len(missing) > 0 {
		c.wrong(b.Target.missingFluxHint(), "Flux: the API server does not serve %s", strings.Join(missing, ", "))
		return
	}
	for _, k := range b.Target.fluxKinds() {
		d, err := c.client.Get(ctx, "apps/v1", "Deployment", b.Target.Namespace, k.controller)
		b.checkRunning(c, k.controller, d, err)
	}
}

// checkFluxOperator checks that an operator acts on the FluxInstance: it watches
// its own namespace only.
func (b *Bootstrap) checkFluxOperator(ctx context.Context, c *checks) {
	namespace := b.Target.Namespace
	if _, err := c.client.Resource(ctx, fluxInstanceAPI, "FluxInstance"); err != nil {
		c.wrong("helm install flux-operator oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator --namespace "+namespace+" --create-namespace", "Flux Operator: %v", err)
		return
	}
	operators, err := c.client.List(ctx, "apps/v1", "Deployment", "", "app.kubernetes.io/name=flux-operator")
	if err != nil {
		c.wrong("", "Flux Operator: listing Deployments: %v", err)
		return
	}
	sameNamespace := func(d manifest.Object) bool { return d.Namespace() == namespace }
	switch {
	case len(operators) == 0:
		c.warn("nothing is installed unless it runs under another name", "Flux Operator: it has no Deployment")
	case !slices.ContainsFunc(operators, sameNamespace):
		c.wrong("install it in "+namespace+", or set spec.flux.namespace to "+operators[0].Namespace()+" and build again",
			"Flux Operator: it runs in %s and does not see a FluxInstance in %s", operators[0].Namespace(), namespace)
	default:
		c.ok("Flux: the Flux Operator installs %s", fluxRange)
	}
}

// checkFluxInstall checks that the Flux to be installed is what the repository needs.
func (b *Bootstrap) checkFluxInstall(c *checks) {
	before := len(c.found)
	defined := definedKinds(b.Flux)
	hint := b.Target.fluxInstallCommand() + " prints what is needed"
	for _, k := range b.Target.fluxKinds() {
		if !slices.Contains(defined, k.apiVersion+" "+k.kind) {
			c.wrong(hint, "Flux: what is to be installed does not define %s %s", k.apiVersion, k.kind)
		}
	}
	for _, o := range b.Flux {
		if o.Kind() == "Deployment" && o.Namespace() != b.Target.Namespace {
			c.wrong(hint, "Flux: %s is not in the namespace %s, which the repository is for", display(o), b.Target.Namespace)
		}
		if o.Kind() == "Deployment" {
			b.checkArguments(c, o.Name(), o)
		}
	}
	if len(c.found) == before {
		c.ok("Flux: %d objects to install", len(b.Flux))
	}
}

// definedKinds returns what custom resource definitions serve: API version and kind.
func definedKinds(objects []manifest.Object) []string {
	var defined []string
	for _, o := range objects {
		for _, v := range o.Maps("spec", "versions") {
			if v["served"] == true && o.Kind() == "CustomResourceDefinition" {
				defined = append(defined, fmt.Sprintf("%s/%v %s", o.String("spec", "group"), v["name"], o.String("spec", "names", "kind")))
			}
		}
	}
	return defined
}
