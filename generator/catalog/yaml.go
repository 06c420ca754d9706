package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// documents decodes the YAML stream of a rendered template to JSON values
// (map[string]any, []any, string, bool, int64, float64, nil). It leaves out empty
// documents, and refuses what YAML readers disagree about: duplicate keys, keys that
// are not strings, anchors, merge keys, tags, and the unquoted words that are
// booleans in Kubernetes and strings in YAML 1.2.
//
// source.Decode does not work here: it refuses {{ }}, which policies consist of.
func documents(file string, text []byte) ([]map[string]any, error) {
	docs, problems := source.Parse(file, text)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(docs))
	for i, doc := range docs {
		value, err := jsonValue(doc.Node)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", file, err)
		}
		out[i], _ = value.(map[string]any) // Parse gives mappings only
	}
	return out, nil
}

func jsonValue(n *yaml.Node) (any, error) {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return nil, errorAt(n, "anchors and aliases are not allowed")
	case n.Style&yaml.TaggedStyle != 0:
		return nil, errorAt(n, "the tag %s is not allowed", n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			key, err := scalar(n.Content[i])
			if err != nil {
				return nil, err
			}
			name, ok := key.(string)
			if !ok {
				return nil, errorAt(n.Content[i], "the key %s is not a string; quote it", n.Content[i].Value)
			}
			if out[name], err = jsonValue(n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, child := range n.Content {
			var err error
			if out[i], err = jsonValue(child); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return scalar(n)
}

var yaml11Boolean = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

func scalar(n *yaml.Node) (any, error) {
	if n.Style != 0 { // quoted or a block
		return n.Value, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int":
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || i != 0 && strings.HasPrefix(strings.TrimLeft(n.Value, "+-"), "0") {
			return nil, errorAt(n, "%s is not a decimal number of 64 bits; quote it if it is text", n.Value)
		}
		return i, nil
	case "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || f != f || f-f != 0 {
			return nil, errorAt(n, "%s is not a JSON number; quote it if it is text", n.Value)
		}
		return f, nil
	}
	if yaml11Boolean.MatchString(n.Value) {
		return nil, errorAt(n, "%s is a boolean to some readers and text to others; quote it", n.Value)
	}
	return n.Value, nil
}

func errorAt(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%d:%d: "+format, append([]any{n.Line, n.Column}, args...)...)
}
