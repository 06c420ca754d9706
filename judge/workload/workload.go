// Package workload reads the objects that somebody is about to apply, or has
// applied: from files, folders, kustomizations, a stream, or a live cluster.
//
// Inputs are read one document after another, so that memory does not grow with
// them; only what kustomize builds is held as a whole. Every object knows where
// it was written. What cannot be read is told to the author of the input, with
// its position, and never left out silently.
package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Workload is one object.
type Workload struct {
	// Object as JSON, with apiVersion and kind.
	Object                            json.RawMessage
	APIVersion, Kind, Namespace, Name string
	// At is where the object begins: a folder without a line for what kustomize
	// has built, nothing for an object of a cluster.
	At diag.Position
	// NamespaceLabels are those that the namespace has in the live cluster; nil
	// where no cluster was asked.
	NamespaceLabels map[string]string
}

// ID is kind namespace/name.
func (w Workload) ID() string {
	if w.Namespace == "" {
		return w.Kind + " " + w.Name
	}
	return w.Kind + " " + w.Namespace + "/" + w.Name
}

// Source gives workloads one by one.
type Source interface {
	// Each calls yield for each workload. An error of yield ends it and is
	// returned. Problems of the input are collected: after one that is an error,
	// what follows is read to find more of them, but not yielded.
	Each(ctx context.Context, yield func(Workload) error) (diag.List, error)
	// Progress is how many bytes were read, and how many there are; 0 where
	// that is not known.
	Progress() (read, total int64)
}

// header is what every object has.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Namespace    string `json:"namespace"`
	} `json:"metadata"`
}

// isList tells whether an object of the kind is a list of others.
func (h header) isList() bool { return strings.HasSuffix(h.Kind, "List") }

// newWorkload reads the header of an object. An object without a type gets that
// of the list that it is in, if there is one.
func newWorkload(object json.RawMessage, at diag.Position, list header) (Workload, error) {
	var h header
	if err := json.Unmarshal(object, &h); err != nil {
		return Workload{}, fmt.Errorf("not a Kubernetes object: %w", err)
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
	name := h.Metadata.Name
	if name == "" {
		name = h.Metadata.GenerateName
	}
	return Workload{Object: object, APIVersion: h.APIVersion, Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: name, At: at}, nil
}

func withType(object json.RawMessage, h header) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, fmt.Errorf("not a Kubernetes object: %w", err)
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
