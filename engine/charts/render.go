package charts

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/chartutil"
	"github.com/gatehouse-dev/gatehouse/internal/ranges"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

// kubernetes is the version that templates are told.
const kubernetes = "v1.36.0"

// served is what an API server of that version serves. Helm without a cluster would say what its libraries know: versions
// that were removed long ago, and no kinds.
//
//go:embed kubernetes-1.36.txt
var served string

// maxOutput bounds what a chart makes, in bytes.
const maxOutput = 32 << 20

// Render returns what a chart makes, as an installation. The errors have [protocol.CodeChart], or [protocol.CodeSchema] for values
// that Helm refuses.
func Render(ctx context.Context, params protocol.RenderParams) (protocol.RenderResult, error) {
	result, err := render(ctx, params)
	switch {
	case errors.Is(err, errSchema):
		return result, &protocol.Error{Code: protocol.CodeSchema, Message: oneLine(err)}
	case err != nil:
		return result, &protocol.Error{Code: protocol.CodeChart, Message: oneLine(err)}
	}
	return result, nil
}

func render(ctx context.Context, params protocol.RenderParams) (protocol.RenderResult, error) {
	c, err := load(params)
	if err != nil {
		return protocol.RenderResult{}, fmt.Errorf("loading the chart: %w", err)
	}
	values, err := values(ctx, params)
	if err != nil {
		return protocol.RenderResult{}, err
	}
	if err := helmutil.ProcessDependencies(c, values); err != nil {
		return protocol.RenderResult{}, fmt.Errorf("processing the dependencies: %w", err)
	}
	made := protocol.RenderResult{Chart: c.Name(), Version: c.Metadata.Version, Manifests: []protocol.Manifest{}}
	m := maker{lines: linesOf(c), result: &made}
	if err := m.crds(c); err != nil {
		return made, err
	}
	capabilities, err := capabilities(params, made.Manifests)
	if err != nil {
		return protocol.RenderResult{}, err
	}
	if params.Metadata != "" {
		if c.Metadata.Version, err = ranges.Stamp(c.Metadata.Version, params.Metadata); err != nil {
			return protocol.RenderResult{}, err
		}
	}
	options := common.ReleaseOptions{Name: params.Name, Namespace: params.Namespace, Revision: 1, IsInstall: true}
	all, err := commonutil.ToRenderValuesWithSchemaValidation(c, values, options, capabilities, true)
	if err != nil {
		return protocol.RenderResult{}, err
	}
	if all, ok := all["Values"].(common.Values); ok && !params.SkipSchema {
		if made.Unchecked, err = check(c, all); err != nil {
			return protocol.RenderResult{}, err
		}
	}
	files, err := engine.Engine{}.Render(c, all)
	if err != nil {
		return protocol.RenderResult{}, err
	}
	err = m.manifests(files)
	return made, err
}

// values merges the values of a release as helm-controller does.
func values(ctx context.Context, params protocol.RenderParams) (common.Values, error) {
	own := map[string]any{}
	if len(params.Values) > 0 {
		if err := json.Unmarshal(params.Values, &own); err != nil {
			return nil, fmt.Errorf("values: %w", err)
		}
	}
	refs, client, err := references(params)
	if err != nil {
		return nil, err
	}
	merged, err := chartutil.ChartValuesFromReferences(ctx, quiet(), client, params.Owner, own, refs...)
	if err != nil {
		return nil, fmt.Errorf("valuesFrom: %w", err)
	}
	return merged, nil
}

// capabilities returns what the cluster is said to have when the templates are rendered. The release has installed the
// definitions of the chart by then, unless it skips them.
func capabilities(params protocol.RenderParams, crds []protocol.Manifest) (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		return nil, err
	}
	c := common.DefaultCapabilities.Copy()
	c.KubeVersion = *version
	c.APIVersions = slices.Concat(strings.Fields(served), params.APIVersions)
	if !params.SkipCRDs {
		for _, m := range crds {
			c.APIVersions = append(c.APIVersions, protocol.Served(m.Object)...)
		}
	}
	return c, nil
}

// maker makes manifests of what was rendered.
type maker struct {
	lines  lines
	result *protocol.RenderResult
	size   int
}

// crds adds the objects in the folders crds, which are not rendered. As in helm-controller, other kinds there are left out.
func (m *maker) crds(c *chart.Chart) error {
	for _, crd := range c.CRDObjects() {
		documents := releaseutil.SplitManifests(string(crd.File.Data))
		keys := slices.Collect(maps.Keys(documents))
		slices.SortFunc(keys, before)
		for _, key := range keys {
			for _, definition := range definitions([]byte(documents[key])) {
				if err := m.add(protocol.Manifest{Template: crd.Filename, CRD: true}, string(definition)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// definitions returns the CustomResourceDefinitions of a document: itself, or the items of a list, which the client of Helm
// takes one by one.
func definitions(text []byte) [][]byte {
	var head struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return nil
	}
	if head.Kind == "CustomResourceDefinition" && strings.HasPrefix(head.APIVersion, "apiextensions.k8s.io/") {
		return [][]byte{text}
	}
	var all [][]byte
	if strings.HasSuffix(head.Kind, "List") {
		for _, item := range head.Items {
			all = append(all, definitions(item)...)
		}
	}
	return all
}

// before compares keys of SplitManifests in the order of their documents.
func before(a, b string) int {
	if releaseutil.BySplitManifestsOrder([]string{a, b}).Less(0, 1) {
		return -1
	}
	return 1
}

// manifests adds the objects of rendered templates.
func (m *maker) manifests(files map[string]string) error {
	for name, text := range files {
		if m.size += len(text); m.size > maxOutput {
			return fmt.Errorf("it makes more than %d MiB of manifests", maxOutput>>20)
		}
		if path.Base(name) == "NOTES.txt" {
			delete(files, name)
		}
	}
	hooks, others, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		if err := m.add(protocol.Manifest{Template: h.Path, Hooks: events(h)}, h.Manifest); err != nil {
			return err
		}
	}
	for _, o := range others {
		if err := m.add(protocol.Manifest{Template: o.Name}, o.Content); err != nil {
			return err
		}
	}
	return nil
}

func events(h *release.Hook) []string {
	all := []string{}
	for _, e := range h.Events {
		all = append(all, string(e))
	}
	return all
}

// add adds a document, unless it is empty.
func (m *maker) add(made protocol.Manifest, text string) error {
	object, err := yaml.YAMLToJSON([]byte(text))
	switch {
	case err != nil:
		return fmt.Errorf("%s: what it makes is no YAML: %w", made.Template, err)
	case string(bytes.TrimSpace(object)) == "null":
		return nil
	case object[0] != '{':
		return fmt.Errorf("%s: what it makes is no object", made.Template)
	}
	var head releaseutil.SimpleHead
	if err := json.Unmarshal(object, &head); err != nil {
		return fmt.Errorf("%s: what it makes is no object: %w", made.Template, err)
	}
	if head.Kind == "" {
		return fmt.Errorf("%s: what it makes has no kind", made.Template)
	}
	made.Object = object
	made.Line = m.lines.of(made.Template, head)
	m.result.Manifests = append(m.result.Manifests, made)
	return nil
}

// oneLine returns the text of an error without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
