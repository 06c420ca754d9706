package fluxtree

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/provider"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// defaultFlux is the namespace and the source of what does not name them.
const defaultFlux = "flux-system"

// fluxGroup is the API group of Flux's Kustomizations.
const fluxGroup = "kustomize.toolkit.fluxcd.io"

// Kustomization has the fields of a Kustomization of Flux that decide what it applies.
type Kustomization struct {
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Path                    string            `json:"path"`
		SourceRef               reference         `json:"sourceRef"`
		TargetNamespace         string            `json:"targetNamespace"`
		NamePrefix              string            `json:"namePrefix"`
		NameSuffix              string            `json:"nameSuffix"`
		Components              []string          `json:"components"`
		IgnoreMissingComponents bool              `json:"ignoreMissingComponents"`
		DependsOn               []reference       `json:"dependsOn"`
		Patches                 []patch           `json:"patches"`
		PatchesStrategicMerge   []json.RawMessage `json:"patchesStrategicMerge"` // until v1beta2
		PatchesJSON6902         []jsonPatch       `json:"patchesJson6902"`
		KubeConfig              *json.RawMessage  `json:"kubeConfig"`
		Images                  []image           `json:"images"`
		CommonMetadata          commonMetadata    `json:"commonMetadata"`
		PostBuild               *postBuild        `json:"postBuild"`
	} `json:"spec"`

	// at is where it begins, root what it is reached from, and depth the number of
	// Kustomizations between them.
	at    diag.Position
	root  string
	depth int
	// elsewhere says that what applies it applies it to another cluster: the one of the kubeConfig cluster,
	// if that is known.
	elsewhere bool
	cluster   string
	// parent applies it; nil for a root.
	parent *Kustomization
	// unknown variables of postBuild.substitute: their values depend on others.
	unknown map[string]Unknown
}

type reference struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Optional  bool   `json:"optional"`
}

type patch struct {
	Patch  string  `json:"patch"`
	Target *target `json:"target"`
}

// jsonPatch is a patch of versions before v1.
type jsonPatch struct {
	Patch  json.RawMessage `json:"patch"`
	Target target          `json:"target"`
}

