package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// Cluster reads the namespaced objects of a live cluster. It only lists objects. Objects
// that a controller of Kubernetes created for another object are left out, because that
// object is judged.
type Cluster struct {
	// Name of the cluster in problems.
	Name string
	// Client of its API server.
	Client *kube.Client
	// Namespace to read; empty for all.
	Namespace string
	// Judged are the kinds to read, as policies name them: Pod, v1/Service,
	// networking.k8s.io/v1/Ingress, with * for anything.
	Judged []string
}

// Progress implements [Source]. The total is not known.
func (c *Cluster) Progress() (read, total int64) { return 0, 0 }

// Each implements [Source]. It warns about a kind that it is not allowed to list.
func (c *Cluster) Each(ctx context.Context, yield func(Workload) error) (fluxtree.Problems, error) {
	var problems fluxtree.Problems
	labels, err := c.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	resources, err := c.resources(ctx, &problems)
	if err != nil {
		return nil, err
	}
	found := false
	for _, resource := range resources {
		for o, err := range c.Client.Each(ctx, resource.APIVersion(), resource.Kind, c.Namespace, "") {
			if apierrors.IsForbidden(err) {
				problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "workload-forbidden", Position: diag.Position{File: c.Name},
					Summary: fmt.Sprintf("%s were not judged: %v", groupResource(resource), err)})
				break
			}
			if err != nil {
				return problems, fmt.Errorf("listing %s: %w", groupResource(resource), err)
			}
			if made(o) {
				continue
			}
			w, err := workloadOf(o, labels)
			if err != nil {
				return problems, err
			}
			found = true
			if err := yield(w); err != nil {
				return problems, err
			}
		}
	}
	if !found {
		problems.Add(diag.Diagnostic{Code: "workload-none", Position: diag.Position{File: c.Name}, Summary: "no object was found: nothing was judged"})
	}
	return problems.Sort(), nil
}

func groupResource(r kube.Resource) schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Name}
}

// namespaces returns the labels of each namespace.
func (c *Cluster) namespaces(ctx context.Context) (map[string]map[string]string, error) {
	labels := map[string]map[string]string{}
	if c.Namespace != "" {
		o, err := c.Client.Get(ctx, "v1", "Namespace", "", c.Namespace)
		if err != nil {
			return nil, fmt.Errorf("reading the labels of namespace %s: %w", c.Namespace, err)
		}
		labels[c.Namespace] = labelsOf(o)
		return labels, nil
	}
	for o, err := range c.Client.Each(ctx, "v1", "Namespace", "", "") {
		if err != nil {
			return nil, fmt.Errorf("listing namespaces: %w", err)
		}
		labels[o.Name()] = labelsOf(o)
	}
	return labels, nil
}

// labelsOf returns the labels of an object. It never returns nil, which would mean that
// the labels are not known.
func labelsOf(o manifest.Object) map[string]string {
	u := unstructured.Unstructured{Object: o}
	if labels := u.GetLabels(); labels != nil {
		return labels
	}
	return map[string]string{}
}

// resources returns the namespaced resources whose kind is judged.
func (c *Cluster) resources(ctx context.Context, problems *fluxtree.Problems) ([]kube.Resource, error) {
	all, unavailable, err := c.Client.Resources(ctx)
	if err != nil {
		return nil, err
	}
	for _, err := range unavailable {
		problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "workload-discovery", Position: diag.Position{File: c.Name},
			Summary: fmt.Sprintf("some kinds were not looked for: %v", err)})
	}
	return slices.DeleteFunc(all, func(r kube.Resource) bool {
		return !r.Namespaced || !slices.Contains(r.Verbs, "list") || !c.judged(r.Group, r.Kind)
	}), nil
}

// judged reports whether a policy names the kind. The version does not matter.
func (c *Cluster) judged(group, kind string) bool {
	return slices.ContainsFunc(c.Judged, func(name string) bool {
		ref := kinds.Parse(name)
		return ref.Subresource == "" && ref.Matches(group, kind)
	})
}

// made reports whether a controller of Kubernetes created the object.
func made(o manifest.Object) bool {
	owner := metav1.GetControllerOf(&unstructured.Unstructured{Object: o})
	if owner == nil {
		return false
	}
	k, known := kinds.Find(kinds.Group(owner.APIVersion), owner.Kind)
	return known && len(k.Makes) > 0
}

// workloadOf returns the object without the fields that only the server writes.
func workloadOf(o manifest.Object, labels map[string]map[string]string) (Workload, error) {
	delete(o, "status")
	delete(o.Metadata(), "managedFields")
	raw, err := json.Marshal(o)
	if err != nil {
		return Workload{}, fmt.Errorf("encoding %s: %w", o.ID(), err)
	}
	w, err := newWorkload(raw, diag.Position{}, header{})
	if err != nil {
		return Workload{}, fmt.Errorf("%s: %w", o.ID(), err)
	}
	if w.NamespaceLabels = labels[w.Namespace]; w.NamespaceLabels == nil {
		w.NamespaceLabels = map[string]string{} // the namespace is new
	}
	return w, nil
}
