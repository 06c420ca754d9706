// Package workload reads Kubernetes objects from files, folders, kustomizations,
// repositories of Flux, a stream or a live cluster.
//
// Inputs are read one document at a time, so that memory use does not grow with them.
// Only the output of kustomize is held as a whole. Every object has a position. Input
// that cannot be read is reported with its position, and never skipped silently.
package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// Workload is a Kubernetes object with its position.
type Workload struct {
	// Object as JSON, with apiVersion and kind.
	Object                      json.RawMessage
	APIVersion, Kind, Namespace string
	// Usual is the namespace of an object that names none, if its kind has namespaces: of a
	// kind that belongs to others, the object does not show that. Empty if it is known.
	Usual string
	// Name of the object. One that gets its name from the API server has its generateName
	// and a star, which is no name; several objects may have the same.
	Name string
	// At is where the object begins: without a line if kustomize built it from a file with
	// several, a folder if it came from the network, empty for an object of a cluster.
	At diag.Position
	// Root is the folder of the repository from which Flux applies the object, and By the
	// Kustomization or HelmRelease that does; empty if it was not read as Flux does.
	Root, By string
	// Template is the template of a chart that made the object, if the position is not in it:
	// the chart is not in the repository.
	Template string
	// Elsewhere says that Flux applies it to another cluster than that of Root.
	Elsewhere bool
	// IfMissing says that it is only made if it is not there.
	IfMissing bool
	// Unknown are the fields of the object that are not known, and Others the object with
	// other values for them.
	Unknown []fluxtree.Unknown
	Others  []json.RawMessage
	// NamespaceLabels are the labels of the namespace in the live cluster; nil if the
	// object is not from a cluster.
	NamespaceLabels map[string]string
}

// ID returns kind namespace/name.
func (w Workload) ID() string {
	if w.Namespace == "" {
		return w.Kind + " " + w.Name
	}
	return w.Kind + " " + w.Namespace + "/" + w.Name
}

// Source yields workloads one by one.
type Source interface {
	// Each calls yield for each workload. It stops at the first error of yield and
	// returns it. Problems of the input are collected: an error says that something was not
	// read, and everything else is yielded.
	Each(ctx context.Context, yield func(Workload) error) (fluxtree.Problems, error)
	// Progress returns the number of bytes read so far and in total; 0 if not known.
	Progress() (read, total int64)
}

// header is the part that all objects have.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Namespace    string `json:"namespace"`
	} `json:"metadata"`
}

// isList reports whether the object is a list of others.
func (h header) isList() bool { return strings.HasSuffix(h.Kind, "List") }

// isListOfKnown reports whether the object is the list of a kind of Kubernetes, or of any: a
// custom resource may be called a list, and be none.
func (h header) isListOfKnown() bool {
	if h.Kind == "List" && h.APIVersion == "v1" {
		return true
	}
	_, known := kinds.Find(kinds.Group(h.APIVersion), strings.TrimSuffix(h.Kind, "List"))
	return known
}

// newWorkload returns the workload of an object. An object without a type gets the type
// of the items of its list, if it is in one.
func newWorkload(object json.RawMessage, at diag.Position, list header) (Workload, error) {
	var h header
	if string(bytes.TrimSpace(object)) == "null" {
		return Workload{}, errors.New("not a Kubernetes object: must be an object, not null")
	}
	if err := json.Unmarshal(object, &h); err != nil {
		return Workload{}, fmt.Errorf("not a Kubernetes object: %w", plain.JSONError(err))
	}
	if h.Kind == "" && h.APIVersion == "" && list.Kind != "List" && list.isList() {
		h.APIVersion, h.Kind = list.APIVersion, strings.TrimSuffix(list.Kind, "List")
		var err error
		if object, err = withType(object, h); err != nil {
			return Workload{}, err
		}
	}
	if h.Kind == "" || h.APIVersion == "" {
		return Workload{}, errNoType
	}
	if err := checkShape(object, h); err != nil {
		return Workload{}, fmt.Errorf("the API server would refuse it: %w", err)
	}
	name := h.Metadata.Name
	if name == "" && h.Metadata.GenerateName != "" {
		name = h.Metadata.GenerateName + "*"
	}
	return Workload{Object: object, APIVersion: h.APIVersion, Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: name, At: at}, nil
}

func withType(object json.RawMessage, h header) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, fmt.Errorf("not a Kubernetes object: %w", plain.JSONError(err))
	}
	for key, value := range map[string]string{"apiVersion": h.APIVersion, "kind": h.Kind} {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("encoding the %s: %w", key, err)
		}
		fields[key] = raw
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encoding an object of a list: %w", err)
	}
	return out, nil
}
