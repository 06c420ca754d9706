package source

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Merge lays over on top of base, mapping by mapping; lists and scalars of
// over replace those of base, and so do mappings whose path whole accepts; it may be nil.
// Neither document is changed.
func Merge(base, over *Document, whole func(path string) bool) *Document {
	return newMerger(base, over, nil, whole).document()
}

// merger merges two documents into a new one.
type merger struct {
	base, over, into *Document
	named            map[string]string      // see Overlay.Named
	whole            func(path string) bool // see Overlay.Whole
}

func newMerger(base, over *Document, named map[string]string, whole func(path string) bool) *merger {
	into := &Document{File: over.File, APIVersion: over.APIVersion, Kind: over.Kind, Name: over.Name, text: over.text, origins: map[*yaml.Node]*origin{}}
	return &merger{base: base, over: over, into: into, named: named, whole: whole}
}

func (m *merger) document() *Document {
	m.into.Node = m.merge(m.base.Node, m.over.Node, "")
	return m.into
}

func (m *merger) merge(b, o *yaml.Node, path string) *yaml.Node {
	b, o = resolve(b), resolve(o)
	if key, ok := m.named[path]; ok && b.Kind == yaml.SequenceNode && o.Kind == yaml.SequenceNode {
		return m.list(b, o, path, key)
	}
	if b.Kind != yaml.MappingNode || o.Kind != yaml.MappingNode || m.whole != nil && m.whole(path) {
		return m.adopt(m.over, o)
	}
	result, over := m.copy(o), map[string]int{}
	for i := 0; i+1 < len(o.Content); i += 2 {
		over[o.Content[i].Value] = i
	}
	for i := 0; i+1 < len(b.Content); i += 2 {
		key, value := b.Content[i], b.Content[i+1]
		at, below := -1, child(path, key.Value)
		if on, ok := over[key.Value]; ok && !isNull(resolve(o.Content[on+1])) { // `key:` says nothing
			at = on
		}
		switch {
		case at >= 0:
			result.Content = append(result.Content, m.adopt(m.over, o.Content[at]), m.merge(value, o.Content[at+1], below))
		case m.named[below] == "":
			result.Content = append(result.Content, m.adopt(m.base, key), m.adopt(m.base, value))
		}
		delete(over, key.Value)
	}
	for i := 0; i+1 < len(o.Content); i += 2 {
		key := o.Content[i]
		if at, left := over[key.Value]; left && at == i {
			result.Content = append(result.Content, m.adopt(m.over, key), m.adopt(m.over, o.Content[i+1]))
		}
	}
	return result
}

// list returns the entries of over, each on top of the entry of the base with the same
// value of a key.
func (m *merger) list(b, o *yaml.Node, path, key string) *yaml.Node {
	result, base := m.copy(o), map[string]*yaml.Node{}
	for _, entry := range b.Content {
		if name := Lookup(entry, key); name != nil {
			base[name.Value] = entry
		}
	}
	for i, entry := range o.Content {
		name := Lookup(entry, key)
		if name == nil || base[name.Value] == nil {
			result.Content = append(result.Content, m.adopt(m.over, entry))
			continue
		}
		result.Content = append(result.Content, m.merge(base[name.Value], entry, fmt.Sprintf("%s[%d]", path, i)))
		delete(base, name.Value) // the same again is a duplicate, not another change
	}
	return result
}

// copy returns a node of over without its content.
func (m *merger) copy(o *yaml.Node) *yaml.Node {
	result := *o
	result.Content = nil
	m.into.origins[&result] = m.over.origin(o)
	return &result
}

// adopt remembers where a node was read and all that is below it.
func (m *merger) adopt(from *Document, n *yaml.Node) *yaml.Node {
	if _, ok := m.into.origins[n]; !ok {
		m.into.origins[n] = from.origin(n)
	}
	for _, c := range n.Content {
		m.adopt(from, c)
	}
	if n.Kind == yaml.AliasNode {
		if _, ok := m.into.origins[n.Alias]; !ok {
			m.adopt(from, n.Alias)
		}
	}
	return n
}
