package manifest

import (
	"slices"
	"strings"
)

// WithoutMarkers returns a text in which the lines with which Git marks a conflict, and
// those of the common ancestor of its two sides, are empty. So each other line keeps its
// number.
func WithoutMarkers(data []byte) []byte {
	if !HasMarkers(data) {
		return data
	}
	var out strings.Builder
	size, ancestor := 0, false // of the markers of the conflict that a line is in; 0 outside
	for line := range strings.Lines(string(data)) {
		marker := true
		switch {
		case size == 0 && markerSize(line, '<') > 0:
			size = markerSize(line, '<')
		case size > 0 && markerSize(line, '|') == size:
			ancestor = true
		case size > 0 && markerSize(line, '=') == size:
			ancestor = false
		case size > 0 && markerSize(line, '>') == size:
			size, ancestor = 0, false
		default:
			marker = false
		}
		if marker || ancestor {
			line = "\n"
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

// HasMarkers reports whether Git has marked a conflict in a text.
func HasMarkers(data []byte) bool { return FirstMarker(data) > 0 }

// FirstMarker returns the number of the first line with which Git marks a conflict; 0 if
// there is none.
func FirstMarker(data []byte) int {
	number := 0
	for line := range strings.Lines(string(data)) {
		if number++; markerSize(line, '<') > 0 {
			return number
		}
	}
	return 0
}

// isMarker reports whether Git marks a part of a conflict with a line.
func isMarker(line string) bool {
	return slices.ContainsFunc([]byte("<|=>"), func(mark byte) bool { return markerSize(line, mark) > 0 })
}

// minMarker is the usual length of a marker. Git makes them longer in a file that was
// renamed, and in an ancestor that has conflicts itself.
const minMarker = 7

// markerSize returns the length of the marker that a line is; 0 if it is none.
func markerSize(line string, mark byte) int {
	line = strings.TrimRight(line, "\r\n")
	rest := strings.TrimLeft(line, string(mark))
	size := len(line) - len(rest)
	if size < minMarker || rest != "" && rest[0] != ' ' {
		return 0
	}
	return size
}
