package fluxtree

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Groups of the kinds of Flux that say what a release is.
const (
	helmGroup     = "helm.toolkit.fluxcd.io"
	sourceGroup   = "source.toolkit.fluxcd.io"
	operatorGroup = "fluxcd.controlplane.io"
)

// helmRelease has the fields of a HelmRelease that decide what it applies.
type helmRelease struct {
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Chart *struct {
			Spec chartSpec `json:"spec"`
		} `json:"chart"`
		ChartRef        *reference        `json:"chartRef"`
		ReleaseName     string            `json:"releaseName"`
		TargetNamespace string            `json:"targetNamespace"`
		KubeConfig      *struct{}         `json:"kubeConfig"`
		Values          json.RawMessage   `json:"values"`
		ValuesFrom      []json.RawMessage `json:"valuesFrom"`
		CommonMetadata  commonMetadata    `json:"commonMetadata"`
		PostRenderers   []struct {
			Kustomize *struct {
				Patches               []patch           `json:"patches"`
				PatchesStrategicMerge []json.RawMessage `json:"patchesStrategicMerge"` // until v2beta2
				PatchesJSON6902       []jsonPatch       `json:"patchesJson6902"`
				Images                []image           `json:"images"`
			} `json:"kustomize"`
		} `json:"postRenderers"`
		DependsOn          []reference `json:"dependsOn"`
		PostRenderStrategy string      `json:"postRenderStrategy"`
		Install            struct {
			releaseStep
			CreateNamespace bool `json:"createNamespace"`
		} `json:"install"`
		Upgrade   releaseStep `json:"upgrade"`
		Rollback  releaseStep `json:"rollback"`
		Uninstall releaseStep `json:"uninstall"`
		Test      struct {
			Enable bool `json:"enable"`
		} `json:"test"`
	} `json:"spec"`
}

// releaseStep is what a HelmRelease says of one thing that is done with a release.
type releaseStep struct {
	CRDs         string `json:"crds"`
	SkipCRDs     bool   `json:"skipCRDs"`
	DisableHooks bool   `json:"disableHooks"`
	// DisableSchemaValidation says that Helm does not check the values.
	DisableSchemaValidation bool `json:"disableSchemaValidation"`
}

// chartSpec says which chart a HelmRelease or a HelmChart takes.
type chartSpec struct {
	Chart                    string    `json:"chart"`
	Version                  string    `json:"version"`
	SourceRef                reference `json:"sourceRef"`
	ValuesFiles              []string  `json:"valuesFiles"`
	ValuesFile               string    `json:"valuesFile"`
	IgnoreMissingValuesFiles bool      `json:"ignoreMissingValuesFiles"`
}

// valuesRef is one item of spec.valuesFrom.
type valuesRef struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	ValuesKey  string `json:"valuesKey"`
	TargetPath string `json:"targetPath"`
	Optional   bool   `json:"optional"`
}

func parseRelease(object json.RawMessage) (*helmRelease, error) {
	r := &helmRelease{}
	if err := json.Unmarshal(object, r); err != nil {
		return nil, plain.JSONError(err)
	}
	if r.Spec.Chart == nil && r.Spec.ChartRef == nil {
		return nil, fmt.Errorf("it has neither spec.chart nor spec.chartRef")
	}
	r.Metadata.Namespace = cmp.Or(r.Metadata.Namespace, defaultNamespace)
	return r, nil
}

// defaultNamespace is where objects go that say nothing, as with kubectl.
const defaultNamespace = "default"

func (r *helmRelease) id() string { return r.Metadata.Namespace + "/" + r.Metadata.Name }

// namespace is where the release puts objects that name none.
func (r *helmRelease) namespace() string {
	return cmp.Or(r.Spec.TargetNamespace, r.Metadata.Namespace)
}

// name is the name of the release, as helm-controller makes it.
func (r *helmRelease) name() string {
	name := r.Metadata.Name
	if r.Spec.TargetNamespace != "" {
		name = r.Spec.TargetNamespace + "-" + name
	}
	name = cmp.Or(r.Spec.ReleaseName, name)
	const most, hash = 53, 12
	if len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:most-hash-1] + "-" + hex.EncodeToString(sum[:])[:hash]
}

// crds reports whether the folders crds of the chart are applied, in an installation or later.
func (r *helmRelease) crds() bool {
	return r.installsCRDs() || cmp.Or(r.Spec.Upgrade.CRDs, "Skip") != "Skip"
}

func (r *helmRelease) installsCRDs() bool {
	return !r.Spec.Install.SkipCRDs && r.Spec.Install.CRDs != "Skip"
}

// dependencies returns the namespaces and names of the releases that a HelmRelease depends on.
func dependencies(object json.RawMessage, namespace string) []string {
	r, err := parseRelease(object)
	if err != nil {
		return nil // a problem when it is rendered
	}
	var all []string
	for _, ref := range r.Spec.DependsOn {
		all = append(all, cmp.Or(ref.Namespace, namespace)+"/"+ref.Name)
	}
	return all
}

// runs reports whether a hook is ever applied: for one of its events, hooks are not off.
func (r *helmRelease) runs(events []string) bool {
	off := map[string]bool{
		"install": r.Spec.Install.DisableHooks, "upgrade": r.Spec.Upgrade.DisableHooks,
		"rollback": r.Spec.Rollback.DisableHooks, "delete": r.Spec.Uninstall.DisableHooks, "test": !r.Spec.Test.Enable,
	}
	return slices.ContainsFunc(events, func(event string) bool {
		_, what, phased := strings.Cut(event, "-")
		if !phased {
			what = event
		}
		return !off[what]
	})
}

// decides reports whether a field of a HelmRelease decides which chart is rendered, and where.
// No keys mean any field. Values, post-renderers and metadata may be tried with several values.
func decides(keys []string) bool {
	if len(keys) < 2 || keys[0] != "spec" {
		return len(keys) == 0 || keys[0] == "metadata" && (keys[len(keys)-1] == "name" || keys[len(keys)-1] == "namespace")
	}
	return slices.Contains([]string{"chart", "chartRef", "releaseName", "targetNamespace", "valuesFrom"}, keys[1])
}

// matter reports whether a field of a HelmRelease changes what it applies.
func matter(keys []string) bool {
	if decides(keys) {
		return true
	}
	return len(keys) > 1 && keys[0] == "spec" && slices.Contains([]string{"values", "commonMetadata", "postRenderers", "postRenderStrategy", "install", "upgrade", "rollback", "uninstall", "test"}, keys[1])
}
