package source

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"
)

// replace changes a value.
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
	below := strings.Join(append([]string{""}, rest...), e.style.newline)
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
