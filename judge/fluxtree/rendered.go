package fluxtree

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// output is what a release applies.
type output struct {
	version string // of the chart, with its name
	// unchecked says why its values were not checked; empty if they were, or were not to be.
	unchecked string
	objects   []Object
}

// made is an object of a chart on its way to the cluster.
type made struct {
	engine.Manifest
	// id tells objects of one release apart: kind, namespace, name, and a number for repeats.
	id string
	// ifMissing says that Helm only makes it if it is not there.
	ifMissing bool
}

// objects renders a release, once for each variant of what is not known.
func (p *Place) objects(ctx context.Context, r *release, c *chart, in inputs) (output, error) {
	var all [][]made
	var index []map[string]json.RawMessage // the objects of each by their ids
	var first error
	var out output
	for _, v := range in.variants {
		one, err := p.helm.render(ctx, c.params(v, p.apis))
		if err == nil {
			out.version, out.unchecked = one.Chart+" "+one.Version, one.Unchecked
			var objects []made
			if objects, err = v.release.apply(ctx, one.Manifests); err == nil {
				all, index = append(all, objects), append(index, byID(objects))
				continue
			}
		}
		if ctx.Err() != nil {
			return output{}, context.Cause(ctx)
		}
		if first == nil {
			first = err
		}
	}
	if len(all) == 0 {
		return output{}, first
	}
	release := in.variants[0].release
	why := strings.Join(in.unknown[:min(3, len(in.unknown))], "; ")
	seen := map[string]bool{}
	for i, objects := range all {
		for _, m := range objects {
			if seen[m.id] {
				continue
			}
			seen[m.id] = true
			o := Object{JSON: m.Object, Root: r.Root, cluster: r.cluster, By: r.by(release), Namespace: release.namespace()}
			o.Elsewhere, o.IfMissing = r.Elsewhere || release.Spec.KubeConfig != nil, m.ifMissing
			o.At, o.Template = p.origin(r, c, m)
			if len(in.unknown) > 0 {
				o.Unknown, o.Renderings = differences(m, slices.Concat(index[:i], index[i+1:]), why)
			}
			out.objects = append(out.objects, o)
		}
	}
	return out, nil
}

func byID(objects []made) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(objects))
	for _, m := range objects {
		all[m.id] = m.Object
	}
	return all
}

// origin returns where the template of an object is in the repository. One that is not there is
// named, with the place of the release.
func (p *Place) origin(r *release, c *chart, m made) (at diag.Position, template string) {
	_, file, _ := strings.Cut(m.Template, "/") // after the name of the chart
	origin, known := c.origins[file]
	if !known {
		return r.At, m.Template
	}
	return diag.Position{File: path.Join(p.repository.display, origin), Line: max(m.Line, 1)}, ""
}

// apply returns the objects of a release as they are sent to the cluster: after its
// post-renderers, with the marks of Helm and helm-controller.
func (r *helmRelease) apply(ctx context.Context, manifests []engine.Manifest) ([]made, error) {
	manifests, err := r.rendered(ctx, manifests)
	if err != nil {
		return nil, err
	}
	all, err := r.ownNamespace()
	if err != nil {
		return nil, err
	}
	numbers := map[string]int{}
	for _, m := range manifests {
		if len(m.Hooks) > 0 && !r.runs(m.Hooks) {
			continue
		}
		if !m.CRD && len(m.Hooks) == 0 {
			if m.Object, err = r.own(m.Object); err != nil {
				return nil, err
			}
		}
		h, err := headerOf(m.Object)
		if err != nil {
			return nil, plain.JSONError(err)
		}
		id := strings.Join([]string{h.APIVersion, h.Kind, cmp.Or(h.Metadata.Namespace, r.namespace()), h.Metadata.Name}, " ")
		if numbers[id]++; numbers[id] > 1 {
			id += " " + strconv.Itoa(numbers[id])
		}
		all = append(all, made{Manifest: m, id: id})
	}
	return all, nil
}

