// Package kube is a client of the Kubernetes API for objects without types: what
// bootstrap, uninstall, impact and the end-to-end tests need of client-go, whose
// own discovery would bring the types of every API.
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
	// requestTimeout ends a request to an API server that takes it and never
	// answers; the server itself gives up after as long (--request-timeout).
	requestTimeout = time.Minute
	// pageSize is how many objects are asked for at once, as kubectl does.
	pageSize = 500
)

// Client speaks to one API server. It is safe for concurrent use. Numbers in what
// it returns are int64 or float64. Errors of the API server are those of
// apimachinery's package errors; what it asks to try again later is tried again.
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

// Server is the address of the API server.
func (c *Client) Server() string { return c.config.Host }

// As returns a client that acts as another user, whose name is not empty. The
// group system:authenticated is added, as it is for everybody who logs in.
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

// DryRun returns a client whose writes go through everything, admission included,
// but are not stored.
func (c *Client) DryRun() *Client {
	other := *c
	other.dryRun = true
	return &other
}

// Force returns a client whose Apply takes the fields that other managers have.
func (c *Client) Force() *Client {
	other := *c
	other.force = true
	return &other
}

// Version is the version of Kubernetes, such as v1.36.4.
func (c *Client) Version(ctx context.Context) (string, error) {
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	err := c.get(ctx, "/version", &version)
	return version.GitVersion, err
}

// Get reads one object; namespace is empty for those of the cluster.
func (c *Client) Get(ctx context.Context, apiVersion, kind, namespace, name string) (manifest.Object, error) {
	collection, err := c.collection(ctx, apiVersion, kind, namespace)
	if err != nil {
		return nil, err
	}
	return object(collection.Get(ctx, name, metav1.GetOptions{}))
}

// List reads the objects of a kind: in all namespaces if namespace is empty, with
// any labels if selector is.
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

// Each is List page by page, so that memory does not grow with the number of
// objects. An error is the last that it gives. Where a page has come too late for
// the snapshot of the first one, it goes on with what is there now.
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
			if options.Continue = page.GetContinue(); options.Continue == "" {
				return
			}
		}
	}
}

// freshToken is what the API server offers instead of a token that is too old.
func freshToken(err error) string {
	var status *apierrors.StatusError
	if apierrors.IsResourceExpired(err) && errors.As(err, &status) {
		return status.ErrStatus.Continue
	}
	return ""
}

// Apply sends an object by server-side apply in the name of a field manager, and
// refuses fields that the schema does not know. Fields of other managers are a
// conflict, unless the client is one of Force.
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

// Create sends a new object, or one that the API server answers at once and does
// not keep, such as an access review.
func (c *Client) Create(ctx context.Context, o manifest.Object) (manifest.Object, error) {
	collection, err := c.collection(ctx, o.APIVersion(), o.Kind(), o.Namespace())
	if err != nil {
		return nil, err
	}
	return object(collection.Create(ctx, &unstructured.Unstructured{Object: o}, metav1.CreateOptions{DryRun: c.dry()}))
}

// Delete removes an object in the background. Where it carries a uid, nothing else
// of that name that took its place meanwhile is removed.
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

// Token asks for a token of a ServiceAccount.
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

// collection is where an object of a kind lies: without a namespace that it needs
// in the namespace default, as for kubectl.
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

// get reads what is not an object.
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
