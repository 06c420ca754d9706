package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// kyvernoComponent is a controller of the chart: the value of its label
// app.kubernetes.io/component, and the program that its image holds.
type kyvernoComponent struct{ label, program string }

// kyvernoComponents in the order of their start.
func kyvernoComponents() []kyvernoComponent {
	return []kyvernoComponent{
		{"admission-controller", "kyverno"},
		{"background-controller", "background-controller"},
		{"cleanup-controller", "cleanup-controller"},
		{"reports-controller", "reports-controller"},
	}
}

// outside lists what running outside of a Pod changes in the chart's flags; all
// others are passed as the chart renders them. A later flag wins.
//
//	flag                              the chart's            here            why
//	--kubeconfig                      (in a Pod)             a file          logs in as the same ServiceAccount
//	--serverIP                        none                   127.0.0.1:PORT  the API server reaches the webhooks by URL, not by Service;
//	                                                                         Kyverno also takes this as a sign of development and does
//	                                                                         not take its webhooks along when its Deployment goes
//	--webhookServerHost, Port         all, 9443              127.0.0.1:PORT  admission
//	--cleanupServerHost, Port         all, 9443              127.0.0.1:PORT  cleanup
//	--metricsHost, Port               all, 8000              127.0.0.1:PORT
//	--controllerRuntimeMetricsAddress :8080                  0 (off)         the flag knows no host of its own
//
// The environment is the chart's with its fieldRefs resolved, except TUF_ROOT, a
// folder of the control plane. Replicas: each Deployment is one process, whatever
// the values say. Hooks of the chart (Jobs around upgrade and uninstall) do not run.
func outside(label string, kubeconfig string, server, metrics int) []string {
	flags := []string{"--kubeconfig=" + kubeconfig, "--metricsHost=" + loopback, fmt.Sprintf("--metricsPort=%d", metrics)}
	switch label {
	case "admission-controller":
		flags = append(flags, "--serverIP="+address(server), "--webhookServerHost="+loopback, fmt.Sprintf("--webhookServerPort=%d", server))
	case "cleanup-controller":
		flags = append(flags, "--serverIP="+address(server), "--cleanupServerHost="+loopback, fmt.Sprintf("--cleanupServerPort=%d", server))
	}
	if label == "admission-controller" || label == "background-controller" {
		flags = append(flags, "--controllerRuntimeMetricsAddress=0")
	}
	return flags
}

// DefaultRelease is a Kyverno for trying things out: exceptions are honoured in
// the namespace policy-exceptions, and the webhook spares the system namespaces.
func DefaultRelease() manifest.Object {
	o := object("helm.toolkit.fluxcd.io/v2", "HelmRelease", fluxNamespace, "kyverno")
	o["spec"] = map[string]any{
		"releaseName": "kyverno", "targetNamespace": "kyverno",
		"values": map[string]any{
			"features": map[string]any{"policyExceptions": map[string]any{"enabled": true, "namespace": "policy-exceptions"}},
			"config": map[string]any{"webhooks": map[string]any{"namespaceSelector": map[string]any{"matchExpressions": []any{map[string]any{
				"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": []any{"kube-system", "kyverno", fluxNamespace},
			}}}}},
		},
	}
	return o
}

// InstallKyverno stands in for helm-controller and the kubelet: it renders the chart with
// the values of a HelmRelease, applies it, and starts the controllers. It returns when
// they are ready. A second call applies new values and restarts the controllers.
func (c *ControlPlane) InstallKyverno(ctx context.Context, release manifest.Object) error {
	objects, err := c.KyvernoObjects(ctx, release)
	if err != nil {
		return err
	}
	crds, err := c.kyvernoCRDs(ctx, objects)
	if err != nil {
		return err
	}
	if err := c.installCRDs(ctx, crds); err != nil {
		return err
	}
	if err := c.applyAll(ctx, inOrder(objects)); err != nil {
		return err
	}
	for _, component := range kyvernoComponents() {
		if err := c.runKyverno(ctx, component, objects); err != nil {
			return err
		}
	}
	return nil
}

// KyvernoObjects renders the chart of the Kyverno module with the values of a HelmRelease,
// hooks left out. The namespace comes first.
func (c *ControlPlane) KyvernoObjects(ctx context.Context, release manifest.Object) ([]manifest.Object, error) {
	dir, err := c.programs.moduleDir(ctx, "kyverno", "github.com/kyverno/kyverno")
	if err != nil {
		return nil, err
	}
	values, err := json.Marshal(release.Value("spec", "values"))
	if err != nil {
		return nil, fmt.Errorf("encoding the values: %w", err)
	}
	name, namespace := release.String("spec", "releaseName"), release.String("spec", "targetNamespace")
	if name == "" || namespace == "" {
		return nil, errors.New("the HelmRelease has no releaseName or targetNamespace")
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.programs.paths[chartProgram], filepath.Join(dir, "charts", "kyverno"), name, namespace)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(values), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("rendering the chart: %w\n%s", err, stderr.Bytes())
	}
	objects, err := manifest.Parse(out)
	if err != nil {
		return nil, fmt.Errorf("reading the rendered chart: %w", err)
	}
	objects = slices.DeleteFunc(objects, func(o manifest.Object) bool {
		return o.Value("metadata", "annotations", "helm.sh/hook") != nil
	})
	return append([]manifest.Object{object("v1", "Namespace", "", namespace)}, objects...), nil
}

