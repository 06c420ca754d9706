package evaluator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	enginecontext "github.com/kyverno/kyverno/pkg/engine/context"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// lookups answers what rules read by context.apiCall: a GET of one object, by its path in the API. Checks in CEL read the
// same objects.
type lookups struct {
	byPath map[string]json.RawMessage
	cel    *libs.FakeContextProvider
}

// newLookups indexes objects by their path.
func newLookups(objects []json.RawMessage, kinds kindTable) (lookups, error) {
	index := lookups{map[string]json.RawMessage{}, libs.NewFakeContextProvider()}
	for i, raw := range objects {
		var object metav1.PartialObjectMetadata
		if err := json.Unmarshal(raw, &object); err != nil {
			return lookups{}, fmt.Errorf("decoding objects[%d]: %w", i, err)
		}
		gvk := object.GroupVersionKind()
		if gvk.Version == "" || gvk.Kind == "" || object.Name == "" {
			return lookups{}, fmt.Errorf("objects[%d] has no apiVersion, no kind or no name", i)
		}
		path := "/api/" + gvk.Version
		if gvk.Group != "" {
			path = "/apis/" + gvk.Group + "/" + gvk.Version
		}
		if object.Namespace != "" {
			path += "/namespaces/" + object.Namespace
		}
		resource := kinds.resource(gvk)
		index.byPath[path+"/"+resource.Resource+"/"+object.Name] = raw
		var whole unstructured.Unstructured
		if err := whole.UnmarshalJSON(raw); err != nil {
			return lookups{}, fmt.Errorf("decoding objects[%d]: %w", i, err)
		}
		if err := index.cel.AddResource(resource, &whole); err != nil {
			return lookups{}, fmt.Errorf("indexing objects[%d]: %w", i, err)
		}
	}
	return index, nil
}

// RawAbsPath implements engineapi.RawClient. What was not loaded does not exist.
func (l lookups) RawAbsPath(_ context.Context, path, method string, _ io.Reader) ([]byte, error) {
	if object, found := l.byPath[path]; found && method == "GET" {
		return object, nil
	}
	return nil, fmt.Errorf("%s %s: not found", method, path)
}

// serve makes the API calls of rules ask l instead of an API server.
func (l lookups) serve(inner engineapi.ContextLoaderFactory) engineapi.ContextLoaderFactory {
	return func(policy kyvernov1.PolicyInterface, rule kyvernov1.Rule) engineapi.ContextLoader {
		return lookingUp{inner: inner(policy, rule), objects: l}
	}
}

// lookingUp is Kyverno's loader with another client.
type lookingUp struct {
	inner   engineapi.ContextLoader
	objects lookups
}

// Load implements engineapi.ContextLoader.
func (l lookingUp) Load(ctx context.Context, jp jmespath.Interface, _ engineapi.RawClient, rc engineapi.RegistryClientFactory,
	entries []kyvernov1.ContextEntry, json enginecontext.Interface) error {
	return l.inner.Load(ctx, jp, l.objects, rc, entries, json)
}
