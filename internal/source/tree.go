package source

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// nodeOf turns a value into nodes: keys sorted, without a style.
func nodeOf(value any) (*yaml.Node, error) {
	if value == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
	return nodeOfValue(reflect.ValueOf(value))
}

func nodeOfValue(v reflect.Value) (*yaml.Node, error) {
	scalar := func(tag, text string) (*yaml.Node, error) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}, nil
	}
	switch k := v.Kind(); {
	case k == reflect.String:
		if s := v.String(); !utf8.ValidString(s) || strings.ContainsFunc(s, control) {
			return nil, fmt.Errorf("%q is not a text for YAML", s)
		}
		return scalar("!!str", v.String())
	case k == reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool()))
	case v.CanInt():
		return scalar("!!int", strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		return scalar("!!int", strconv.FormatUint(v.Uint(), 10))
	case v.CanFloat():
		return floatOf(v.Float())
	case (k == reflect.Pointer || k == reflect.Interface) && v.IsNil():
		return nodeOf(nil)
	case k == reflect.Pointer || k == reflect.Interface:
		return nodeOfValue(v.Elem())
	case k == reflect.Slice || k == reflect.Array:
		return listOf(v)
	case k == reflect.Map && v.Type().Key().Kind() == reflect.String:
		return mappingOf(v)
	}
	return nil, fmt.Errorf("a %s cannot be written as YAML", v.Type())
}

func floatOf(f float64) (*yaml.Node, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is not a finite number", f)
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: s}, nil
}

func listOf(v reflect.Value) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range v.Len() {
		n, err := nodeOfValue(v.Index(i))
		if err != nil {
			return nil, err
		}
		list.Content = append(list.Content, n)
	}
	return list, nil
}

func mappingOf(v reflect.Value) (*yaml.Node, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	for _, key := range keys {
		k, err := nodeOfValue(key)
		if err != nil {
			return nil, err
		}
		n, err := nodeOfValue(v.MapIndex(key))
		if err != nil {
			return nil, err
		}
		mapping.Content = append(mapping.Content, k, n)
	}
	return mapping, nil
}

// childOf returns the index in the content of a collection of what a step names,
// or -1 if there is none. Steps that cannot be meant are errors.
func childOf(n *yaml.Node, s step) (int, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return valueOf(n, s.name)
	case yaml.SequenceNode:
		i, ok := s.index()
		if !ok {
			return -1, fmt.Errorf("%q is not an index of the list in line %d", s.name, n.Line)
		}
		if i >= len(n.Content) {
			return -1, nil
		}
		return i, nil
	}
	return -1, fmt.Errorf("line %d has %s, not a mapping with %s", n.Line, describe(n), s.name)
}

func valueOf(mapping *yaml.Node, key string) (int, error) {
	found := -1
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		switch k := mapping.Content[i]; {
		case k.Kind != yaml.ScalarNode:
			return -1, fmt.Errorf("line %d has a key that is not a string", k.Line)
		case k.Tag == "!!merge":
			return -1, fmt.Errorf("line %d has a merge key: edit it by hand", k.Line)
		case k.Value != key:
		case found >= 0:
			return -1, fmt.Errorf("%s is set twice, also in line %d", key, k.Line)
		default:
			found = i + 1
		}
	}
	return found, nil
}

// with returns a document with the value that the steps lead to; what is on the
// way is copied, or made if it is not there.
func with(n *yaml.Node, steps []step, value *yaml.Node) *yaml.Node {
	if len(steps) == 0 {
		return value
	}
	s := steps[0]
	if n == nil || isNull(n) {
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if _, ok := s.index(); ok {
			n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
	}
	out := *n
	out.Content = slices.Clone(n.Content)
	i, err := childOf(n, s)
	switch {
	case err != nil:
		return n
	case i >= 0:
		out.Content[i] = with(n.Content[i], steps[1:], value)
		return &out
	case n.Kind == yaml.MappingNode:
		out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.name})
	}
	out.Content = append(out.Content, with(nil, steps[1:], value))
	return &out
}

// without returns a document without what the steps lead to.
func without(n *yaml.Node, steps []step) *yaml.Node {
	i, err := childOf(n, steps[0])
	if err != nil || i < 0 {
		return n
	}
	out := *n
	out.Content = slices.Clone(n.Content)
	switch {
	case len(steps) > 1:
		out.Content[i] = without(n.Content[i], steps[1:])
	case n.Kind == yaml.MappingNode:
		out.Content = slices.Delete(out.Content, i-1, i+1)
	default:
		out.Content = slices.Delete(out.Content, i, i+1)
	}
	return &out
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// same reports whether two documents say the same, however it is written. Keys
// keep their order. A date is the text that it is to Decode.
func same(a, b *yaml.Node) bool {
	if isNull(a) && isNull(b) {
		return a.Anchor == b.Anchor
	}
	return a.Kind == b.Kind && a.Anchor == b.Anchor && tagOf(a) == tagOf(b) &&
		(a.Value == b.Value || a.Kind != yaml.ScalarNode && a.Kind != yaml.AliasNode) &&
		slices.EqualFunc(a.Content, b.Content, same)
}

func tagOf(n *yaml.Node) string {
	if tag := n.ShortTag(); tag != "!!timestamp" {
		return tag
	}
	return "!!str"
}
