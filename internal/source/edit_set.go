package source

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is a value in the collection that holds it.
type place struct {
	parent *yaml.Node // nil for the root
	index  int        // in parent.Content
	flow   bool       // inside [] or {}
}

func (p place) node(e *editor) *yaml.Node {
	if p.parent == nil {
		return e.root
	}
	return p.parent.Content[p.index]
}

// follow goes along a path as far as it is written, and returns what is left of it.
func (e *editor) follow(steps []step) (place, []step, error) {
	var at place
	for {
		n := at.node(e)
		if err := editable(n); err != nil {
			return at, nil, err
		}
		if len(steps) == 0 || isNull(n) {
			return at, steps, nil
		}
		i, err := childOf(n, steps[0])
		if err != nil || i < 0 {
			return at, steps, err
		}
		at = place{parent: n, index: i, flow: at.flow || n.Style&yaml.FlowStyle != 0}
		steps = steps[1:]
	}
}

// editable refuses what means more than what is written in its place.
func editable(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return fmt.Errorf("line %d has the alias *%s: edit it by hand", n.Line, n.Value)
	case n.Anchor != "":
		return fmt.Errorf("line %d has the anchor &%s: edit it by hand", n.Line, n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		return fmt.Errorf("line %d has the tag %s: edit it by hand", n.Line, n.Tag)
	}
	return nil
}

// replaceable refuses what others may refer to.
func replaceable(n *yaml.Node) error {
	if n.Anchor != "" {
		return editable(n)
	}
	for _, c := range n.Content {
		if err := replaceable(c); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) set(steps []step, value *yaml.Node) error {
	at, rest, err := e.follow(steps)
	if err != nil {
		return err
	}
	n := at.node(e)
	if len(rest) == 0 || isNull(n) {
		value = with(nil, rest, value)
		if same(n, value) {
			return nil
		}
		if err := checkNew(rest); err != nil {
			return err
		}
		return e.replace(at, value)
	}
	if err := checkNew(rest[1:]); err != nil {
		return err
	}
	if i, ok := rest[0].index(); n.Kind == yaml.SequenceNode && ok && i != len(n.Content) {
		return fmt.Errorf("the list in line %d has %d entries: the next one is [%d]", n.Line, len(n.Content), len(n.Content))
	}
	return e.add(at, rest[0], with(nil, rest[1:], value))
}

// checkNew refuses to begin a list with another entry than the first.
func checkNew(steps []step) error {
	for _, s := range steps {
		if i, ok := s.index(); ok && i > 0 {
			return fmt.Errorf("there is no list for [%d]", i)
		}
	}
	return nil
}

// add puts an entry at the end of a collection.
func (e *editor) add(at place, s step, value *yaml.Node) error {
	n := at.node(e)
	entry := &yaml.Node{Kind: n.Kind, Content: []*yaml.Node{value}}
	if n.Kind == yaml.MappingNode {
		entry.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.name}, value}
	}
	self, ok := e.spans[n]
	if !ok {
		return errUnmeasured(n)
	}
	if n.Style&yaml.FlowStyle != 0 {
		text := flowText(entry)
		return e.addFlow(n, self, text[1:len(text)-1])
	}
	indent := e.mark(self.start).col - 1
	end := e.lineEnd(e.trailing(self.end, indent))
	e.splice(end, end, e.style.newline+strings.Join(e.style.block(entry, indent), e.style.newline))
	return nil
}

// trailing returns the end of the comments in the lines below an offset that are
// indented deeper than a column: they belong to what stands above.
func (e *editor) trailing(after, column int) int {
	line := e.mark(after).line
	for _, start := range e.starts[line:] {
		text := start
		for text < len(e.data) && e.data[text] == ' ' {
			text++
		}
		switch {
		case text < len(e.data) && e.data[text] == '#' && text-start > column:
			after = e.lineEnd(text)
		case !e.blank(text) || e.skipBlanks(text) < e.lineEnd(text):
			return after
		}
	}
	return after
}

func errUnmeasured(n *yaml.Node) error {
	return fmt.Errorf("cannot be done in this layout: the end of %s in line %d is unknown", describe(n), n.Line)
}

// addFlow puts an entry at the end of a collection in brackets: in a line of its
// own if the entry before has one.
func (e *editor) addFlow(n *yaml.Node, self span, text string) error {
	if e.data[self.start] != '{' && e.data[self.start] != '[' {
		return errUnmeasured(n)
	}
	if len(n.Content) == 0 {
		e.splice(self.start+1, self.start+1, text)
		return nil
	}
	last := e.spans[n.Content[len(n.Content)-1]]
	first := last // the key, if there is one
	if n.Kind == yaml.MappingNode {
		first = e.spans[n.Content[len(n.Content)-2]]
	}
	comma := e.skip(last.end, "")
	at := last.end
	if e.data[comma] == ',' {
		at = comma + 1
	} else {
		e.splice(at, at, ",")
	}
	line := e.lineStart(first.start)
	if pad := e.data[line:first.start]; len(bytes.TrimLeft(pad, " ")) == 0 && e.lineEnd(at) < self.end {
		end := e.lineEnd(at)
		e.splice(end, end, e.style.newline+string(pad)+text)
		return nil
	}
	e.splice(at, at, " "+text)
	return nil
}
