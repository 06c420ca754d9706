package rollout

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// API versions of what gatehouse applies and looks at.
const (
	kustomizationAPI = "kustomize.toolkit.fluxcd.io/v1"
	sourceAPI        = "source.toolkit.fluxcd.io/v1"
	helmAPI          = "helm.toolkit.fluxcd.io/v2"
)

// Target is what one cluster gets, read from a built repository.
type Target struct {
	Cluster     string
	Environment string
	// Namespace is the namespace that Flux runs in.
	Namespace string
	// FluxInstall is spec.flux.install of the profile: FluxByCLI, FluxByOperator, or
	// empty if the cluster must have Flux already.
	FluxInstall string
	// SourceKind and SourceName are the source that serves the repository.
	SourceKind, SourceName string
	// Path is where the output lies in the source, "." for its root.
	Path string
	// Kustomizations of the cluster, by name.
	Kustomizations []manifest.Object
	// Releases and Policies are apiVersion, kind, namespace and name only. The
	// release of Kyverno, if there is one, is among the Releases.
	Releases, Policies []manifest.Object
	// Workloads are the Kustomizations of the user that gatehouse does not write, and
	// what they must wait for.
	Workloads []manifest.LockedWorkload
	// Namespaces of the profile in the environment, by name. Creates are those that the
	// repository creates, with its own.
	Namespaces, Creates []string
	// Kyverno says what the policies need of the Kyverno in the cluster.
	Kyverno Kyverno
}

