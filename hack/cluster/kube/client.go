// Package kube is a client of the Kubernetes API in plain JSON: objects are
// manifest.Object, there are no types, caches or watches. It is what the local
// control plane and the end-to-end tests need, without the 300 packages of
// client-go.
package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Client speaks to one API server. It is safe for concurrent use. The zero value
// of User acts as the owner of Token.
type Client struct {
	// Server is the address, such as https://127.0.0.1:6443.
	Server string
	// Token is sent as bearer token.
	Token string
	// HTTP trusts the server's certificate.
	HTTP *http.Client
	// User and Groups are impersonated.
	User   string
	Groups []string

	// dryRun is set by DryRun.
	dryRun    bool
	resources *resources
}

// New returns a client without impersonation.
func New(server, token string, client *http.Client) *Client {
	return &Client{Server: server, Token: token, HTTP: client, resources: &resources{}}
}

// As returns a client that acts as another user. The group system:authenticated
// is added, as it is for everybody who logs in.
func (c *Client) As(user string, groups ...string) *Client {
	other := *c
	other.User, other.Groups = user, append(groups, "system:authenticated")
	return &other
}

// DryRun returns a client whose writes go through everything, admission included,
// but are not stored.
func (c *Client) DryRun() *Client {
	other := *c
	other.dryRun = true
	return &other
}

// StatusError is the API server's answer to a request that it did not fulfil.
type StatusError struct {
	Code    int
	Reason  string
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s (%d %s)", e.Message, e.Code, e.Reason) }

// Apply sends an object by server-side apply in the name of a field manager. It
// takes conflicting fields from their managers and refuses fields that the schema
// does not know.
func (c *Client) Apply(ctx context.Context, o manifest.Object, manager string) (manifest.Object, error) {
	path, err := c.objectPath(ctx, o)
	if err != nil {
		return nil, err
	}
	query := url.Values{"fieldManager": {manager}, "force": {"true"}, "fieldValidation": {"Strict"}}
	return c.send(ctx, http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", o)
}

// Create sends a new object, which names its namespace if it has one.
func (c *Client) Create(ctx context.Context, o manifest.Object) (manifest.Object, error) {
	path, err := c.path(ctx, o.APIVersion(), o.Kind(), o.Namespace(), "")
	if err != nil {
		return nil, err
	}
	return c.send(ctx, http.MethodPost, path, "application/json", o)
}

// Get reads one object; namespace is empty for those of the cluster.
func (c *Client) Get(ctx context.Context, apiVersion, kind, namespace, name string) (manifest.Object, error) {
	path, err := c.path(ctx, apiVersion, kind, namespace, name)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, http.MethodGet, path, "", nil)
}

// List reads all objects of a kind, in all namespaces if namespace is empty. The
// objects carry neither kind nor apiVersion, as the API server sends them.
func (c *Client) List(ctx context.Context, apiVersion, kind, namespace string) ([]manifest.Object, error) {
	path, err := c.path(ctx, apiVersion, kind, namespace, "")
	if err != nil {
		return nil, err
	}
	var list struct{ Items []manifest.Object }
	return list.Items, c.do(ctx, http.MethodGet, path, "", nil, &list)
}

// Patch sends a JSON merge patch to an object, or to its subresource if that is not empty.
func (c *Client) Patch(ctx context.Context, o manifest.Object, subresource string, patch any) (manifest.Object, error) {
	path, err := c.objectPath(ctx, o)
	if err != nil {
		return nil, err
	}
	if subresource != "" {
		path += "/" + subresource
	}
	return c.send(ctx, http.MethodPatch, path, "application/merge-patch+json", patch)
}

// Delete removes an object in the background.
func (c *Client) Delete(ctx context.Context, o manifest.Object) error {
	path, err := c.objectPath(ctx, o)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path+"?propagationPolicy=Background", "", nil, nil)
}

// Do sends a request for what the other methods do not know; result may be nil.
func (c *Client) Do(ctx context.Context, method, path string, body, result any) error {
	return c.do(ctx, method, path, "application/json", body, result)
}

func (c *Client) objectPath(ctx context.Context, o manifest.Object) (string, error) {
	return c.path(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
}

func (c *Client) send(ctx context.Context, method, path, contentType string, body any) (manifest.Object, error) {
	var out manifest.Object
	return out, c.do(ctx, method, path, contentType, body, &out)
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body, result any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding the body of %s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Server+path, reader)
	if err != nil {
		return err
	}
	if c.dryRun && method != http.MethodGet {
		query := req.URL.Query()
		query.Set("dryRun", "All")
		req.URL.RawQuery = query.Encode()
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if c.User != "" {
		req.Header.Set("Impersonate-User", c.User)
		for _, group := range c.Groups {
			req.Header.Add("Impersonate-Group", group)
		}
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return statusError(res.StatusCode, raw)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(raw, result); err != nil {
		return fmt.Errorf("decoding the answer to %s %s: %w", method, path, err)
	}
	return nil
}

func statusError(code int, raw []byte) error {
	status := StatusError{Code: code}
	if json.Unmarshal(raw, &status) != nil || status.Message == "" {
		status.Message = strings.TrimSpace(string(raw))
	}
	status.Code = code
	return &status
}
