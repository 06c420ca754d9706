package kube

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// resources caches what the API server says about its kinds, per API version.
type resources struct {
	mu    sync.Mutex
	kinds map[string]map[string]resource
}

type resource struct {
	Name       string
	Kind       string
	Namespaced bool
}

// path of an object, or of the collection if name is empty. Kinds that are not
// known are asked for again: their definition may be new.
func (c *Client) path(ctx context.Context, apiVersion, kind, namespace, name string) (string, error) {
	root := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		root = "/api/" + apiVersion
	}
	r, err := c.resource(ctx, root, kind)
	if err != nil {
		return "", fmt.Errorf("finding %s %s: %w", apiVersion, kind, err)
	}
	path := root
	if r.Namespaced && (namespace != "" || name != "") {
		if namespace == "" {
			namespace = "default"
		}
		path += "/namespaces/" + namespace
	}
	path += "/" + r.Name
	if name != "" {
		path += "/" + name
	}
	return path, nil
}

func (c *Client) resource(ctx context.Context, root, kind string) (resource, error) {
	c.resources.mu.Lock()
	defer c.resources.mu.Unlock()
	if r, ok := c.resources.kinds[root][kind]; ok {
		return r, nil
	}
	var list struct{ Resources []resource }
	if err := c.do(ctx, http.MethodGet, root, "", nil, &list); err != nil {
		return resource{}, err
	}
	kinds := map[string]resource{}
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") { // not a subresource
			kinds[r.Kind] = r
		}
	}
	if c.resources.kinds == nil {
		c.resources.kinds = map[string]map[string]resource{}
	}
	c.resources.kinds[root] = kinds
	r, ok := kinds[kind]
	if !ok {
		return resource{}, &StatusError{Code: http.StatusNotFound, Reason: "NotFound", Message: "the API server does not serve the kind"}
	}
	return r, nil
}