// Clusters lists the clusters of a repository.
func Clusters(repository fs.FS) ([]string, error) {
	switch _, err := fs.Stat(repository, layout.Lock); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the repository: there is no %s; gatehouse build SOURCE -o DIR writes one", layout.Lock)
	case err != nil:
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	entries, err := fs.ReadDir(repository, layout.Clusters)
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Open reads what a cluster gets. A file that was edited since the build is an error,
// and so is a merge of branches without a build: what is checked here must be what Flux
// applies.
func Open(repository fs.FS, cluster string) (*Target, error) {
	data, err := fs.ReadFile(repository, layout.Lock)
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	lock, err := manifest.DecodeLock(data)
	if err != nil {
		return nil, err
	}
	if line := manifest.FirstMarker(data); line > 0 {
		return nil, fmt.Errorf("reading %s: line %d: branches were merged with a conflict, and the repository was not built since; run gatehouse build, which resolves it", layout.Lock, line)
	}
	if lock.Merged {
		return nil, fmt.Errorf("reading %s: branches were merged, and the repository was not built since; run gatehouse build", layout.Lock)
	}
	t := &Target{Cluster: cluster}
	if err := t.readKustomizations(repository, lock); err != nil {
		return nil, err
	}
	if err := t.settle(); err != nil {
		return nil, err
	}
	t.readLayers(lock)
	environment := lock.Environments[t.Environment]
	t.FluxInstall, t.Workloads = environment.FluxInstall, environment.Workloads
	for _, n := range environment.Namespaces {
		t.Namespaces = append(t.Namespaces, n.Name)
	}
	if !slices.Contains([]string{"", FluxByCLI, FluxByOperator}, t.FluxInstall) {
		return nil, fmt.Errorf("reading %s: fluxInstall %q is not known to this gatehouse", layout.Lock, t.FluxInstall)
	}
	if err := t.readKyverno(environment.Kyverno); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Target) readKustomizations(repository fs.FS, lock *manifest.Lock) error {
	folder := layout.Of(t.Cluster)
	for _, f := range lock.Files {
		if f.Layer != folder.String() || f.Path == folder.Index() {
			continue
		}
		data, err := readLocked(repository, lock, f.Path)
		if err != nil {
			return err
		}
		objects, err := manifest.Parse(data)
		if err != nil {
			return fmt.Errorf("reading %s: %w", f.Path, err)
		}
		t.Kustomizations = append(t.Kustomizations, objects...)
	}
	if len(t.Kustomizations) == 0 {
		return fmt.Errorf("reading the repository: %s holds no Kustomizations", folder)
	}
	return nil
}

// settle takes from the Kustomizations what they have in common.
func (t *Target) settle() error {
	for _, k := range t.Kustomizations {
		if k.Name() == layout.Root {
			return fmt.Errorf("a workload is called %s, which is the name of the Kustomization that applies all others: rename it", layout.Root)
		}
		output, folder, ok := layout.CutSource(k.String("spec", "path"))
		if !ok || k.Name() != folder.Kustomization() {
			continue // a workload of the user
		}
		t.Namespace = k.Namespace()
		t.SourceKind, t.SourceName = k.String("spec", "sourceRef", "kind"), k.String("spec", "sourceRef", "name")
		t.Environment, t.Path = folder.Environment, output
	}
	if t.Namespace == "" || t.SourceName == "" {
		return errors.New("reading the repository: no Kustomization of a layer names a namespace and a source")
	}
	return nil
}

// readLayers reads from the lock the releases, policies and namespaces of the environment.
func (t *Target) readLayers(lock *manifest.Lock) {
	for _, f := range lock.Files {
		if folder, ok := layout.Parse(f.Layer); !ok || folder.Environment != t.Environment {
			continue
		}
		for _, id := range f.Objects {
			parts := strings.Split(id, "/") // group/kind/namespace/name
			if len(parts) != 4 {
				continue
			}
			switch kind, _ := kinds.Find(parts[0], parts[1]); {
			case kind.Group == "helm.toolkit.fluxcd.io" && kind.Kind == "HelmRelease":
				t.Releases = append(t.Releases, identity(helmAPI, kind.Kind, parts[2], parts[3]))
			case kind.Group == "" && kind.Kind == "Namespace":
				t.Creates = append(t.Creates, parts[3])
			case kind.InForce != kinds.NotPolicy:
				t.Policies = append(t.Policies, identity(kind.APIVersion(), kind.Kind, parts[2], parts[3]))
			}
		}
	}
}

// readKyverno reads what the lock says about Kyverno. A release that no layer holds
// is an error: bootstrap would neither check Kyverno nor wait for it.
func (t *Target) readKyverno(locked *manifest.LockedKyverno) error {
	if locked == nil {
		return fmt.Errorf("reading %s: it does not say how Kyverno must be configured: an older gatehouse wrote it; build again", layout.Lock)
	}
	t.Kyverno = Kyverno{
		Absent: locked.Absent, Version: cmp.Or(locked.Version, v1alpha1.KyvernoVersion),
		SystemNamespaces: locked.SystemNamespaces, ExceptionNamespace: locked.ExceptionNamespace,
	}
	if locked.Release == nil {
		return nil
	}
	t.Kyverno.Release = identity(helmAPI, "HelmRelease", locked.Release.Namespace, locked.Release.Name)
	id := t.Kyverno.Release.ID()
	if !slices.ContainsFunc(t.Releases, func(o manifest.Object) bool { return o.ID() == id }) {
		return fmt.Errorf("reading %s: no layer of environment %s holds the release of Kyverno, %s; build again", layout.Lock, t.Environment, display(t.Kyverno.Release))
	}
	return nil
}

// readLocked reads a file and compares it with what gatehouse wrote.
func readLocked(repository fs.FS, lock *manifest.Lock, name string) ([]byte, error) {
	data, err := fs.ReadFile(repository, name)
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	i := slices.IndexFunc(lock.Files, func(f manifest.LockedFile) bool { return f.Path == name })
	sum := sha256.Sum256(data)
	if i < 0 || lock.Files[i].SHA256 != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("reading the repository: %s is not what gatehouse wrote; build again", name)
	}
	return data, nil
}

func identity(apiVersion, kind, namespace, name string) manifest.Object {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}
