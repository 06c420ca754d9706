package flux

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// admissionController is the name of the Deployment that answers Kyverno's
// webhooks. The chart derives it from the name of the release, kyverno.
const admissionController = "kyverno-admission-controller"

// Build makes the graph: in each cluster a node for each layer of its environment
// that has objects, and one for each workload. It reports no problems; [Prove] does.
func Build(p *plan.Plan, files []manifest.File) *Graph { return layers().build(p, files) }

func (t table) build(p *plan.Plan, files []manifest.File) *Graph {
	all := t.contents(files)
	g := &Graph{}
	for _, env := range p.Environments {
		e := newEnvironment(env, t, all)
		for _, cluster := range env.Clusters {
			for _, l := range e.layers {
				g.Nodes = append(g.Nodes, layerNode(e, l, cluster))
			}
			for _, w := range env.Flux.Workloads {
				g.Nodes = append(g.Nodes, workloadNode(e, w, cluster))
			}
		}
	}
	slices.SortStableFunc(g.Nodes, func(a, b Node) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return g
}

// environment holds the layers of one environment and their order.
type environment struct {
	name    string
	flux    plan.Flux
	table   table
	layers  []layout.Folder // in the order in which they are applied
	content map[layout.Folder]*content
	homes   map[string]layout.Folder          // namespace → the layer that creates it
	before  map[layout.Folder][]layout.Folder // layer → the layers that it waits for, no more than needed
}

func newEnvironment(env plan.Environment, t table, all map[layout.Folder]*content) *environment {
	e := &environment{name: env.Name, flux: env.Flux, table: t, content: all, homes: map[string]layout.Folder{}, before: map[layout.Folder][]layout.Folder{}}
	for folder := range all {
		if folder.Environment == env.Name && t.index(folder.Kind) >= 0 {
			e.layers = append(e.layers, folder)
			for ns := range all[folder].creates {
				e.homes[ns] = folder
			}
		}
	}
	slices.SortFunc(e.layers, func(a, b layout.Folder) int {
		return cmp.Or(cmp.Compare(t.index(a.Kind), t.index(b.Kind)), cmp.Compare(a.Shard, b.Shard))
	})
	for _, l := range e.layers {
		e.before[l] = e.reduce(append(e.homesOf(l), e.after(t.layer(l.Kind).follows)...))
	}
	return e
}

// after returns the layers of these kinds. A kind that is absent is replaced by the
// layers that it would have waited for.
func (e *environment) after(wanted []layout.Kind) []layout.Folder {
	var found []layout.Folder
	for _, kind := range wanted {
		before := len(found)
		for _, l := range e.layers {
			if l.Kind == kind {
				found = append(found, l)
			}
		}
		if len(found) == before {
			found = append(found, e.after(e.table.layer(kind).follows)...)
		}
	}
	return found
}

// homesOf returns the other layers that create the namespaces that l's objects live in.
func (e *environment) homesOf(l layout.Folder) []layout.Folder {
	var found []layout.Folder
	for ns := range e.content[l].needs {
		if home := e.homes[ns]; home.Applied() && home != l && !slices.Contains(found, home) {
			found = append(found, home)
		}
	}
	return found
}

// reduce drops duplicates, and layers that another one of the list waits for.
func (e *environment) reduce(folders []layout.Folder) []layout.Folder {
	slices.SortFunc(folders, func(a, b layout.Folder) int { return cmp.Compare(a.String(), b.String()) })
	folders = slices.Compact(folders)
	implied := map[layout.Folder]bool{}
	var walk func(folder layout.Folder)
	walk = func(folder layout.Folder) {
		for _, b := range e.before[folder] {
			if !implied[b] {
				implied[b] = true
				walk(b)
			}
		}
	}
	for _, f := range folders {
		walk(f)
	}
	return slices.DeleteFunc(folders, func(f layout.Folder) bool { return implied[f] })
}

func layerNode(e *environment, l layout.Folder, cluster string) Node {
	k := newKustomization(e.flux, l.Kustomization(), path.Join(e.flux.Path, l.String()), e.before[l])
	row := e.table.layer(l.Kind)
	k.Spec.Prune = row.prune
	if row.secrets {
		k.Spec.Decryption = decryption(e.flux)
	}
	if row.gate != nil {
		row.gate(&k, e.content[l])
	}
	return Node{Cluster: cluster, Environment: e.name, Folder: l, Kustomization: k}
}

// waitForReleases is the gate of a layer with Helm releases: Helm is done and what
// it installed answers. It lists the objects and leaves `wait` off, because `wait:
// true` ignores healthChecks and looks at the layer's own objects only: a
// HelmRelease stays Ready when its Pods go down later, and then policies, say,
// would be sent to a dead webhook.
func waitForReleases(k *kustomizev1.Kustomization, c *content) {
	for _, r := range c.releases {
		k.Spec.HealthChecks = append(k.Spec.HealthChecks,
			meta.NamespacedObjectKindReference{APIVersion: groupHelm + "/v2", Kind: "HelmRelease", Name: r.name, Namespace: r.namespace})
		if r.role.deployment != "" {
			k.Spec.HealthChecks = append(k.Spec.HealthChecks,
				meta.NamespacedObjectKindReference{APIVersion: "apps/v1", Kind: "Deployment", Name: r.role.deployment, Namespace: r.target})
		}
	}
	// Helm has Timeout for the install; the health check covers that and what follows it.
	k.Spec.Timeout.Duration *= 2
}

// waitForPolicies is the gate of a layer with policies: they are in force.
func waitForPolicies(k *kustomizev1.Kustomization, c *content) {
	k.Spec.Wait = true
	k.Spec.HealthCheckExprs = healthExprs(c.policyKinds())
}

// workloadNode returns the Kustomization of a workload. If it disappears or gets
// another name, what it applied stays: a workload that no longer waits for the
// policies must not be deleted.
func workloadNode(e *environment, w plan.Workload, cluster string) Node {
	before := e.reduce(e.after(e.table.guards()))
	if w.Existing {
		n := Node{Cluster: cluster, Environment: e.name, Existing: true, Kustomization: newKustomization(e.flux, w.Name, "", before), At: w.At}
		n.Kustomization.Spec.Path = ""
		return n
	}
	dir := strings.NewReplacer("${env}", e.name, "${cluster}", cluster).Replace(w.Path)
	k := newKustomization(e.flux, w.Name, dir, before)
	k.Spec.Prune = true
	k.Spec.DeletionPolicy = kustomizev1.DeletionPolicyOrphan
	k.Spec.Decryption = decryption(e.flux)
	overlay(&k.Spec, w.Spec)
	return Node{Cluster: cluster, Environment: e.name, Kustomization: k, At: w.At, Waits: w.Waits}
}

// newKustomization returns what all Kustomizations have in common. dir is relative
// to the source.
func newKustomization(f plan.Flux, name, dir string, before []layout.Folder) kustomizev1.Kustomization {
	var deps []kustomizev1.DependencyReference
	for _, folder := range before {
		deps = append(deps, kustomizev1.DependencyReference{Name: folder.Kustomization()})
	}
	return kustomizev1.Kustomization{
		TypeMeta:   metav1.TypeMeta{APIVersion: kustomizev1.GroupVersion.String(), Kind: kustomizev1.KustomizationKind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: f.Namespace},
		Spec: kustomizev1.KustomizationSpec{
			DependsOn:          deps,
			Interval:           metav1.Duration{Duration: f.Interval},
			RetryInterval:      duration(f.RetryInterval),
			Timeout:            duration(f.Timeout),
			Path:               sourcePath(dir),
			ServiceAccountName: f.ServiceAccountName,
			SourceRef:          kustomizev1.CrossNamespaceSourceReference{Kind: f.SourceKind, Name: f.SourceName},
		},
	}
}

// sourcePath writes a path in the source as Flux's own command line does, with a
// leading ./. An absolute path stays as it is; the proof refuses it.
func sourcePath(dir string) string {
	switch dir = path.Clean(dir); {
	case dir == ".":
		return "./"
	case path.IsAbs(dir):
		return dir
	}
	return "./" + dir
}

// duration is for the optional fields of a Kustomization.
func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// decryption returns how Flux decrypts Secrets; nil if the profile does not say it.
func decryption(f plan.Flux) *kustomizev1.Decryption {
	if f.DecryptionProvider == "" {
		return nil
	}
	d := &kustomizev1.Decryption{Provider: f.DecryptionProvider}
	if f.DecryptionSecret != "" {
		d.SecretRef = &meta.LocalObjectReference{Name: f.DecryptionSecret}
	}
	return d
}
