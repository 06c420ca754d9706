package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// RenderParams are a Helm chart and a release of it, as helm-controller would install it. The engine reads no disk and no
// network to render, so a chart must be complete.
//
// Templates are code of others: one may need more time or memory than there is, and then ends the engine. Start an engine
// only to render, and start another one when it is gone.
type RenderParams struct {
	// Files of the folder of the chart, by their path in it; nil for a packaged chart.
	Files map[string][]byte `json:"files,omitempty"`
	// Archive is a packaged chart, as `helm package` makes it; nil for a folder.
	Archive []byte `json:"archive,omitempty"`
	// Defaults replace values.yaml of the chart: each is YAML, and later ones win. None keeps it.
	Defaults [][]byte `json:"defaults,omitempty"`
	// ValuesFiles are files in the chart that replace its values.yaml in the same way.
	ValuesFiles []string `json:"valuesFiles,omitempty"`
	// IgnoreMissing leaves out ValuesFiles that the chart does not have. Default: an error.
	IgnoreMissing bool `json:"ignoreMissing,omitempty"`
	// Name and Namespace of the release.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Owner is the namespace of the HelmRelease, in which the sources of values are.
	Owner string `json:"owner,omitempty"`
	// Values are spec.values of the HelmRelease, an object; they win over ValuesFrom.
	Values json.RawMessage `json:"values,omitempty"`
	// ValuesFrom is spec.valuesFrom of the HelmRelease.
	ValuesFrom []json.RawMessage `json:"valuesFrom,omitempty"`
	// Sources are the ConfigMaps and Secrets that ValuesFrom names. What is missing is an error, unless it is optional.
	Sources []json.RawMessage `json:"sources,omitempty"`
	// APIVersions are what the cluster has in addition to Kubernetes itself, such as monitoring.coreos.com/v1.
	APIVersions []string `json:"apiVersions,omitempty"`
	// SkipCRDs says that the release does not install what is in the folders crds, so APIVersions do not get it.
	SkipCRDs bool `json:"skipCRDs,omitempty"`
	// SkipSchema says that the values are not checked against the schemas of the chart.
	SkipSchema bool `json:"skipSchema,omitempty"`
	// Metadata replaces the build metadata of the chart's version; empty keeps it.
	Metadata string `json:"metadata,omitempty"`
}

// Served returns what a CustomResourceDefinition adds to [RenderParams.APIVersions]: each version that it serves, as
// group/version and with the kind.
func Served(definition json.RawMessage) []string {
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Served bool
			}
		}
	}
	var all []string
	if json.Unmarshal(definition, &crd) == nil {
		for _, v := range crd.Spec.Versions {
			if v.Served {
				version := crd.Spec.Group + "/" + v.Name
				all = append(all, version, version+"/"+crd.Spec.Names.Kind)
			}
		}
	}
	return all
}

// RenderResult is what a chart makes.
type RenderResult struct {
	// Chart and Version are what Chart.yaml says.
	Chart   string `json:"chart"`
	Version string `json:"version"`
	// Unchecked says why the values were not checked against the schemas of the chart; empty if they were, or
	// were not to be.
	Unchecked string `json:"unchecked,omitempty"`
	// Manifests in the order in which Helm applies them: those in the folder crds, hooks, all others.
	Manifests []Manifest `json:"manifests"`
}

// Manifest is one object of a chart.
type Manifest struct {
	// Template that made it, as Helm names it: chart/templates/web.yaml, chart/charts/db/templates/db.yaml.
	Template string `json:"template"`
	// Line of the template where the object begins; 0 if that is not clear.
	Line int `json:"line,omitempty"`
	// Hooks are the events of a hook, such as pre-install; none for any other object.
	Hooks []string `json:"hooks,omitempty"`
	// CRD is set for what lies in the folder crds, which is applied before the release and is not part of it.
	CRD bool `json:"crd,omitempty"`
	// Object as JSON. It may be a list.
	Object json.RawMessage `json:"object"`
}

// PullParams say which chart to pull: from an HTTP(S) repository with an index, or from a registry (oci://).
type PullParams struct {
	// URL of the repository. For a registry, it is the whole reference without tag.
	URL string `json:"url"`
	// Chart is its name in the index of an HTTP(S) repository; empty for a registry.
	Chart string `json:"chart,omitempty"`
	// Version, or a range of versions; empty for the latest stable one.
	Version string `json:"version,omitempty"`
	// Tag in a registry; it wins over Version.
	Tag string `json:"tag,omitempty"`
	// Filter is an expression that the tags of a registry must match to be versions in the range. Default: all.
	Filter string `json:"filter,omitempty"`
	// Digest of the artifact of a registry; it wins over Tag and Version.
	Digest string `json:"digest,omitempty"`
	// PlainHTTP talks to a registry without TLS.
	PlainHTTP bool `json:"plainHTTP,omitempty"`
	// Cache is the folder where charts are kept; empty for none.
	Cache string `json:"cache,omitempty"`
}

// PullResult is a chart that was pulled.
type PullResult struct {
	// Archive is the packaged chart.
	Archive []byte `json:"archive"`
	// Version that was taken.
	Version string `json:"version"`
	// Digest of the archive: sha256:….
	Digest string `json:"digest"`
	// Cached is set if it came from the cache.
	Cached bool `json:"cached,omitempty"`
}

// Render returns what a chart makes. An [*Error] is about the chart; after any other error the engine must be closed.
func (c *Client) Render(ctx context.Context, params RenderParams) (RenderResult, error) {
	var result RenderResult
	if err := c.call(ctx, MethodRender, params, &result); err != nil {
		return RenderResult{}, err
	}
	if err := result.check(); err != nil {
		return RenderResult{}, notAnAnswer(MethodRender, err)
	}
	return result, nil
}

// check returns an error about a result that misses what an engine always says.
func (r RenderResult) check() error {
	if r.Chart == "" || r.Manifests == nil {
		return errors.New("it has no chart or no list of manifests")
	}
	for _, m := range r.Manifests {
		if m.Template == "" || len(m.Object) == 0 {
			return errors.New("a manifest misses its template or its object")
		}
	}
	return nil
}

// Pull returns a chart of a repository. An [*Error] is about the chart; after any other error the engine must be closed.
func (c *Client) Pull(ctx context.Context, params PullParams) (PullResult, error) {
	var result PullResult
	if err := c.call(ctx, MethodPull, params, &result); err != nil {
		return PullResult{}, err
	}
	if len(result.Archive) == 0 || result.Version == "" {
		return PullResult{}, notAnAnswer(MethodPull, fmt.Errorf("it has no archive or no version"))
	}
	return result, nil
}
