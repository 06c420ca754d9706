package workload

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// pageSize is how many objects are asked for at a time, as kubectl does.
const pageSize = 500

// Cluster are the namespaced objects of a live cluster. It lists, and does
// nothing else. What a controller of Kubernetes has made of another object is
// left out, because that one is judged.
type Cluster struct {
	// Name is how problems call the cluster.
	Name string
	// Objects and Kinds are the API server.
	Objects dynamic.Interface
	Kinds   discovery.ServerResourcesInterface
	// Namespace to read; empty for all.
	Namespace string
	// Judged are the kinds to read, as policies name them: Pod, v1/Service,
	// networking.k8s.io/v1/Ingress, with * for anything.
	Judged []string
}

// Progress implements [Source]: nobody knows how much there is.
func (c *Cluster) Progress() (read, total int64) { return 0, 0 }

// Each implements [Source]. A kind that may not be listed is a warning.
func (c *Cluster) Each(ctx context.Context, yield func(Workload) error) (diag.List, error) {
	var problems diag.List
	labels, err := c.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	resources, err := c.resources(&problems)
	if err != nil {
		return nil, err
	}
	found := false
	for _, resource := range resources {
		err := c.pages(ctx, c.Objects.Resource(resource).Namespace(c.Namespace), func(u *unstructured.Unstructured) error {
			if made(u) {
				return nil
			}
			w, err := c.workload(u, labels)
			if err != nil {
				return err
			}
			found = true
			return yield(w)
		})
		switch {
		case isForbidden(err):
			problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "workload-forbidden", Position: diag.Position{File: c.Name},
				Summary: fmt.Sprintf("%s were not judged: %v", resource.GroupResource(), err)})
		case err != nil:
			return problems, fmt.Errorf("listing %s: %w", resource.GroupResource(), err)
		}
	}
	if !found {
		problems.Add(diag.Diagnostic{Code: "workload-none", Position: diag.Position{File: c.Name}, Summary: "no object was found: nothing was judged"})
	}
	return problems.Sort(), nil
}

// namespaces are the labels of each namespace.
func (c *Cluster) namespaces(ctx context.Context) (map[string]map[string]string, error) {
	resource := c.Objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	labels := map[string]map[string]string{}
	if c.Namespace != "" {
		u, err := resource.Get(ctx, c.Namespace, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading the labels of namespace %s: %w", c.Namespace, err)
		}
		labels[c.Namespace] = labelsOf(u)
		return labels, nil
	}
	err := c.pages(ctx, resource, func(u *unstructured.Unstructured) error {
		labels[u.GetName()] = labelsOf(u)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	return labels, nil
}

// labelsOf is not nil, because it says what there is.
func labelsOf(u *unstructured.Unstructured) map[string]string {
	if labels := u.GetLabels(); labels != nil {
		return labels
	}
	return map[string]string{}
}

// resources are the namespaced ones with a kind that is judged.
func (c *Cluster) resources(problems *diag.List) ([]schema.GroupVersionResource, error) {
	lists, err := c.Kinds.ServerPreferredResources()
	var partly *discovery.ErrGroupDiscoveryFailed
	switch {
	case errors.As(err, &partly):
		problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "workload-discovery", Position: diag.Position{File: c.Name},
			Summary: "some kinds were not looked for: " + err.Error()})
	case err != nil:
		return nil, fmt.Errorf("asking the cluster for its kinds: %w", err)
	}
	var out []schema.GroupVersionResource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("asking the cluster for its kinds: %w", err)
		}
		for _, r := range list.APIResources {
			if r.Namespaced && !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && c.judged(version.Group, r.Kind) {
				out = append(out, version.WithResource(r.Name))
			}
		}
	}
	return out, nil
}

// judged tells whether a policy names the kind; versions are served alike.
func (c *Cluster) judged(group, kind string) bool {
	return slices.ContainsFunc(c.Judged, func(name string) bool {
		parts := strings.Split(name, "/")
		wantGroup := "*"
		if len(parts) == 3 {
			wantGroup = parts[0]
		}
		return matches(wantGroup, group) && matches(parts[len(parts)-1], kind)
	})
}

func matches(glob, s string) bool {
	ok, err := path.Match(glob, s)
	return err == nil && ok
}

// pages lists everything, page by page. Where a page has come too late for the
// snapshot of the first one, the API server offers to go on with what is there now.
func (c *Cluster) pages(ctx context.Context, resource dynamic.ResourceInterface, each func(*unstructured.Unstructured) error) error {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := resource.List(ctx, options)
		var status *apierrors.StatusError
		if apierrors.IsResourceExpired(err) && errors.As(err, &status) && status.ErrStatus.Continue != "" && status.ErrStatus.Continue != options.Continue {
			options.Continue = status.ErrStatus.Continue
			continue
		}
		if err != nil {
			if apierrors.IsForbidden(err) {
				return &forbidden{err}
			}
			return err
		}
		for i := range page.Items {
			if err := each(&page.Items[i]); err != nil {
				return err
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// forbidden is the answer to a list, and not an error of who gets the objects.
type forbidden struct{ error }

func isForbidden(err error) bool {
	var f *forbidden
	return errors.As(err, &f)
}

// controllers are the kinds that make Pods, or what makes Pods, by their groups.
var controllers = map[string]string{
	"CronJob": "batch", "DaemonSet": "apps", "Deployment": "apps", "Job": "batch", "ReplicaSet": "apps", "ReplicationController": "", "StatefulSet": "apps",
}

// made tells whether a controller of Kubernetes has made the object.
func made(u *unstructured.Unstructured) bool {
	owner := metav1.GetControllerOf(u)
	if owner == nil {
		return false
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	group, known := controllers[owner.Kind]
	return err == nil && known && group == version.Group
}

// workload is the object without what only the server writes.
func (c *Cluster) workload(u *unstructured.Unstructured, labels map[string]map[string]string) (Workload, error) {
	unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
	unstructured.RemoveNestedField(u.Object, "status")
	object, err := u.MarshalJSON()
	if err != nil {
		return Workload{}, fmt.Errorf("encoding %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	w, err := newWorkload(object, diag.Position{}, header{})
	if err != nil {
		return Workload{}, fmt.Errorf("%s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	if w.NamespaceLabels = labels[w.Namespace]; w.NamespaceLabels == nil {
		w.NamespaceLabels = map[string]string{} // the namespace is new
	}
	return w, nil
}
