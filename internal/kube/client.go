// Package kube is a client of the Kubernetes API for untyped objects. It holds the part
// of client-go that bootstrap, uninstall, impact and the end-to-end tests need, because
// client-go's own discovery depends on the types of every API.
package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	// requestTimeout ends a request to an API server that accepts it and never
	// answers. It is the server's own default (--request-timeout).
	requestTimeout = time.Minute
	// pageSize is the number of objects per page of a list, as in kubectl.
	pageSize = 500
)

// Client sends requests to one API server. It is safe for concurrent use. Numbers in the
// objects that it returns are int64 or float64. Errors of the API server are those of
// apimachinery's package errors. Requests that the API server asks to retry are retried.
type Client struct {
	config  *rest.Config
	rest    rest.Interface
	objects dynamic.Interface
	known   *resources

	dryRun, force bool
}

// New returns a client with the credentials of config; it sends nothing yet.
// Requests are not throttled on this side unless config says so.
func New(config *rest.Config) (*Client, error) {
	config = dynamic.ConfigFor(config)
	config.Timeout = requestTimeout
	if config.QPS == 0 {
		config.QPS = -1 // client-go's default is 5 a second, from before API servers guarded themselves
	}
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", config.Host, err)
	}
	return &Client{config: config, rest: client, objects: dynamic.New(client), known: newResources()}, nil
}

// Server returns the address of the API server.
func (c *Client) Server() string { return c.config.Host }

// As returns a client that acts as another user, whose name must not be empty. The group
// system:authenticated is added, as for every authenticated user.
func (c *Client) As(user string, groups ...string) (*Client, error) {
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	other, err := New(config)
	if err != nil {
		return nil, err
	}
	other.known, other.dryRun, other.force = c.known, c.dryRun, c.force
	return other, nil
}

// DryRun returns a client whose writes are processed, including admission, but not stored.
func (c *Client) DryRun() *Client {
	other := *c
	other.dryRun = true
	return &other
}

// Force returns a client whose Apply takes over the fields of other managers.
func (c *Client) Force() *Client {
	other := *c
	other.force = true
	return &other
}

// Version returns the version of Kubernetes, such as v1.36.4.
func (c *Client) Version(ctx context.Context) (string, error) {
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	err := c.get(ctx, "/version", &version)
	return version.GitVersion, err
}

// Get reads one object. namespace is empty for cluster-scoped objects.
func (c *Client) Get(ctx context.Context, apiVersion, kind, namespace, name string) (manifest.Object, error) {
	collection, err := c.collection(ctx, apiVersion, kind, namespace)
	if err != nil {
		return nil, err
	}
	return object(collection.Get(ctx, name, metav1.GetOptions{}))
}

