package tmpl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/template/parse"

	"go.yaml.in/yaml/v3"
)

// checkPlaces proves that every printed action is one whole YAML value. It puts
// a quoted placeholder in place of each action, parses the result, and requires that
// each placeholder occurs once, as a double-quoted scalar in a value position. JSON on
// one line is valid wherever such a scalar is, so the proof applies to every encoded
// value.
func checkPlaces(tree *parse.Tree) error {
	text, mark, actions := skeleton(tree)
	found := map[string]int{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: not YAML with a value in each action's place: %w", tree.Name, err)
		}
		collect(&doc, found)
	}
	for i, action := range actions {
		if found[placeholder(mark, i)] != 1 {
			return fmt.Errorf("%s: %s must stand as a whole YAML value: not inside quotes, a block scalar, a longer text or a comment, not as a key, without a tag",
				place(tree, action), actionText(action))
		}
	}
	return nil
}

// skeleton returns the template with a placeholder for each printed action. mark does
// not occur in the template, so that nothing else can be a placeholder.
func skeleton(tree *parse.Tree) (text []byte, mark string, actions []*parse.ActionNode) {
	var static strings.Builder
	for _, node := range tree.Root.Nodes {
		static.WriteString(node.String())
	}
	mark = "value"
	for strings.Contains(static.String(), mark) {
		mark += "-"
	}
	var out bytes.Buffer
	for _, node := range tree.Root.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			out.Write(n.Text)
		case *parse.ActionNode:
			if prints(n) {
				fmt.Fprintf(&out, "%q", placeholder(mark, len(actions)))
				actions = append(actions, n)
			}
		}
	}
	return out.Bytes(), mark, actions
}

func placeholder(mark string, i int) string {
	return fmt.Sprintf("%s%d.", mark, i)
}

// collect counts the plain double-quoted values below node. Keys, tagged
// scalars and other styles do not count.
func collect(node *yaml.Node, found map[string]int) {
	switch node.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, child := range node.Content {
			collect(child, found)
		}
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			collect(node.Content[i], found)
		}
	case yaml.ScalarNode:
		if node.Style == yaml.DoubleQuotedStyle {
			found[node.Value]++
		}
	}
}

// actionText returns the action nearly as the author wrote it.
func actionText(action *parse.ActionNode) string {
	return leftDelim + " " + action.Pipe.String() + " " + rightDelim
}
