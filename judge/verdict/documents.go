package verdict

import (
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Document is a test document of a control as a request.
type Document struct {
	// Name of the document, with the changes made to it.
	Name string
	// Resource of the request, such as CREATE Pod gatehouse-test-apps/web.
	Resource string
	// Origin is the file of the document.
	Origin  string
	Request engine.EvaluateParams
	// Twin is the index of the document that creates what this one updates an object to;
	// negative if there is none.
	Twin int
}

// Documents returns the good and bad documents of a control in a tier, and hostile variants
// of them: each Pod also in a controller, with its containers behind another one and as init
// containers, and without security contexts; each update also as a creation. What a variant
// deserves is not known. base is the index of the first one among all documents.
func Documents(policy plan.Policy, tier string, base int) ([]Document, error) {
	good, bad, err := policy.Control.Tests(policy.Parameters)
	if err != nil {
		return nil, fmt.Errorf("the documents of control %s: %w", policy.Control.ID, err)
	}
	var all []Document
	add := func(c catalog.Case, check string, twin int) error {
		at := place{tier: tier, namespace: policy.Scope.Example(catalog.TestNamespace(tier)), labels: map[string]string{v1alpha1.LabelTier: tier}}
		switch {
		case clusterScoped(c, policy):
			at = place{namespace: c.Namespace}
		case !movable(c):
			at.namespace = c.Namespace
		}
		c.Object, c.OldObject = withoutNulls(c.Object), withoutNulls(c.OldObject)
		request, err := requestOf(c, at)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", originOf(policy.Control, check), c.Name, err)
		}
		all = append(all, Document{Name: c.Name, Resource: nameOf(c, request.Namespace), Origin: originOf(policy.Control, check), Request: request, Twin: twin})
		return nil
	}
	for _, set := range []struct {
		check string
		cases []catalog.Case
	}{{CheckGood, good}, {CheckBad, bad}} {
		for _, c := range set.cases {
			twin := -1
			if created, ok := asCreated(c); ok {
				twin = base + len(all)
				if err := add(created, set.check, -1); err != nil {
					return nil, err
				}
			}
			if err := add(c, set.check, twin); err != nil {
				return nil, err
			}
			for _, v := range variants(c) {
				if err := add(v, set.check, -1); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// withoutNulls returns an object without the fields that are null: the API server drops them
// before it asks, and policies that have never seen one may take it for something.
func withoutNulls(object map[string]any) map[string]any {
	if object == nil {
		return nil
	}
	return dropNulls(object).(map[string]any)
}

func dropNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if value != nil {
				out[key] = dropNulls(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = dropNulls(element)
		}
		return out
	}
	return v
}

// asCreated returns the case that creates what an update makes of an object.
func asCreated(c catalog.Case) (catalog.Case, bool) {
	if c.Operation != string(engine.Update) || c.SubResource != "" {
		return c, false
	}
	c.Name, c.Operation, c.OldObject = c.Name+", created", string(engine.Create), nil
	return c, true
}

// variants returns hostile variants of the creation of a Pod.
func variants(c catalog.Case) []catalog.Case {
	if c.Kind.Kind != "Pod" || c.Operation != string(engine.Create) || c.SubResource != "" {
		return nil
	}
	var all []catalog.Case
	for _, kind := range []string{"Deployment", "CronJob"} {
		if object := asKind(c.Object, kind); object != nil {
			metadata := maps.Clone(object["metadata"].(map[string]any))
			metadata["name"], metadata["namespace"] = "test", c.Namespace
			object["metadata"] = metadata
			all = append(all, varied(c, "in a "+kind, object))
			all[len(all)-1].Kind.Kind = kind
		}
	}
	for _, change := range []struct {
		name string
		to   func(spec map[string]any, containers []any)
	}{
		{"behind another container", func(spec map[string]any, containers []any) {
			spec["containers"] = append([]any{harmless()}, containers...)
		}},
		{"as init containers", func(spec map[string]any, containers []any) {
			before, _ := spec["initContainers"].([]any)
			spec["containers"], spec["initContainers"] = []any{harmless()}, append(before, containers...)
		}},
		{"without security contexts", func(spec map[string]any, containers []any) {
			delete(spec, "securityContext")
			for _, one := range containers {
				if container, ok := one.(map[string]any); ok {
					delete(container, "securityContext")
				}
			}
		}},
	} {
		object := runtime.DeepCopyJSON(c.Object)
		spec, _ := object["spec"].(map[string]any)
		if containers, ok := spec["containers"].([]any); ok {
			change.to(spec, containers)
			all = append(all, varied(c, change.name, object))
		}
	}
	return all
}

func varied(c catalog.Case, how string, object map[string]any) catalog.Case {
	c.Name, c.Object = c.Name+", "+how, object
	return c
}

// harmless is a container with which most controls find no fault.
func harmless() map[string]any {
	return map[string]any{
		"name": "harmless", "image": "ghcr.io/acme/harmless:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"securityContext": map[string]any{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": int64(1000),
			"capabilities": map[string]any{"drop": []any{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"resources": map[string]any{"requests": map[string]any{"cpu": "1", "memory": "1Gi"}, "limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
	}
}
