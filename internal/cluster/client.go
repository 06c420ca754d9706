package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Manager is the field manager of what gatehouse applies.
const Manager = "gatehouse"

const (
	// requestTimeout ends a request to an API server that takes it and never answers.
	requestTimeout = 30 * time.Second
	// pageSize is how many objects are asked for at once.
	pageSize = "500"
)

// Client speaks to one API server. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base *url.URL

	mu    sync.Mutex
	kinds map[string]map[string]resource // by API version, then kind
}

// resource is how the API server serves a kind.
type resource struct {
	Name       string
	Kind       string
	Namespaced bool
}

// NewClient returns a client with the credentials of config.
func NewClient(config *rest.Config) (*Client, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	return &Client{http: client, base: base, kinds: map[string]map[string]resource{}}, nil
}

// Server is the address of the API server.
func (c *Client) Server() string { return c.base.String() }

// NotServedError says that the API server does not know a kind.
type NotServedError struct{ APIVersion, Kind string }

func (e *NotServedError) Error() string {
	return fmt.Sprintf("the API server does not serve %s %s", e.APIVersion, e.Kind)
}

func isNotServed(err error) bool {
	var notServed *NotServedError
	return errors.As(err, &notServed)
}

// absent tells whether the object, or its whole kind, is not there.
func absent(err error) bool { return isNotServed(err) || apierrors.IsNotFound(err) }

// Version is the version of Kubernetes, such as v1.36.4.
func (c *Client) Version(ctx context.Context) (string, error) {
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: "/version"}, &version)
	return version.GitVersion, err
}

// Get reads one object; namespace is empty for those of the cluster.
func (c *Client) Get(ctx context.Context, apiVersion, kind, namespace, name string) (manifest.Object, error) {
	path, err := c.path(ctx, apiVersion, kind, namespace, name)
	if err != nil {
		return nil, err
	}
	var o manifest.Object
	return o, c.do(ctx, request{method: http.MethodGet, path: path}, &o)
}

// List reads the objects of a kind page by page: in all namespaces if namespace
// is empty, with any labels if selector is.
func (c *Client) List(ctx context.Context, apiVersion, kind, namespace, selector string) ([]manifest.Object, error) {
	path, err := c.path(ctx, apiVersion, kind, namespace, "")
	if err != nil {
		return nil, err
	}
	query := url.Values{"limit": {pageSize}}
	if selector != "" {
		query.Set("labelSelector", selector)
	}
	var all []manifest.Object
	for {
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []manifest.Object `json:"items"`
		}
		if err := c.do(ctx, request{method: http.MethodGet, path: path, query: query}, &page); err != nil {
			return nil, err
		}
		for _, o := range page.Items {
			o["apiVersion"], o["kind"] = apiVersion, kind // which items of a list leave out
			all = append(all, o)
		}
		if page.Metadata.Continue == "" {
			return all, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// Create posts an object that the API server answers at once and does not keep,
// such as an access review.
func (c *Client) Create(ctx context.Context, o manifest.Object) (manifest.Object, error) {
	path, err := c.path(ctx, o.APIVersion(), o.Kind(), o.Namespace(), "")
	if err != nil {
		return nil, err
	}
	var out manifest.Object
	return out, c.do(ctx, request{method: http.MethodPost, path: path, contentType: "application/json", body: o}, &out)
}

// Patch sends a JSON merge patch.
func (c *Client) Patch(ctx context.Context, o manifest.Object, patch any) error {
	path, err := c.path(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
	if err != nil {
		return err
	}
	return c.do(ctx, request{
		method: http.MethodPatch, path: path, query: url.Values{"fieldManager": {Manager}},
		contentType: "application/merge-patch+json", body: patch,
	}, nil)
}

// Delete removes an object in the background, and nothing else of that name that
// took its place meanwhile.
func (c *Client) Delete(ctx context.Context, o manifest.Object) error {
	path, err := c.path(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
	if err != nil {
		return err
	}
	options := map[string]any{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
	if uid, ok := o.Metadata()["uid"].(string); ok {
		options["preconditions"] = map[string]any{"uid": uid}
	}
	return c.do(ctx, request{method: http.MethodDelete, path: path, contentType: "application/json", body: options}, nil)
}

type request struct {
	method, path string
	query        url.Values
	contentType  string
	body         any
}

func (c *Client) do(ctx context.Context, r request, result any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var body io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	address := c.base.JoinPath(r.path)
	address.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, address.String(), body)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", r.contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the API server: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("reading the answer of the API server: %w", err)
	}
	if res.StatusCode >= 300 {
		return statusError(res.StatusCode, raw)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(raw, result); err != nil {
		return fmt.Errorf("decoding the answer of the API server: %w", err)
	}
	return nil
}

// statusError is the error that the API server answers with; proxies before it answer with text.
func statusError(code int, raw []byte) error {
	var status metav1.Status
	if json.Unmarshal(raw, &status) != nil || status.Message == "" {
		status = metav1.Status{Message: strings.TrimSpace(string(raw))}
	}
	status.Code = int32(code)
	if status.Reason == "" && code == http.StatusNotFound {
		status.Reason = metav1.StatusReasonNotFound
	}
	if status.Message == "" {
		status.Message = http.StatusText(code)
	}
	return &apierrors.StatusError{ErrStatus: status}
}

// path of an object, or of the collection if name is empty.
func (c *Client) path(ctx context.Context, apiVersion, kind, namespace, name string) (string, error) {
	r, err := c.resource(ctx, apiVersion, kind)
	if err != nil {
		return "", err
	}
	path := apiRoot(apiVersion)
	if r.Namespaced && namespace != "" {
		path += "/namespaces/" + namespace
	}
	path += "/" + r.Name
	if name != "" {
		path += "/" + name
	}
	return path, nil
}

func apiRoot(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// resource asks how a kind is served. Only what is known is remembered: what is
// not may be defined a moment later.
func (c *Client) resource(ctx context.Context, apiVersion, kind string) (resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.kinds[apiVersion][kind]; ok {
		return r, nil
	}
	var list struct {
		Resources []resource `json:"resources"`
	}
	err := c.do(ctx, request{method: http.MethodGet, path: apiRoot(apiVersion)}, &list)
	if apierrors.IsNotFound(err) {
		return resource{}, &NotServedError{apiVersion, kind}
	}
	if err != nil {
		return resource{}, fmt.Errorf("finding %s %s: %w", apiVersion, kind, err)
	}
	known := map[string]resource{}
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") { // not a subresource
			known[r.Kind] = r
		}
	}
	c.kinds[apiVersion] = known
	r, ok := known[kind]
	if !ok {
		return resource{}, &NotServedError{apiVersion, kind}
	}
	return r, nil
}
