package source

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Merge lays over on top of base, mapping by mapping; lists and scalars of
// over replace those of base. Neither document is changed.
func Merge(base, over *Document) *Document { return newMerger(base, over, nil).document() }

// merger merges two documents into a new one.
type merger struct {
	base, over, into *Document
	named            map[string]string // see Overlay.Named
	// indexes maps, for each named list, the index of an entry of over to its index in
	// the merged list.
	indexes map[string]map[int]int
}

func newMerger(base, over *Document, named map[string]string) *merger {
	into := &Document{File: over.File, APIVersion: over.APIVersion, Kind: over.Kind, Name: over.Name, text: over.text, origins: map[*yaml.Node]*origin{}}
	return &merger{base: base, over: over, into: into, named: named, indexes: map[string]map[int]int{}}
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
	if b.Kind != yaml.MappingNode || o.Kind != yaml.MappingNode {
		return m.adopt(m.over, o)
	}
	result := m.copy(o)
	index := map[string]int{}
	for i := 0; i+1 < len(b.Content); i += 2 {
		index[b.Content[i].Value] = len(result.Content)
		result.Content = append(result.Content, m.adopt(m.base, b.Content[i]), m.adopt(m.base, b.Content[i+1]))
	}
	for i := 0; i+1 < len(o.Content); i += 2 {
		key, value := o.Content[i], o.Content[i+1]
		at, ok := index[key.Value]
		if !ok {
			result.Content = append(result.Content, m.adopt(m.over, key), m.adopt(m.over, value))
			continue
		}
		if isNull(resolve(value)) {
			continue // `key:` says nothing
		}
		result.Content[at] = m.adopt(m.over, key)
		result.Content[at+1] = m.merge(result.Content[at+1], value, child(path, key.Value))
	}
	return result
}

// list merges the entries of two lists by the value of a key.
func (m *merger) list(b, o *yaml.Node, path, key string) *yaml.Node {
	result, index := m.copy(o), map[string]int{}
	for i, entry := range b.Content {
		result.Content = append(result.Content, m.adopt(m.base, entry))
		if name := Lookup(entry, key); name != nil {
			index[name.Value] = i
		}
	}
	m.indexes[path] = map[int]int{}
	for i, entry := range o.Content {
		if name := Lookup(entry, key); name != nil {
			if at, ok := index[name.Value]; ok {
				m.indexes[path][i] = at
				result.Content[at] = m.merge(result.Content[at], entry, fmt.Sprintf("%s[%d]", path, at))
				delete(index, name.Value) // the same again is a duplicate, not another change
				continue
			}
		}
		m.indexes[path][i] = len(result.Content)
		result.Content = append(result.Content, m.adopt(m.over, entry))
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
