package source

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Overlay says which part of a document lies on top of which part of another one.
type Overlay struct {
	// From is the field of the document on top, such as spec.overrides; Onto is the
	// field of the base, such as spec. Both are names joined by dots.
	From, Onto string
	// Named are lists of the base, by path, that are merged by the value of a key, such
	// as name. The result has only the entries on top, each merged with the one of the
	// base that has the same value: a list may be long, and what is on top short.
	Named map[string]string
	// Whole reports whether the mapping at a path of the base is replaced like a list. It
	// may be nil.
	Whole func(path string) bool
}

// Merge returns the base with the field of over on top. Mappings are merged key by
// key; lists that are not named and scalars are replaced. Positions lead to the
// document in which something was written, and [Positions.Path] to its field there.
// Neither document is changed. Merge returns nil if over does not have the field.
func (o Overlay) Merge(base, over *Document) *Document {
	node := Lookup(over.Node, strings.Split(o.From, ".")...)
	if node == nil || isNull(node) {
		return nil
	}
	for _, key := range slices.Backward(strings.Split(o.Onto, ".")) {
		node = under(key, node)
	}
	text := *over.text
	top := &Document{File: over.File, APIVersion: base.APIVersion, Kind: base.Kind, Name: base.Name, Node: node, text: &text}
	text.written = o.written
	return newMerger(base, top, o.Named, o.Whole).document()
}

// under returns a mapping with one key, at the position of its value.
func under(key string, value *yaml.Node) *yaml.Node {
	at := yaml.Node{Line: value.Line, Column: value.Column}
	mapping, name := at, at
	mapping.Kind, mapping.Tag = yaml.MappingNode, "!!map"
	name.Kind, name.Tag, name.Value = yaml.ScalarNode, "!!str", key
	mapping.Content = []*yaml.Node{&name, value}
	return &mapping
}

// written returns the path in the document on top of what is at a path of the merged
// document.
func (o Overlay) written(path string) string {
	if rest, ok := strings.CutPrefix(path, o.Onto); ok {
		return o.From + rest
	}
	return path
}