// kyvernoCRDs returns the definitions of the chart and those of policies.kyverno.io. The
// chart gets the latter from a dependency, but the module contains them as well.
func (c *ControlPlane) kyvernoCRDs(ctx context.Context, objects []manifest.Object) ([]manifest.Object, error) {
	dir, err := c.programs.moduleDir(ctx, "kyverno", "github.com/kyverno/kyverno")
	if err != nil {
		return nil, err
	}
	crds, err := readFolder(filepath.Join(dir, "config", "crds", "policies.kyverno.io"))
	if err != nil {
		return nil, fmt.Errorf("reading the definitions of Kyverno: %w", err)
	}
	for _, o := range objects {
		if o.Kind() == "CustomResourceDefinition" {
			crds = append(crds, o)
		}
	}
	return crds, nil
}

// inOrder sorts objects so that they come after the objects they need: namespaces first,
// Deployments last.
func inOrder(objects []manifest.Object) []manifest.Object {
	rank := func(o manifest.Object) int {
		switch o.Kind() {
		case "Namespace":
			return 0
		case "Deployment":
			return 2
		}
		return 1
	}
	sorted := slices.DeleteFunc(slices.Clone(objects), func(o manifest.Object) bool { return o.Kind() == "CustomResourceDefinition" })
	slices.SortStableFunc(sorted, func(a, b manifest.Object) int { return rank(a) - rank(b) })
	return sorted
}

// deployment holds the parts of a Deployment that a kubelet needs.
type deployment struct {
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Spec struct{ Template struct{ Spec podSpec } }
}

type podSpec struct {
	ServiceAccountName string
	Containers         []struct {
		Args []string
		Env  []struct {
			Name, Value string
			ValueFrom   *struct{ FieldRef struct{ FieldPath string } }
		}
	}
}

const componentLabel = "app.kubernetes.io/component"

// runKyverno starts the controller of a Deployment as its Pod would, or restarts it.
func (c *ControlPlane) runKyverno(ctx context.Context, component kyvernoComponent, objects []manifest.Object) error {
	d, err := findDeployment(objects, component.label)
	if err != nil {
		return err
	}
	ports, err := c.ports.take(2)
	if err != nil {
		return err
	}
	pod := d.Spec.Template.Spec
	kubeconfig, err := c.serviceAccountKubeconfig(ctx, d.Metadata.Namespace, pod.ServiceAccountName)
	if err != nil {
		return err
	}
	p := &process{name: d.Metadata.Name, program: c.programs.paths[component.program]}
	p.args = append(slices.Clone(pod.Containers[0].Args), outside(component.label, kubeconfig, ports[0], ports[1])...)
	for _, e := range pod.Containers[0].Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = map[string]string{"metadata.namespace": d.Metadata.Namespace, "metadata.name": d.Metadata.Name}[e.ValueFrom.FieldRef.FieldPath]
		}
		if e.Name == "TUF_ROOT" {
			value = c.path("tmp", "sigstore")
		}
		p.env = append(p.env, e.Name+"="+value)
	}
	if slices.ContainsFunc(p.args, func(a string) bool { return strings.HasPrefix(a, "--serverIP=") }) {
		p.ready = probe("https://" + address(ports[0]) + "/health/readiness")
	}
	return c.replace(ctx, p)
}

// replace starts a component, after ending the one with the same name, if any.
func (c *ControlPlane) replace(ctx context.Context, p *process) error {
	if old, err := c.process(p.name); err == nil {
		if err := c.Kill(old.name); err != nil {
			return err
		}
		c.mu.Lock()
		c.processes = slices.DeleteFunc(c.processes, func(q *process) bool { return q == old })
		c.mu.Unlock()
	}
	return c.run(ctx, p)
}

func findDeployment(objects []manifest.Object, label string) (deployment, error) {
	for _, o := range objects {
		if o.Kind() != "Deployment" {
			continue
		}
		d, err := readDeployment(o)
		if err != nil {
			return deployment{}, err
		}
		if d.Metadata.Labels[componentLabel] == label && len(d.Spec.Template.Spec.Containers) == 1 {
			return d, nil
		}
	}
	return deployment{}, fmt.Errorf("the chart makes no Deployment of %s with one container", label)
}

func readDeployment(o manifest.Object) (deployment, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return deployment{}, err
	}
	var d deployment
	if err := json.Unmarshal(raw, &d); err != nil {
		return deployment{}, fmt.Errorf("reading the Deployment %s: %w", o.Name(), err)
	}
	return d, nil
}
