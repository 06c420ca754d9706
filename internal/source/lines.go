package source

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// mark is a place as the YAML library counts: lines from 1, and columns in
// characters from 1, without a byte order mark before them.
type mark struct{ line, col int }

// lines finds the bytes of marks.
type lines struct {
	data   []byte
	starts []int // of each line; the first one is behind the byte order mark
}

var byteOrderMark = []byte("\ufeff")

// linesOf splits at the line breaks of YAML 1.1, which are more than \n and \r\n.
func linesOf(data []byte) lines {
	l := lines{data: data, starts: []int{0}}
	if bytes.HasPrefix(data, byteOrderMark) {
		l.starts[0] = len(byteOrderMark)
	}
	for i := 0; i < len(data); {
		size := lineBreak(data[i:])
		i += max(size, 1)
		if size > 0 {
			l.starts = append(l.starts, i)
		}
	}
	return l
}

// lineBreak is the length of the line break that data begins with, or 0.
func lineBreak(data []byte) int {
	for _, s := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if len(data) >= len(s) && string(data[:len(s)]) == s {
			return len(s)
		}
	}
	return 0
}

// offset returns the byte of a mark; the end of the data if there is none.
func (l lines) offset(m mark) int {
	if m.line > len(l.starts) {
		return len(l.data)
	}
	at := l.starts[m.line-1]
	for range m.col - 1 {
		_, size := utf8.DecodeRune(l.data[at:])
		at += size
	}
	return at
}

// mark returns the place of a byte.
func (l lines) mark(offset int) mark {
	line, found := slices.BinarySearch(l.starts, offset)
	if !found {
		line = max(line-1, 0)
	}
	return mark{line: line + 1, col: 1 + utf8.RuneCount(l.data[min(l.starts[line], offset):offset])}
}

// blankFrom reports whether nothing but white space stands at a mark and behind it.
func (l lines) blankFrom(m mark) bool {
	return len(bytes.TrimSpace(l.data[l.offset(m):])) == 0
}
