package source

import (
	"bytes"
	"errors"

	"go.yaml.in/yaml/v3"
)

func (e *editor) remove(steps []step) error {
	at, rest, err := e.follow(steps)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("it is not set")
	}
	if err := replaceable(at.node(e)); err != nil {
		return err
	}
	entries, err := e.entries(at)
	if err != nil {
		return err
	}
	if len(entries) == 1 {
		return e.empty(steps[:len(steps)-1], at.parent.Kind)
	}
	i := at.index
	if at.parent.Kind == yaml.MappingNode {
		i /= 2
	}
	if at.parent.Style&yaml.FlowStyle != 0 {
		return e.removeFlow(at.parent, entries, i)
	}
	return e.removeLines(at, entries, i)
}

// empty replaces a collection that loses its last entry.
func (e *editor) empty(steps []step, kind yaml.Kind) error {
	at, _, err := e.follow(steps)
	if err != nil {
		return err
	}
	return e.replace(at, &yaml.Node{Kind: kind})
}

// entries returns where the entries around a value are written: from the key or
// dash to the end of the value.
func (e *editor) entries(at place) ([]span, error) {
	n := at.parent
	if _, ok := e.spans[n]; !ok {
		return nil, errUnmeasured(n)
	}
	var out []span
	for i, c := range n.Content {
		self := e.spans[c]
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0:
			self.end = e.spans[n.Content[i+1]].end
		case n.Kind == yaml.MappingNode:
			continue
		case n.Style&yaml.FlowStyle == 0:
			dash, err := e.dash(n, i)
			if err != nil {
				return nil, err
			}
			self.start = dash
		}
		out = append(out, self)
	}
	return out, nil
}

// removeFlow removes an entry with its comma and the white space around it, or
// with the comment behind it if it has its lines alone.
func (e *editor) removeFlow(n *yaml.Node, entries []span, i int) error {
	entry := entries[i]
	self := e.spans[n]
	if e.data[self.start] != '{' && e.data[self.start] != '[' {
		return errUnmeasured(n)
	}
	comma := e.skip(entry.end, "")
	behind := entry.end
	if e.data[comma] == ',' {
		behind = comma + 1
	}
	line, end := e.lineStart(entry.start), e.lineEnd(behind)
	alone := len(bytes.TrimSpace(e.data[line:entry.start])) == 0 && e.skip(behind, "") > end
	switch {
	case i > 0 && i == len(entries)-1 && bytes.IndexByte(e.data[entries[i-1].end:entry.start], '#') < 0:
		e.splice(entries[i-1].end, entry.end, "")
	case i < len(entries)-1 && bytes.IndexByte(e.data[entry.end:entries[i+1].start], '#') < 0:
		e.splice(entry.start, entries[i+1].start, "")
	case alone:
		e.splice(line, end+lineBreak(e.data[end:]), "")
	default:
		e.splice(entry.start, behind, "")
	}
	return nil
}

// removeLines removes an entry in block style.
func (e *editor) removeLines(at place, entries []span, i int) error {
	entry := entries[i]
	line, end := e.lineStart(entry.start), e.lineEnd(entry.end)
	column := entry.start - line
	if len(bytes.TrimLeft(e.data[line:entry.start], " ")) > 0 {
		if i > 0 {
			return errUnmeasured(at.node(e))
		}
		e.removeFirst(entry, entries[1])
		return nil
	}
	for i > 0 || at.parent != e.root { // the comments above
		above := e.lineStart(max(line-1, 0))
		if above == line || i > 0 && above <= entries[i-1].end || !e.comment(above, column) {
			break
		}
		line = above
	}
	end = e.lineEnd(e.trailing(end, column))
	after := end + lineBreak(e.data[end:])
	if after == len(e.data) && end == after && line > e.starts[0] { // the file has no final line break
		line = e.lineEnd(e.lineStart(line - 1))
	}
	e.splice(line, after, "")
	return nil
}

// comment reports whether the line at an offset is a comment in this column.
func (l lines) comment(at, column int) bool {
	text := at
	for text < len(l.data) && l.data[text] == ' ' {
		text++
	}
	return text < len(l.data) && l.data[text] == '#' && text-at == column
}

// removeFirst removes an entry that begins behind a dash. The next one takes its
// place, unless there are comments between.
func (e *editor) removeFirst(entry, next span) {
	end := e.lineEnd(entry.end)
	if len(bytes.TrimSpace(e.data[end:next.start])) == 0 {
		e.splice(entry.start, next.start, "")
		return
	}
	start := entry.start
	for start > 0 && (e.data[start-1] == ' ' || e.data[start-1] == '\t') {
		start--
	}
	e.splice(start, end, "")
}
