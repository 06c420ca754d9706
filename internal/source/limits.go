package source

import (
	"bytes"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Limits of one file. What people write stays far below them; a file above them is made to
// use up memory or time.
const (
	// MaxDocuments is the number of documents.
	MaxDocuments = 10_000
	// MaxValues is the number of keys and values of a document.
	MaxValues = 1_000_000
	// MaxDepth is how deep values are nested.
	MaxDepth = 100
	// MaxKey is the length of a key in bytes.
	MaxKey = 1000
	// maxPaths is the length of the paths of all values of a document in bytes.
	maxPaths = 256 << 20
	// maxAliased bounds what the aliases of a document expand to: aliases of aliases grow without limit.
	maxAliased = 10_000
	// maxProblems is the number of problems that are looked for in a document.
	maxProblems = 1000
)

const codeLimit = "yaml-limit"

var documentBorder = regexp.MustCompile(`(?m)^(---|\.\.\.)([ \t\r]|$)`)

// tooMany reports whether a file has more documents than may be read.
func tooMany(data []byte) bool {
	return bytes.Count(data, []byte("---"))+bytes.Count(data, []byte("...")) > MaxDocuments &&
		len(documentBorder.FindAllIndex(data, MaxDocuments+1)) > MaxDocuments
}

// limit returns the first limit that a document exceeds.
func (d *Document) limit() (exceeded diag.List) {
	values, paths := 0, 0
	refuse := func(n *yaml.Node, format string, args ...any) bool {
		exceeded.Add(diag.Diagnostic{Code: codeLimit, Position: d.At(n), Summary: fmt.Sprintf(format, args...)})
		return false
	}
	var walk func(n *yaml.Node, depth, path int) bool
	walk = func(n *yaml.Node, depth, path int) bool {
		values++
		paths += path
		switch {
		case values > MaxValues:
			return refuse(d.Node, "the document has more than %d keys and values", MaxValues)
		case paths > maxPaths:
			return refuse(d.Node, "the keys of the document are too long: the paths of its values have more than %d MiB", maxPaths>>20)
		case depth > MaxDepth:
			return refuse(n, "is nested deeper than %d levels", MaxDepth)
		}
		for i, c := range n.Content {
			below := path + len("[000000]")
			if n.Kind == yaml.MappingNode {
				key := n.Content[i&^1]
				if below = path + len(key.Value) + 1; len(key.Value) > MaxKey {
					return refuse(key, "the key is longer than %d bytes", MaxKey)
				}
			}
			if !walk(c, depth+1, below) {
				return false
			}
		}
		return true
	}
	walk(d.Node, 0, 0)
	return exceeded
}
