package charts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fluxcd/pkg/apis/meta"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubeclient "sigs.k8s.io/controller-runtime/pkg/client"
)

func quiet() logr.Logger { return logr.Discard() }

// references decodes the sources of values, and a client that has them.
func references(params protocol.RenderParams) ([]meta.ValuesReference, kubeclient.Client, error) {
	var refs []meta.ValuesReference
	for i, raw := range params.ValuesFrom {
		var ref meta.ValuesReference
		if err := json.Unmarshal(raw, &ref); err != nil {
			return nil, nil, fmt.Errorf("valuesFrom[%d]: %w", i, err)
		}
		refs = append(refs, ref)
	}
	known := sources{objects: map[string]json.RawMessage{}}
	for _, raw := range params.Sources {
		var object struct {
			metav1.TypeMeta
			metav1.ObjectMeta `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, nil, fmt.Errorf("a source of values: %w", err)
		}
		known.objects[object.Kind+"/"+object.Name] = raw
	}
	return refs, known, nil
}

// sources is a client that reads the ConfigMaps and Secrets of one namespace, and can do nothing else.
type sources struct {
	kubeclient.Client
	objects map[string]json.RawMessage
}

// Get implements [kubeclient.Client].
func (s sources) Get(_ context.Context, key kubeclient.ObjectKey, into kubeclient.Object, _ ...kubeclient.GetOption) error {
	kind := "ConfigMap"
	if _, secret := into.(*corev1.Secret); secret {
		kind = "Secret"
	}
	raw, known := s.objects[kind+"/"+key.Name]
	if !known {
		return apierrors.NewNotFound(schema.GroupResource{Resource: kind}, key.Name)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s %s: %w", kind, key.Name, err)
	}
	if secret, ok := into.(*corev1.Secret); ok { // as the API server stores it
		for name, value := range secret.StringData {
			if secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			secret.Data[name] = []byte(value)
		}
	}
	return nil
}
