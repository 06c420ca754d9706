package migration

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// The fields of an environment that the steps change.
const (
	fieldPolicyType = "spec.overrides.kyverno.policyType"
	fieldChanges    = "spec.changes"
)

// Edit returns the file of the environment with what the next step changes, and says what
// that is. inherited is the kind of an environment that says nothing itself. Every other
// byte is kept.
func (w Way) Edit(data []byte, inherited string) (edited []byte, what string, err error) {
	if w.Place != Before {
		edited, err = w.set(data, fieldChanges, w.changes())
		return edited, fieldChanges + ": " + w.changes(), err
	}
	if inherited == w.To {
		edited, err = w.inherit(data)
		return edited, "without " + fieldPolicyType, err
	}
	edited, err = w.set(data, fieldPolicyType, w.To)
	return edited, fieldPolicyType + ": " + w.To, err
}

func (w Way) set(data []byte, field, value string) ([]byte, error) {
	edited, err := source.Set(data, source.Named(v1alpha1.KindEnvironment, w.Environment), field, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.File, err)
	}
	return edited, nil
}

// inherit removes the field, and the mappings around it that it leaves empty.
func (w Way) inherit(data []byte) ([]byte, error) {
	for _, field := range []string{fieldPolicyType, "spec.overrides.kyverno", "spec.overrides"} {
		edited, err := source.Remove(data, source.Named(v1alpha1.KindEnvironment, w.Environment), field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.File, err)
		}
		data = edited
		if !w.empty(data, above(field)) {
			break
		}
	}
	return data, nil
}

// above returns the mappings around a field, by name.
func above(field string) []string {
	if field == fieldPolicyType {
		return []string{"spec", "overrides", "kyverno"}
	}
	return []string{"spec", "overrides"}
}

// empty reports whether a mapping of the environment is there and has no keys.
func (w Way) empty(data []byte, path []string) bool {
	docs, _ := source.Parse(w.File, data)
	for _, doc := range docs {
		if doc.Kind == v1alpha1.KindEnvironment && doc.Name == w.Environment {
			node := source.Lookup(doc.Node, path...)
			return node != nil && node.Kind == yaml.MappingNode && len(node.Content) == 0
		}
	}
	return false
}
