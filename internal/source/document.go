package source

import (
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Document is one YAML document: a mapping with its type and name.
type Document struct {
	File             string
	APIVersion, Kind string
	// Name is metadata.name, or empty.
	Name string
	// Node is the mapping; origins says which nodes come from elsewhere after a merge.
	Node    *yaml.Node
	text    *origin
	origins map[*yaml.Node]*origin
}

// At is the position of a node of the document.
func (d *Document) At(n *yaml.Node) diag.Position {
	return diag.Position{File: d.origin(n).file, Line: n.Line, Col: n.Column}
}

func (d *Document) origin(n *yaml.Node) *origin {
	if o, ok := d.origins[n]; ok {
		return o
	}
	return d.text
}

// Parse splits a file into documents. A document without apiVersion has the
// one of the document before it. Empty documents are dropped, and so are those
// that are not YAML: each is a yaml-syntax problem, and hides no other document. A document
// that exceeds a limit is a yaml-limit problem.
func Parse(file string, data []byte) (docs []*Document, problems diag.List) {
	if tooMany(data) {
		problems.Add(diag.Diagnostic{Code: codeLimit, Position: diag.Position{File: file, Line: 1, Col: 1}, Summary: fmt.Sprintf("the file has more than %d documents", MaxDocuments)})
		return nil, problems
	}
	roots, problems := read(file, data)
	apiVersion := ""
	for _, root := range roots {
		if root.node == nil {
			apiVersion = cmp.Or(root.apiVersion, apiVersion)
			continue
		}
		doc, found := document(originOf(file, data, root.node), root.node, apiVersion)
		problems = append(problems, found...)
		if doc != nil {
			docs = append(docs, doc)
			apiVersion = doc.APIVersion
		}
	}
	return docs, problems
}

// document reads the type and the name. It is nil for what is empty or may not be walked.
func document(text *origin, node *yaml.Node, apiVersion string) (*Document, diag.List) {
	if isNull(node) {
		return nil, nil
	}
	doc := &Document{File: text.file, Node: node, APIVersion: apiVersion, text: text}
	if node.Kind != yaml.MappingNode {
		var problems diag.List
		problems.Add(diag.Diagnostic{Code: "yaml-type", Position: doc.At(node), Summary: "a document must be a mapping, not " + describe(node)})
		return nil, problems
	}
	if exceeded := doc.limit(); len(exceeded) > 0 {
		return nil, exceeded
	}
	problems := check(doc)
	if slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "yaml-alias" }) {
		return nil, problems
	}
	for field, keys := range map[*string][]string{&doc.APIVersion: {"apiVersion"}, &doc.Kind: {"kind"}, &doc.Name: {"metadata", "name"}} {
		if v := Lookup(node, keys...); v != nil && !isNull(v) {
			*field = v.Value
		}
	}
	return doc, problems
}

// check reports duplicate keys, keys that are not strings, merge keys, and
// aliases that are recursive or expand to too much.
func check(doc *Document) (problems diag.List) {
	count := 0
	open := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		if len(problems) >= maxProblems {
			return
		}
		if len(open) > 0 {
			if count++; count > maxAliased {
				return
			}
		}
		switch n.Kind {
		case yaml.AliasNode:
			if open[n.Alias] {
				problems.Add(diag.Diagnostic{Code: "yaml-alias", Position: doc.At(n), Path: path, Summary: fmt.Sprintf("alias *%s refers to itself", n.Value)})
				return
			}
			open[n.Alias] = true
			walk(n.Alias, path)
			delete(open, n.Alias)
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, fmt.Sprintf("%s[%d]", path, i))
			}
		case yaml.MappingNode:
			problems = append(problems, checkKeys(doc, n, path)...)
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], child(path, n.Content[i].Value))
			}
		}
	}
	walk(doc.Node, "")
	if count > maxAliased {
		problems.Add(diag.Diagnostic{Code: "yaml-alias", Position: doc.At(doc.Node), Summary: fmt.Sprintf("the aliases of the document expand to more than %d values", maxAliased)})
	}
	return problems
}

func checkKeys(doc *Document, n *yaml.Node, path string) (problems diag.List) {
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			problems.Add(diag.Diagnostic{Code: "yaml-key", Position: doc.At(key), Path: path, Summary: "a key must be a string, not " + describe(key)})
		case key.Tag == "!!merge":
			problems.Add(diag.Diagnostic{Code: "yaml-key", Position: doc.At(key), Path: path, Summary: "merge keys are not supported", Hint: "write the fields out"})
		case seen[key.Value] != nil:
			problems.Add(diag.Diagnostic{Code: "duplicate-key", Position: doc.At(key), Path: child(path, key.Value),
				Summary: fmt.Sprintf("is set twice, first in line %d", seen[key.Value].Line)})
		}
		seen[key.Value] = key
	}
	return problems
}

// Lookup follows keys through mappings and aliases; nil if there is nothing.
func Lookup(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		n = resolve(n)
		if n.Kind != yaml.MappingNode {
			return nil
		}
		var found *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				found = n.Content[i+1]
			}
		}
		if found == nil {
			return nil
		}
		n = found
	}
	return resolve(n)
}

// Key returns the node of a key of a mapping; nil if there is none.
func Key(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return nil
}

func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < 100; i++ {
		n = n.Alias
	}
	return n
}

func child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func describe(n *yaml.Node) string {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "null"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	}
	return fmt.Sprintf("the string %q", n.Value)
}
