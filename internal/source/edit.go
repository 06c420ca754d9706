package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Selector picks a document of a file.
type Selector struct {
	kind, name string
	index      int
}

// Named picks the one document with this kind and metadata.name; an empty one matches all.
func Named(kind, name string) Selector { return Selector{kind: kind, name: name, index: -1} }

// Nth picks a document by its place in the file, from 0. Empty documents count.
func Nth(i int) Selector { return Selector{index: i} }

// Set returns the file with the value at path changed, or added with the
// mappings around it that are missing. The path is one of Positions, such as
// spec.controls[require-labels].stage; the index behind the last entry of a list
// appends. The value is nil, a string, a boolean, a number, or a slice or a map
// with string keys of these. If it is there already, nothing changes.
//
// Every other byte is kept. A new key comes after the last one of its mapping,
// indented as its siblings. Blank lines and comments that follow belong to what
// they precede, and comments that are indented deeper to what they follow. A
// comment behind a value stays; comments inside a list or a mapping that is
// replaced go with it. A scalar keeps its quotes.
//
// What cannot be changed with certainty is an error: a value that is or stands
// in an anchor, an alias, a merge key or behind a tag, or one under a key that is
// set twice. The result is read again and compared before it is returned.
func Set(data []byte, doc Selector, path string, value any) ([]byte, error) {
	out, err := edit(data, doc, path, func(e *editor, steps []step) error {
		n, err := nodeOf(value)
		if err != nil {
			return err
		}
		e.want = with(e.root, steps, n)
		return e.set(steps, n)
	})
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", path, err)
	}
	return out, nil
}

// Remove returns the file without the key or the entry at path. With it go the
// comment behind the value, comments below that are indented deeper, and the
// comment lines directly above that are indented like it, unless the document
// begins with them. A mapping or list that is left without entries becomes {} or
// []. It keeps and refuses the same as Set; a path that is not set is an error.
func Remove(data []byte, doc Selector, path string) ([]byte, error) {
	out, err := edit(data, doc, path, func(e *editor, steps []step) error {
		e.want = without(e.root, steps)
		return e.remove(steps)
	})
	if err != nil {
		return nil, fmt.Errorf("removing %s: %w", path, err)
	}
	return out, nil
}

// editor collects the changes of one document.
type editor struct {
	layout
	root    *yaml.Node
	want    *yaml.Node // what root must be after the edit
	style   style
	splices []splice
}

// splice replaces a part of the text.
type splice struct {
	span
	text string
}

func (e *editor) splice(start, end int, text string) {
	e.splices = append(e.splices, splice{span{start, end}, text})
}

func edit(data []byte, doc Selector, path string, change func(*editor, []step) error) ([]byte, error) {
	steps, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, errors.New("the file is not UTF-8")
	}
	roots, failed := readStream(data)
	if failed != nil {
		return nil, fmt.Errorf("line %d: %s", max(failed.line, 1), failed.message)
	}
	i, err := doc.pick(roots)
	if err != nil {
		return nil, err
	}
	if isNull(roots[i]) {
		return nil, errors.New("the document is empty")
	}
	l := linesOf(data)
	e := &editor{layout: layout{lines: l, spans: spansOf(l, roots[i])}, root: roots[i], style: styleOf(data, roots[i])}
	for _, quoted := range []bool{false, true} { // a block of text would take in the comments below
		e.style.quoted, e.splices = quoted, nil
		if err := change(e, steps); err != nil {
			return nil, err
		}
		roots[i] = e.want
		out := e.apply()
		if err = verify(out, roots); err == nil {
			return out, nil
		}
	}
	return nil, err
}

// pick returns the index of the document.
func (s Selector) pick(roots []*yaml.Node) (int, error) {
	if s.index >= 0 {
		if s.index >= len(roots) {
			return 0, fmt.Errorf("there is no document %d: the file has %d", s.index, len(roots))
		}
		return s.index, nil
	}
	var found []int
	for i, n := range roots {
		if matches(n, s.kind, "kind") && matches(n, s.name, "metadata", "name") {
			found = append(found, i)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("the file has %d documents of kind %q named %q, not one", len(found), s.kind, s.name)
	}
	return found[0], nil
}

func matches(root *yaml.Node, want string, keys ...string) bool {
	n := Lookup(root, keys...)
	return want == "" || n != nil && n.Value == want
}

func (e *editor) apply() []byte {
	slices.SortStableFunc(e.splices, func(a, b splice) int { return a.start - b.start })
	var out strings.Builder
	at := 0
	for _, s := range e.splices {
		out.Write(e.data[at:max(at, s.start)])
		out.WriteString(s.text)
		at = max(at, s.end)
	}
	out.Write(e.data[at:])
	return []byte(out.String())
}

// verify reads the result of an edit: it must hold these documents and no others.
func verify(out []byte, want []*yaml.Node) error {
	got, failed := readStream(out)
	if failed != nil {
		return fmt.Errorf("cannot be done in this layout: it would give %s in line %d", failed.message, failed.line)
	}
	if !slices.EqualFunc(got, want, same) {
		return errors.New("cannot be done in this layout: it would change other values")
	}
	return nil
}
