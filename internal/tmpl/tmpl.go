package tmpl

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

const (
	leftDelim  = "<<"
	rightDelim = ">>"
)

// Render executes the template text with params as "." and returns a YAML
// stream with the same documents and the same structure as the template, where
// each << action >> has become a JSON value. name is used in errors, which start
// with "name:line:column: " where the place is known.
//
// Errors: text that does not parse, a node other than text, comments and
// actions, an action that is not a whole YAML value, a parameter that is
// missing, a function that fails, a value that Encode refuses, and values that grow beyond
// the limits of a rendering.
// params is not changed. The functions in more add to those that every template has.
func Render(name string, text []byte, params, more map[string]any) ([]byte, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("%s: the template has more than %d KiB", name, maxTemplate>>10)
	}
	functions := funcs()
	maps.Copy(functions, more)
	functions = (&meter{left: maxWork}).limited(functions)
	tree, err := parseTree(name, string(text), functions)
	if err != nil {
		return nil, err
	}
	if err := checkPlaces(tree); err != nil {
		return nil, err
	}
	if err := checkParams(params); err != nil {
		return nil, fmt.Errorf("%s: parameters: %w", name, err)
	}
	prepareActions(tree)
	t, err := template.New(name).Option("missingkey=error").Funcs(functions).AddParseTree(name, tree)
	if err != nil {
		return nil, fmt.Errorf("%s: preparing the template: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, params); err != nil {
		return nil, fmt.Errorf("rendering: %w", err)
	}
	return out.Bytes(), nil
}

// parseTree parses text and refuses every construct that could make the shape
// of the document depend on a value.
func parseTree(name, text string, functions map[string]any) (*parse.Tree, error) {
	trees, err := parse.Parse(name, text, leftDelim, rightDelim, functions, builtins())
	if err != nil {
		return nil, err
	}
	for _, other := range slices.Sorted(maps.Keys(trees)) {
		if other != name {
			return nil, fmt.Errorf("%s: define and block are not allowed: a template is one document",
				place(trees[other], trees[other].Root))
		}
	}
	tree := trees[name]
	for _, node := range tree.Root.Nodes {
		switch node.Type() {
		case parse.NodeText, parse.NodeAction, parse.NodeComment:
		default:
			return nil, fmt.Errorf("%s: %s is not allowed: fold lists with functions inside one action, and leave choices to Go",
				place(tree, node), nodeName(node))
		}
	}
	return tree, nil
}

// nodeName returns the keyword or construct of a node.
func nodeName(node parse.Node) string {
	switch node.Type() {
	case parse.NodeRange:
		return "range"
	case parse.NodeIf:
		return "if"
	case parse.NodeWith:
		return "with"
	case parse.NodeTemplate:
		return "template"
	default:
		return node.String()
	}
}

// place returns "file:line:column" of a node.
func place(tree *parse.Tree, node parse.Node) string {
	location, _ := tree.ErrorContext(node)
	return location
}

// prints reports whether the action prints a value. A variable declaration does not.
func prints(action *parse.ActionNode) bool {
	return len(action.Pipe.Decl) == 0
}

// prepareActions marks the literals of every action, and ends the pipeline of
// every printed one in the encoder.
func prepareActions(tree *parse.Tree) {
	for _, node := range tree.Root.Nodes {
		action, ok := node.(*parse.ActionNode)
		if !ok {
			continue
		}
		markLiterals(action.Pipe)
		if !prints(action) {
			continue
		}
		action.Pipe.Cmds = append(action.Pipe.Cmds, &parse.CommandNode{
			NodeType: parse.NodeCommand,
			Pos:      action.Pos,
			Args:     []parse.Node{parse.NewIdentifier(encoder).SetTree(tree).SetPos(action.Pos)},
		})
	}
}

// markLiterals replaces what Kyverno evaluates in the template's own string
// literals, so that the encoder can distinguish it from the text of a parameter.
func markLiterals(pipe *parse.PipeNode) {
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			switch n := arg.(type) {
			case *parse.StringNode:
				for _, e := range evaluated {
					n.Text = strings.ReplaceAll(n.Text, e.text, e.mark)
				}
			case *parse.PipeNode:
				markLiterals(n)
			}
		}
	}
}