// List reads the objects of a kind. An empty namespace means all namespaces, and an empty
// selector means any labels.
func (c *Client) List(ctx context.Context, apiVersion, kind, namespace, selector string) ([]manifest.Object, error) {
	var all []manifest.Object
	for o, err := range c.Each(ctx, apiVersion, kind, namespace, selector) {
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// Each lists objects page by page, so that memory use does not grow with their number. An
// error is the last thing that it yields. If the snapshot of the first page has expired,
// it continues with the current objects.
func (c *Client) Each(ctx context.Context, apiVersion, kind, namespace, selector string) iter.Seq2[manifest.Object, error] {
	return func(yield func(manifest.Object, error) bool) {
		resource, err := c.Resource(ctx, apiVersion, kind)
		if err != nil {
			yield(nil, err)
			return
		}
		collection := resource.in(c.objects, namespace)
		options := metav1.ListOptions{Limit: pageSize, LabelSelector: selector}
		for {
			page, err := collection.List(ctx, options)
			if next := freshToken(err); next != "" && next != options.Continue {
				options.Continue = next
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range page.Items {
				item.SetAPIVersion(apiVersion) // which a list may leave out
				item.SetKind(kind)
				if !yield(item.Object, nil) {
					return
				}
			}
			next := page.GetContinue()
			if next == "" {
				return
			}
			if next == options.Continue {
				yield(nil, fmt.Errorf("listing %s: the API server answers the same page again", kind))
				return
			}
			options.Continue = next
		}
	}
}

// freshToken returns the token that the API server offers to replace an expired one.
func freshToken(err error) string {
	var status *apierrors.StatusError
	if apierrors.IsResourceExpired(err) && errors.As(err, &status) {
		return status.ErrStatus.Continue
	}
	return ""
}

// Apply applies an object server-side as a field manager. Fields that are not in the
// schema are refused. Fields of other managers are a conflict, unless the client is from
// Force.
func (c *Client) Apply(ctx context.Context, o manifest.Object, manager string) (manifest.Object, error) {
	return c.patch(ctx, o, "", types.ApplyPatchType, o, metav1.PatchOptions{
		FieldManager: manager, Force: &c.force, FieldValidation: metav1.FieldValidationStrict, DryRun: c.dry(),
	})
}

// Patch sends a JSON merge patch to an object, or to its subresource if that is not empty.
func (c *Client) Patch(ctx context.Context, o manifest.Object, subresource string, patch any) (manifest.Object, error) {
	return c.patch(ctx, o, subresource, types.MergePatchType, patch, metav1.PatchOptions{DryRun: c.dry()})
}

func (c *Client) patch(ctx context.Context, o manifest.Object, subresource string, as types.PatchType, body any, options metav1.PatchOptions) (manifest.Object, error) {
	collection, err := c.collection(ctx, o.APIVersion(), o.Kind(), o.Namespace())
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding a patch: %w", err)
	}
	var subresources []string
	if subresource != "" {
		subresources = []string{subresource}
	}
	return object(collection.Patch(ctx, o.Name(), as, data, options, subresources...))
}

// Create creates an object, or sends one that the API server answers and does not store,
// such as an access review.
func (c *Client) Create(ctx context.Context, o manifest.Object) (manifest.Object, error) {
	collection, err := c.collection(ctx, o.APIVersion(), o.Kind(), o.Namespace())
	if err != nil {
		return nil, err
	}
	return object(collection.Create(ctx, &unstructured.Unstructured{Object: o}, metav1.CreateOptions{DryRun: c.dry()}))
}

// Delete deletes an object in the background. If the object has a uid, Delete does not
// delete another object that has replaced it under the same name.
func (c *Client) Delete(ctx context.Context, o manifest.Object) error {
	collection, err := c.collection(ctx, o.APIVersion(), o.Kind(), o.Namespace())
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &background, DryRun: c.dry()}
	if uid, ok := o.Metadata()["uid"].(string); ok {
		options.Preconditions = metav1.NewUIDPreconditions(uid)
	}
	return collection.Delete(ctx, o.Name(), options)
}

// Token requests a token of a ServiceAccount.
func (c *Client) Token(ctx context.Context, namespace, serviceAccount string, lifetime time.Duration) (string, error) {
	request := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
		"metadata": map[string]any{"name": serviceAccount}, "spec": map[string]any{"expirationSeconds": int64(lifetime.Seconds())},
	}}
	accounts := c.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}).Namespace(namespace)
	answer, err := accounts.Create(ctx, request, metav1.CreateOptions{}, "token")
	if err != nil {
		return "", fmt.Errorf("asking for a token of %s/%s: %w", namespace, serviceAccount, err)
	}
	token, _, err := unstructured.NestedString(answer.Object, "status", "token")
	return token, err
}

// collection returns the path of the objects of a kind. An object that needs a namespace
// and has none is in the namespace default, as in kubectl.
func (c *Client) collection(ctx context.Context, apiVersion, kind, namespace string) (dynamic.ResourceInterface, error) {
	resource, err := c.Resource(ctx, apiVersion, kind)
	if err != nil {
		return nil, err
	}
	return resource.in(c.objects, cmp.Or(namespace, metav1.NamespaceDefault)), nil
}

func (c *Client) dry() []string {
	if c.dryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// get reads a response that is not an object.
func (c *Client) get(ctx context.Context, path string, into any) error {
	raw, err := c.rest.Get().AbsPath(path).Do(ctx).Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decoding what the API server answers at %s: %w", path, err)
	}
	return nil
}

func object(u *unstructured.Unstructured, err error) (manifest.Object, error) {
	if err != nil {
		return nil, err
	}
	return u.Object, nil
}
