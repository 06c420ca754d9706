package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Resource describes how the API server serves a kind.
type Resource struct {
	// Group is empty for the core group.
	Group, Version string
	// Name is the plural that is used in paths and permissions.
	Name, Kind string
	Namespaced bool
	Verbs      []string
}

// APIVersion returns the API version as written in objects, such as apps/v1.
func (r Resource) APIVersion() string {
	return schema.GroupVersion{Group: r.Group, Version: r.Version}.String()
}

// in returns the path of the objects in a namespace, or in all namespaces if it is empty.
// The namespace is ignored for cluster-scoped kinds.
func (r Resource) in(objects dynamic.Interface, namespace string) dynamic.ResourceInterface {
	all := objects.Resource(schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name})
	if !r.Namespaced {
		return all
	}
	return all.Namespace(namespace)
}

// NotServedError says that the API server does not know a kind.
type NotServedError struct{ APIVersion, Kind string }

func (e *NotServedError) Error() string {
	return fmt.Sprintf("the API server does not serve %s %s", e.APIVersion, e.Kind)
}

// IsNotServed reports whether the error means that the API server does not know the kind.
func IsNotServed(err error) bool {
	var notServed *NotServedError
	return errors.As(err, &notServed)
}

// IsAbsent reports whether the error means that the object or its kind does not exist.
func IsAbsent(err error) bool { return IsNotServed(err) || apierrors.IsNotFound(err) }

// resources caches the kinds that the API server serves, by API version.
type resources struct {
	mu       sync.Mutex
	versions map[string][]Resource
}

func newResources() *resources { return &resources{versions: map[string][]Resource{}} }

func (r *resources) find(apiVersion, kind string) (Resource, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.versions[apiVersion], func(r Resource) bool { return r.Kind == kind })
	if i < 0 {
		return Resource{}, false
	}
	return r.versions[apiVersion][i], true
}

// Resource returns the resource of a kind. It returns a [NotServedError] for a kind that
// is not served, and does not remember that, because the kind may be defined later.
func (c *Client) Resource(ctx context.Context, apiVersion, kind string) (Resource, error) {
	if r, ok := c.known.find(apiVersion, kind); ok {
		return r, nil
	}
	_, err := c.discover(ctx, apiVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		return Resource{}, fmt.Errorf("finding %s %s: %w", apiVersion, kind, err)
	}
	if r, ok := c.known.find(apiVersion, kind); ok {
		return r, nil
	}
	return Resource{}, &NotServedError{apiVersion, kind}
}

// discover requests the kinds of an API version and remembers them.
func (c *Client) discover(ctx context.Context, apiVersion string) ([]Resource, error) {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, err
	}
	path := "/apis/" + apiVersion
	if version.Group == "" {
		path = "/api/" + apiVersion
	}
	var list struct {
		Resources []struct {
			Name       string   `json:"name"`
			Kind       string   `json:"kind"`
			Namespaced bool     `json:"namespaced"`
			Verbs      []string `json:"verbs"`
		} `json:"resources"`
	}
	if err := c.get(ctx, path, &list); err != nil {
		return nil, err
	}
	var found []Resource
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") { // not a subresource
			found = append(found, Resource{version.Group, version.Version, r.Name, r.Kind, r.Namespaced, r.Verbs})
		}
	}
	c.known.mu.Lock()
	defer c.known.mu.Unlock()
	c.known.versions[apiVersion] = found
	return found, nil
}

// discoveries is the number of API versions that are requested at a time.
const discoveries = 8

// Resources returns all resources that the API server serves, each in its preferred
// version. Groups that do not answer, such as those of an aggregated API server that is
// down, are left out and returned as unavailable.
func (c *Client) Resources(ctx context.Context) (all []Resource, unavailable []error, err error) {
	versions, err := c.versions(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("asking for the groups of the API server: %w", err)
	}
	found := make([][]Resource, len(versions))
	failed := make([]error, len(versions))
	var group errgroup.Group
	group.SetLimit(discoveries)
	for i, version := range versions {
		group.Go(func() error {
			kinds, err := c.discover(ctx, version)
			if err != nil {
				failed[i] = fmt.Errorf("%s: %w", version, err)
			}
			found[i] = kinds
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, fmt.Errorf("asking for the kinds of the API server: %w", err)
	}
	seen := map[schema.GroupResource]bool{}
	for _, r := range slices.Concat(found...) {
		id := schema.GroupResource{Group: r.Group, Resource: r.Name}
		if !seen[id] {
			all = append(all, r)
		}
		seen[id] = true
	}
	return all, slices.DeleteFunc(failed, func(err error) bool { return err == nil }), nil
}

// versions returns the API versions, the preferred one of each group first.
func (c *Client) versions(ctx context.Context) ([]string, error) {
	type version struct {
		GroupVersion string `json:"groupVersion"`
	}
	var list struct {
		Groups []struct {
			Versions  []version `json:"versions"`
			Preferred version   `json:"preferredVersion"`
		} `json:"groups"`
	}
	if err := c.get(ctx, "/apis", &list); err != nil {
		return nil, err
	}
	all := []string{"v1"} // the core group has no other
	for _, g := range list.Groups {
		all = append(all, g.Preferred.GroupVersion)
		for _, v := range g.Versions {
			if v != g.Preferred {
				all = append(all, v.GroupVersion)
			}
		}
	}
	return all, nil
}
