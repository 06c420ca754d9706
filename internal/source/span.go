package source

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// span is where a node is written, in bytes: with its quotes or brackets,
// without a comment or a line break behind it.
type span struct{ start, end int }

// measurer finds the ends of nodes, which the YAML library does not keep.
type measurer struct {
	lines
	spans map[*yaml.Node]span
}

// spansOf measures a document. A node whose end cannot be found for certain has
// no span, nor has a collection around it.
func spansOf(l lines, root *yaml.Node) map[*yaml.Node]span {
	m := measurer{lines: l, spans: map[*yaml.Node]span{}}
	m.node(root, -1, false)
	return m.spans
}

// node measures what is inside a collection that is indented by indent columns.
func (m *measurer) node(n *yaml.Node, indent int, flow bool) (end int, ok bool) {
	start := m.offset(mark{n.Line, n.Column})
	at := m.content(n, start)
	switch n.Kind {
	case yaml.AliasNode:
		end, ok = at+1+len(n.Value), bytes.HasPrefix(m.data[at:], []byte("*"+n.Value))
	case yaml.ScalarNode:
		end, ok = m.scalar(n, at, indent, flow)
	default:
		end, ok = m.collection(n, at, flow)
	}
	if ok {
		m.spans[n] = span{start, end}
	}
	return end, ok
}

// content skips the anchor and the tag of a node.
func (m *measurer) content(n *yaml.Node, at int) int {
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at
	}
	for at < len(m.data) && (m.data[at] == '&' || m.data[at] == '!') {
		for at < len(m.data) && !m.blank(at) {
			at++
		}
		at = m.skip(at, "")
	}
	return at
}

// blank reports whether a blank, a line break or the end is at an offset.
func (l lines) blank(at int) bool {
	return at >= len(l.data) || l.data[at] == ' ' || l.data[at] == '\t' || lineBreak(l.data[at:]) > 0
}

// skip passes white space, comments, and the given punctuation.
func (l lines) skip(at int, punctuation string) int {
	for at < len(l.data) {
		switch c := l.data[at]; {
		case c == '#' && (at == 0 || l.blank(at-1) || strings.IndexByte(punctuation, l.data[at-1]) >= 0):
			at = l.lineEnd(at)
		case c == ' ' || c == '\t' || strings.IndexByte(punctuation, c) >= 0:
			at++
		case lineBreak(l.data[at:]) > 0:
			at += lineBreak(l.data[at:])
		default:
			return at
		}
	}
	return at
}

// lineEnd is the offset of the line break behind an offset, or of the end.
func (l lines) lineEnd(at int) int {
	for at < len(l.data) && lineBreak(l.data[at:]) == 0 {
		at++
	}
	return at
}

// lineStart is the offset of the first byte in the line of an offset.
func (l lines) lineStart(at int) int { return l.starts[l.mark(at).line-1] }

func (m *measurer) collection(n *yaml.Node, at int, flow bool) (end int, ok bool) {
	open := at < len(m.data) && n.Style&yaml.FlowStyle != 0 && (m.data[at] == '{' || m.data[at] == '[')
	indent := m.mark(at).col - 1
	end, ok = at, true
	if open {
		end++
	}
	for _, c := range n.Content {
		childEnd, measured := m.node(c, indent, flow || open)
		ok = ok && measured && m.spans[c].start >= end // in order, which ? keys without a value are not
		end = childEnd
	}
	if !open {
		return end, ok && len(n.Content) > 0
	}
	end = m.skip(end, ",:")
	return end + 1, ok && end < len(m.data) && (m.data[end] == '}' || m.data[end] == ']')
}

func (m *measurer) scalar(n *yaml.Node, at, indent int, flow bool) (end int, ok bool) {
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return m.singleQuoted(at)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return m.doubleQuoted(at)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return m.block(at, indent)
	case n.Value == "":
		return at, n.Anchor == "" && n.Style&yaml.TaggedStyle == 0
	}
	return m.plain(n.Value, at, flow)
}

func (m *measurer) singleQuoted(at int) (end int, ok bool) {
	if at >= len(m.data) || m.data[at] != '\'' {
		return at, false
	}
	for i := at + 1; i < len(m.data); i++ {
		if m.data[i] != '\'' {
			continue
		}
		if i+1 == len(m.data) || m.data[i+1] != '\'' {
			return i + 1, true
		}
		i++ // a quote in the text is written twice
	}
	return at, false
}

func (m *measurer) doubleQuoted(at int) (end int, ok bool) {
	if at >= len(m.data) || m.data[at] != '"' {
		return at, false
	}
	for i := at + 1; i < len(m.data); i++ {
		switch m.data[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
		}
	}
	return at, false
}

// plain finds the end of an unquoted scalar: where its lines, folded, are its value.
func (m *measurer) plain(value string, at int, flow bool) (end int, ok bool) {
	folded := ""
	for {
		end = m.plainLine(at, flow)
		folded += string(m.data[at:end])
		if folded == value {
			return end, true
		}
		next := m.skipBlanks(end)
		if len(folded) >= len(value) || lineBreak(m.data[next:]) == 0 {
			return end, false
		}
		breaks := 0
		for at = next; lineBreak(m.data[at:]) > 0; breaks++ {
			at = m.skipBlanks(at + lineBreak(m.data[at:]))
		}
		if breaks == 1 {
			folded += " "
		}
		folded += strings.Repeat("\n", breaks-1)
	}
}

func (l lines) skipBlanks(at int) int {
	for at < len(l.data) && (l.data[at] == ' ' || l.data[at] == '\t') {
		at++
	}
	return at
}

// plainLine finds the end of an unquoted scalar in its line.
func (m *measurer) plainLine(at int, flow bool) int {
	end := at
	for i := at; i < len(m.data) && lineBreak(m.data[i:]) == 0; i++ {
		c := m.data[i]
		if c == '#' && i > at && m.blank(i-1) || flow && strings.IndexByte(",[]{}", c) >= 0 {
			break
		}
		if c == ':' && (m.blank(i+1) || flow && strings.IndexByte(",[]{}", m.data[i+1]) >= 0) {
			break
		}
		if !m.blank(i) {
			end = i + 1
		}
	}
	return end
}

// header is the beginning of a block scalar: | or >, with its indicators.
func (l lines) header(at int) (end, increment int, keep bool) {
	for end = at; !l.blank(end); end++ {
		switch c := l.data[end]; {
		case c == '+':
			keep = true
		case c >= '1' && c <= '9':
			increment = int(c - '0')
		}
	}
	return end, increment, keep
}

// block finds the end of a literal or folded scalar: the last line that is
// indented enough, with the blank lines behind it only if the scalar keeps them.
func (m *measurer) block(at, parent int) (end int, ok bool) {
	if at >= len(m.data) || m.data[at] != '|' && m.data[at] != '>' {
		return at, false
	}
	end, increment, keep := m.header(at)
	indent := 0
	if increment > 0 {
		indent = max(parent, 0) + increment
	}
	first := m.mark(at).line
	for _, start := range m.starts[first:] {
		lineEnd := m.lineEnd(start)
		text := string(m.data[start:lineEnd])
		spaces := len(text) - len(strings.TrimLeft(text, " "))
		blank := spaces == len(text)
		if indent == 0 && !blank {
			indent = max(spaces, parent+1, 1)
		}
		switch {
		case !blank && spaces < indent:
			return end, true
		case !blank || indent > 0 && spaces > indent || keep && start < len(m.data):
			end = lineEnd
		}
	}
	return end, true
}
