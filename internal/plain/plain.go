// Package plain makes text that others wrote harmless where people and CI systems read
// it: in terminals, logs and reports. Names of objects and files, answers of clusters and
// messages of other programs are such text.
//
// What a reader would not see is written as \u and four hexadecimal digits, as in JSON. A
// backslash itself stays as it is: the text is for people, not for parsers.
//
// Markdown has its own rules, in package markdown.
package plain

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Hidden reports whether a reader does not see a character for what it is: controls and
// escapes, marks that turn the direction of writing, characters without a width, line
// separators, and spaces other than the usual one.
func Hidden(r rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case r == 0xfe0e || r == 0xfe0f: // text or emoji
		return false
	case r == 0x2800: // an empty pattern of Braille
		return true
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Line returns s as text on one line, on which nothing is hidden, and which is no command
// to a CI system, wherever it is printed: GitHub runs ::command:: at the start of a line and
// ##[command] anywhere, Azure runs ##vso[command], TeamCity ##teamcity[command].
func Line(s string) string { return string(escape([]byte(s), false)) }

// Lines is Line for text of several lines. It keeps tabs.
func Lines(s string) string { return string(escape([]byte(s), true)) }

// JSON returns encoded JSON with the same meaning on which nothing is hidden.
func JSON(data []byte) []byte { return escape(data, true) }

// Writer writes what it gets to W as [Lines] returns it.
type Writer struct {
	W    io.Writer
	text escaper
}

// Write implements io.Writer. It keeps the begin of a character that p ends in.
func (w *Writer) Write(p []byte) (int, error) {
	w.text.lines = true
	w.text.add(p, false)
	if _, err := w.W.Write(w.text.out.Bytes()); err != nil {
		return 0, err
	}
	w.text.out.Reset()
	return len(p), nil
}

// escape returns text that is safe. It returns text itself if it is.
func escape(text []byte, lines bool) []byte {
	if harmless(text) {
		return text
	}
	e := escaper{lines: lines}
	e.add(text, true)
	return e.out.Bytes()
}

// harmless reports whether text is printable ASCII on one line that no CI system takes for
// a command.
func harmless(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return !bytes.Contains(text, []byte("##")) && !bytes.HasPrefix(bytes.TrimLeft(text, " "), []byte("::"))
}

// escaper escapes text that arrives in pieces.
type escaper struct {
	out   bytes.Buffer
	lines bool // keep line breaks and tabs
	// inLine is set after the first character of a line that is not a space, and hash after
	// a #.
	inLine, hash bool
	// kept is the end of the last piece, which depends on the next one.
	kept []byte
}

// add escapes a piece of the text.
func (e *escaper) add(piece []byte, last bool) {
	text := append(e.kept, piece...)
	e.kept = nil
	for len(text) > 0 {
		if !last && (!utf8.FullRune(text) || len(text) == 1 && (text[0] == ':' && !e.inLine || text[0] == '#' && e.hash)) {
			e.kept = bytes.Clone(text)
			return
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		e.rune(r, text)
	}
}

// names reports whether the text after ## is the name of a command.
func names(text []byte) bool {
	return len(text) > 0 && (text[0] == '[' || 'a' <= text[0]|' ' && text[0]|' ' <= 'z')
}

// rune escapes a character that is before rest.
func (e *escaper) rune(r rune, rest []byte) {
	breaks := e.lines && r == '\n'
	switch {
	case breaks, e.lines && r == '\t':
		e.out.WriteRune(r)
	case Hidden(r), r == ':' && !e.inLine && bytes.HasPrefix(rest, []byte(":")), r == '#' && e.hash && names(rest):
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&e.out, `\u%04x`, unit)
		}
		e.hash = false
	default:
		e.out.WriteRune(r) // the replacement character for an invalid byte
		e.hash = r == '#'
	}
	e.inLine = !breaks && (e.inLine || !unicode.IsSpace(r) && !Hidden(r))
}

// Text is a text that is written line by line.
type Text struct{ strings.Builder }

// Line writes a line in the format of fmt, as the function [Line] returns it.
func (t *Text) Line(format string, args ...any) {
	t.WriteString(Line(fmt.Sprintf(format, args...)) + "\n")
}
