package source

import (
	"bytes"
	"errors"
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
	e.insertLines(self.end, e.style.block(entry, indent))
	return nil
}

func errUnmeasured(n *yaml.Node) error {
	return fmt.Errorf("cannot be done in this layout: the end of %s in line %d is unknown", describe(n), n.Line)
}

// insertLines puts lines below that of an offset.
func (e *editor) insertLines(after int, lines []string) {
	end := e.lineEnd(after)
	e.splice(end, end, e.style.newline+strings.Join(lines, e.style.newline))
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

// replace writes a value in the place of another.
func (e *editor) replace(at place, value *yaml.Node) error {
	old := at.node(e)
	if err := replaceable(old); err != nil {
		return err
	}
	self, ok := e.spans[old]
	if !ok {
		return errUnmeasured(old)
	}
	value = styled(value, old)
	if at.flow || len(value.Content) > 0 && old.Style&yaml.FlowStyle != 0 && len(old.Content) > 0 {
		return e.replaceInline(at, self, flowText(value))
	}
	stem, indent, err := e.stem(at)
	if err != nil {
		return err
	}
	list := e.style.list - e.style.step
	if at.parent == nil || at.parent.Kind == yaml.SequenceNode {
		list = 0
	}
	inline, rest := e.style.entry(value, indent, list)
	if at.parent != nil && at.parent.Kind == yaml.SequenceNode && inline == "" {
		inline, rest = rest[0][indent:], rest[1:]
	}
	if len(rest) == 0 && !isBlock(old) {
		return e.replaceInline(at, self, inline)
	}
	e.replaceLines(stem, old, self, inline, rest)
	return nil
}

// styled gives a scalar the style of the one that it replaces.
func styled(value, old *yaml.Node) *yaml.Node {
	if value.Kind != yaml.ScalarNode || old.Kind != yaml.ScalarNode {
		return value
	}
	out := *value
	out.Style = old.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	if old.Style == 0 && date.MatchString(old.Value) {
		out.Style = plainDate
	}
	return &out
}

// isBlock reports whether a value has lines of its own.
func isBlock(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0
}

func (e *editor) replaceInline(at place, self span, text string) error {
	if self.start < self.end {
		e.splice(self.start, self.end, text)
		return nil
	}
	stem, _, err := e.stem(at)
	if err != nil {
		return err
	}
	e.splice(stem, stem, " "+text)
	return nil
}

// stem is the offset behind the colon or dash before a value, and the column of
// what is below it.
func (e *editor) stem(at place) (offset, indent int, err error) {
	if at.parent == nil {
		return e.spans[e.root].start, 0, nil
	}
	if at.parent.Kind == yaml.SequenceNode {
		dash, err := e.dash(at.parent, at.index)
		return dash + 1, e.mark(dash).col + 1, err
	}
	key, ok := e.spans[at.parent.Content[at.index-1]]
	colon := e.skip(key.end, "")
	if !ok || colon >= len(e.data) || e.data[colon] != ':' {
		return 0, 0, errors.New("cannot be done in this layout: the key has no colon behind it")
	}
	return colon + 1, e.mark(key.start).col - 1 + e.style.step, nil
}

// dash finds the dash of an entry of a list in block style.
func (e *editor) dash(list *yaml.Node, i int) (int, error) {
	self, ok := e.spans[list]
	if !ok || list.Style&yaml.FlowStyle != 0 {
		return 0, errUnmeasured(list)
	}
	if i == 0 {
		return self.start, nil
	}
	at := e.skip(e.spans[list.Content[i-1]].end, "")
	if at >= len(e.data) || e.data[at] != '-' {
		return 0, errUnmeasured(list)
	}
	return at, nil
}

// replaceLines replaces a value where the old one or the new one has lines of its
// own: inline is what comes behind the stem, rest what comes below its line.
func (e *editor) replaceLines(stem int, old *yaml.Node, self span, inline string, rest []string) {
	below := ""
	for _, line := range rest {
		below += e.style.newline + line
	}
	if inline != "" && old != e.root {
		inline = " " + inline
	}
	stemEnd, end := e.lineEnd(stem), e.lineEnd(self.end)
	switch {
	case self.start == self.end: // nothing was written
		e.splice(stem, stem, inline)
		e.splice(stemEnd, stemEnd, below)
	case self.start > stemEnd: // it begins in a later line
		e.splice(stem, stem, inline)
		e.splice(stemEnd, end, below)
	case old.Kind == yaml.ScalarNode && isBlock(old):
		header, _, _ := e.header(self.start)
		e.splice(stem, header, inline)
		e.splice(e.lineEnd(header), max(self.end, e.lineEnd(header)), below)
	case isBlock(old) && stemEnd < self.end: // its comments go with it
		e.splice(stem, end, inline+below)
	default:
		e.splice(stem, self.end, inline)
		e.splice(end, end, below)
	}
}
