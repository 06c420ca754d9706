package fluxtree

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxAliased bounds how many values the aliases of a document stand for. Aliases of aliases grow
// without limit, and kustomize writes all of them out.
const maxAliased = 100_000

// expand returns an error about YAML with aliases that stand for too much, or for themselves.
// Any other text is none of its business.
func expand(data []byte) error {
	if !bytes.Contains(data, []byte("*")) || !bytes.Contains(data, []byte("&")) {
		return nil
	}
	in := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		if in.Decode(&document) != nil { // the end, or an error that kustomize tells
			return nil
		}
		sizes := map[*yaml.Node]int{}
		if aliased(&document, sizes) > maxAliased {
			return fmt.Errorf("the aliases of a document stand for more than %d values", maxAliased)
		}
	}
}

// aliased returns how many values the aliases in a node stand for. What is above the limit is
// one more than it. sizes has what is known of the targets of aliases.
func aliased(n *yaml.Node, sizes map[*yaml.Node]int) int {
	sum := 0
	for _, c := range n.Content {
		sum = min(sum+aliased(c, sizes), maxAliased+1)
	}
	if n.Kind != yaml.AliasNode {
		return sum
	}
	size, known := sizes[n.Alias]
	if !known {
		sizes[n.Alias] = maxAliased + 1 // of one that refers to itself
		size = min(values(n.Alias)+aliased(n.Alias, sizes), maxAliased+1)
		sizes[n.Alias] = size
	}
	return size
}

// values returns how many values a node has, its aliases as one each.
func values(n *yaml.Node) int {
	sum := 1
	for _, c := range n.Content {
		sum += values(c)
	}
	return sum
}