// ownNamespace returns the Namespace that Helm makes for a release, if there is none.
func (r *helmRelease) ownNamespace() ([]made, error) {
	name := r.Spec.TargetNamespace
	if name == "" || !r.Spec.Install.CreateNamespace {
		return nil, nil
	}
	object, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": map[string]any{"name": name}}})
	return []made{{Manifest: engine.Manifest{Object: object}, id: "the Namespace of Helm", ifMissing: true}}, err
}

// rendered returns the manifests of a release after its post-renderers.
func (r *helmRelease) rendered(ctx context.Context, manifests []engine.Manifest) ([]engine.Manifest, error) {
	var crds, hooks, others []engine.Manifest
	for _, m := range items(manifests) {
		switch {
		case m.CRD && r.crds():
			crds = append(crds, m)
		case m.CRD:
		case len(m.Hooks) > 0:
			hooks = append(hooks, m)
		default:
			others = append(others, m)
		}
	}
	for i := range crds {
		var err error
		if crds[i].Object, err = r.origin().set(crds[i].Object); err != nil {
			return nil, err
		}
	}
	var err error
	switch r.Spec.PostRenderStrategy {
	case "nohooks":
		others, err = r.postRender(ctx, others)
	case "separate":
		if hooks, err = r.postRender(ctx, hooks); err == nil {
			others, err = r.postRender(ctx, others)
		}
	default:
		others, err = r.postRender(ctx, slices.Concat(hooks, others))
		hooks = nil
	}
	return slices.Concat(crds, hooks, others), err
}

// items returns manifests with the items of lists instead of the lists, as helm-controller
// applies them. A list of what has no kind stays.
func items(manifests []engine.Manifest) []engine.Manifest {
	var all []engine.Manifest
	for _, m := range manifests {
		var list struct {
			Kind  string
			Items []json.RawMessage
		}
		if !strings.Contains(string(m.Object), `List"`) || json.Unmarshal(m.Object, &list) != nil || !strings.HasSuffix(list.Kind, "List") || list.Items == nil || slices.ContainsFunc(list.Items, kindless) {
			all = append(all, m)
			continue
		}
		var inner []engine.Manifest
		for _, item := range list.Items {
			one := m
			one.Object = item
			inner = append(inner, one)
		}
		all = append(all, items(inner)...)
	}
	return all
}

func kindless(object json.RawMessage) bool {
	h, err := headerOf(object)
	return err != nil || h.Kind == ""
}

// own marks an object as Helm marks what belongs to a release.
func (r *helmRelease) own(object json.RawMessage) (json.RawMessage, error) {
	marks := commonMetadata{
		Labels:      map[string]string{"app.kubernetes.io/managed-by": "Helm"},
		Annotations: map[string]string{"meta.helm.sh/release-name": r.name(), "meta.helm.sh/release-namespace": r.namespace()},
	}
	return marks.set(object)
}

// memory keeps what was rendered, because most releases are the same in several places.
type memory struct {
	mu      sync.Mutex
	size    int
	results map[[sha256.Size]byte]remembered
}

type remembered struct {
	result engine.RenderResult
	err    error
}

// maxMemory bounds what is kept, in bytes.
const maxMemory = 64 << 20

// render renders a chart, unless it was rendered before with the same values.
func (h *Helm) render(ctx context.Context, params engine.RenderParams) (engine.RenderResult, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return engine.RenderResult{}, err
	}
	key := sha256.Sum256(text)
	m := &h.rendered
	m.mu.Lock()
	known, found := m.results[key]
	m.mu.Unlock()
	if found {
		return known.result, known.err
	}
	result, err := h.Renderer.Render(ctx, params)
	if ctx.Err() != nil {
		return result, err
	}
	size := 0
	for _, one := range result.Manifests {
		size += len(one.Object)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.size += size; m.results == nil || m.size > maxMemory {
		m.results, m.size = map[[sha256.Size]byte]remembered{}, size
	}
	m.results[key] = remembered{result, err}
	return result, err
}