// target is what a patch is applied to.
type target struct {
	Group              string `json:"group"`
	Version            string `json:"version"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	Namespace          string `json:"namespace"`
	AnnotationSelector string `json:"annotationSelector"`
	LabelSelector      string `json:"labelSelector"`
}

func (t target) selector() *kustomize.Selector {
	return &kustomize.Selector{
		ResId:         resid.ResId{Gvk: resid.Gvk{Group: t.Group, Version: t.Version, Kind: t.Kind}, Name: t.Name, Namespace: t.Namespace},
		LabelSelector: t.LabelSelector, AnnotationSelector: t.AnnotationSelector,
	}
}

type image struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	NewTag  string `json:"newTag"`
	Digest  string `json:"digest"`
}

type postBuild struct {
	Substitute         map[string]string `json:"substitute"`
	SubstituteFrom     []reference       `json:"substituteFrom"`
	SubstituteStrategy string            `json:"substituteStrategy"`
}

// header is what tells kinds apart.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

func (h header) is(group, kind string) bool {
	return h.Kind == kind && kinds.Group(h.APIVersion) == group
}

func parseKustomization(object json.RawMessage, at diag.Position) (*Kustomization, error) {
	k := &Kustomization{at: at}
	if err := json.Unmarshal(object, k); err != nil {
		return nil, plain.JSONError(err)
	}
	if k.Metadata.Namespace == "" {
		k.Metadata.Namespace = defaultFlux
	}
	if !strings.HasPrefix(k.APIVersion, fluxGroup+"/v1beta") { // the API server drops them
		k.Spec.PatchesStrategicMerge, k.Spec.PatchesJSON6902 = nil, nil
	}
	return k, nil
}

// id names the Kustomization in its cluster.
func (k *Kustomization) id() string { return k.Metadata.Namespace + "/" + k.Metadata.Name }

// source returns the reference to its source, with its namespace.
func (k *Kustomization) source() reference {
	ref := k.Spec.SourceRef
	ref.Namespace = cmp.Or(ref.Namespace, k.Metadata.Namespace)
	return ref
}

// remote reports whether it applies to another cluster than that of its root.
func (k *Kustomization) remote() bool { return k.elsewhere || k.Spec.KubeConfig != nil }

// target is the cluster that it applies to: empty for that of the root, or else a kubeConfig.
func (k *Kustomization) target() string {
	if k.Spec.KubeConfig == nil {
		return k.cluster
	}
	return k.Metadata.Namespace + " " + string(*k.Spec.KubeConfig)
}

// appliesItself reports whether it is applied by itself, directly or not.
func (k *Kustomization) appliesItself() bool {
	for above := k.parent; above != nil; above = above.parent {
		if above.id() == k.id() && above.cluster == k.cluster && above.at.File == k.at.File {
			return true
		}
	}
	return false
}

// roots returns the root that a problem with what it applies is about; none if that goes to
// another cluster.
func (k *Kustomization) roots() []string { return rootsOf(k.root, k.remote()) }

func rootsOf(root string, elsewhere bool) []string {
	if root == "" || elsewhere {
		return nil
	}
	return []string{root}
}

// saysElsewhere reports whether an object that is not readable may name another cluster.
func saysElsewhere(object json.RawMessage) bool {
	return bytes.Contains(object, []byte(`"kubeConfig"`))
}

// dir is the path of what it applies, relative to the repository, and clean.
func (k *Kustomization) dir() string {
	return path.Clean(strings.TrimLeft(path.Clean("/"+k.Spec.Path), "/"))
}

// index returns the kustomization that kustomize-controller builds for it, with the name of
// the file it stands for. With strict set, files of a generated one that Flux refuses are left
// out, and returned.
func (k *Kustomization) index(d *Disk, dir string, strict bool) (file string, data []byte, refused []refusal, err error) {
	merged := kustomize.Kustomization{TypeMeta: kustomize.TypeMeta{APIVersion: kustomize.KustomizationVersion, Kind: kustomize.KustomizationKind}}
	if file = d.kustomization(dir); file != "" {
		if data, err = d.FileSystem.ReadFile(file); err != nil {
			return "", nil, nil, err
		}
		d.look(file, data)
		if err := yaml.Unmarshal(data, &merged); err != nil {
			return "", nil, nil, fmt.Errorf("%s: %w", file, plain.JSONError(err))
		}
	} else {
		file = filepath.Join(dir, kustomizations[0])
		if merged.Resources, refused, err = manifests(d, dir, strict); err != nil {
			return "", nil, nil, err
		}
		if len(merged.Resources) == 0 {
			merged.Namespace = "_placeholder" // else kustomize refuses it as empty
		}
	}
	if err := k.merge(&merged, d, dir); err != nil {
		return "", nil, nil, err
	}
	merged.BuildMetadata = []string{kustomize.OriginAnnotations}
	data, err = yaml.Marshal(merged)
	return file, data, refused, err
}

// merge adds the fields of the Kustomization of Flux to one of kustomize.
func (k *Kustomization) merge(into *kustomize.Kustomization, d *Disk, dir string) error {
	if k.Spec.TargetNamespace != "" {
		into.Namespace = k.Spec.TargetNamespace
	}
	if k.Spec.NamePrefix != "" {
		into.NamePrefix = k.Spec.NamePrefix
	}
	if k.Spec.NameSuffix != "" {
		into.NameSuffix = k.Spec.NameSuffix
	}
	for _, p := range k.Spec.Patches {
		added := kustomize.Patch{Patch: p.Patch}
		if t := p.Target; t != nil {
			added.Target = t.selector()
		}
		into.Patches = append(into.Patches, added)
	}
	for _, p := range k.Spec.PatchesStrategicMerge {
		into.Patches = append(into.Patches, kustomize.Patch{Patch: string(p)})
	}
	for _, p := range k.Spec.PatchesJSON6902 {
		into.Patches = append(into.Patches, kustomize.Patch{Patch: string(p.Patch), Target: p.Target.selector()})
	}
	for _, c := range k.Spec.Components {
		if strings.Contains(c, "://") || filepath.IsAbs(c) {
			return fmt.Errorf("the component %s must be a path in the repository", c)
		}
		if k.Spec.IgnoreMissingComponents && !d.Exists(filepath.Join(dir, c)) {
			continue
		}
		into.Components = append(into.Components, c)
	}
	for _, i := range k.Spec.Images {
		at := slices.IndexFunc(into.Images, func(other kustomize.Image) bool { return other.Name == i.Name })
		if at < 0 {
			into.Images = append(into.Images, kustomize.Image{Name: i.Name, NewName: i.NewName, NewTag: i.NewTag, Digest: i.Digest})
			continue
		}
		if i.NewName != "" {
			into.Images[at].NewName = i.NewName
		}
		if i.NewTag != "" || i.Digest != "" { // one of them replaces both
			into.Images[at].NewTag, into.Images[at].Digest = i.NewTag, i.Digest
		}
	}
	return nil
}

// refusal is a file below a generated kustomization that is no manifest. Flux then applies
// nothing of the Kustomization.
type refusal struct {
	file string
	err  error
	// read says that the file could be read, so that Flux refuses it, too.
	read bool
}

// manifests lists what Flux generates the kustomization of a folder from: YAML files in all
// folders, and folders with a kustomization as a whole. With strict set, it reads the files.
func manifests(d *Disk, dir string, strict bool) (found []string, refused []refusal, err error) {
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	err = d.Walk(dir, func(name string, info os.FileInfo, err error) error {
		switch {
		case err != nil:
			return err
		case name == dir:
			return nil
		case d.check(name) != nil:
			if info.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		local := "." + filepath.ToSlash(strings.TrimPrefix(name, dir))
		if info.IsDir() {
			if d.kustomization(name) == "" {
				return nil
			}
			found = append(found, local)
			return filepath.SkipDir
		}
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		if strict {
			if read, err := decodes(d, name, factory.SliceFromBytes); err != nil {
				refused = append(refused, refusal{name, err, read})
				return nil
			}
		}
		found = append(found, local)
		return nil
	})
	return found, refused, err
}

// decodes returns the error of reading the manifests of a file, and whether it could be read itself. The
// parser panics on some.
func decodes[T any](d *Disk, name string, parse func([]byte) (T, error)) (read bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not readable: %v", r)
		}
	}()
	data, err := d.ReadFile(name)
	if err != nil {
		return false, err
	}
	_, err = parse(data)
	return true, err
}

func headerOf(object json.RawMessage) (header, error) {
	var h header
	err := json.Unmarshal(object, &h)
	return h, err
}
