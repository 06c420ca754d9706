package source

import (
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Range is a part of a file, from the first character to behind the last one.
// End is the zero Position if it cannot be found for certain, as for a mapping
// that was merged from two files.
type Range struct{ Start, End diag.Position }

// Range of a node of the document: with its quotes or brackets, without a
// comment behind it. A collection in block style ends with its last value.
func (d *Document) Range(n *yaml.Node) Range {
	r := Range{Start: d.At(n)}
	layout := d.origin(n).layout()
	if s, ok := layout.spans[n]; ok {
		end := layout.mark(s.end)
		r.End = diag.Position{File: r.Start.File, Line: end.line, Col: end.col}
	}
	return r
}

// origin is the text that a node was read from.
type origin struct {
	file   string
	layout func() layout
	// written returns the path in the document of the text for a path of the merged
	// document; nil if they are the same.
	written func(path string) string
}

type layout struct {
	lines
	spans map[*yaml.Node]span
}

func originOf(file string, data []byte, root *yaml.Node) *origin {
	return &origin{file: file, layout: sync.OnceValue(func() layout {
		l := linesOf(data)
		return layout{lines: l, spans: spansOf(l, root)}
	})}
}

// Positions says where each field of a decoded document was written, by path:
// spec.namespaces[2].tier, spec.controls[require-labels].maxStage.
type Positions map[string]Field

// Field is a field that was written, also if it says null.
type Field struct {
	doc        *Document
	key, value *yaml.Node
	at         *yaml.Node // one of the two
}

// Lookup reports whether a field was written, and where.
func (p Positions) Lookup(path string) (Field, bool) {
	f, ok := p[path]
	return f, ok
}

// Key is where the key of the field was written; the zero Range for an entry of
// a list, and for the document.
func (f Field) Key() Range {
	if f.key == nil {
		return Range{}
	}
	return f.doc.Range(f.key)
}

// Value is where the value of the field was written.
func (f Field) Value() Range { return f.doc.Range(f.value) }

// At is the position of the field, or of the nearest thing around it that was
// written. Lookup tells the two apart.
func (p Positions) At(path string) diag.Position {
	if f, ok := p.nearest(path); ok {
		return f.doc.At(f.at)
	}
	return diag.Position{}
}

// Path is the path of the field in the document that At leads to. It differs from
// path only where an [Overlay] was merged.
func (p Positions) Path(path string) string {
	if f, ok := p.nearest(path); ok {
		if written := f.doc.origin(f.at).written; written != nil {
			return written(path)
		}
	}
	return path
}

// nearest returns the field, or the nearest one around it that was written.
func (p Positions) nearest(path string) (Field, bool) {
	for {
		if f, ok := p[path]; ok || path == "" {
			return f, ok
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}
