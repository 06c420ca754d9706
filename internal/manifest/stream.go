package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// MaxDocument bounds one document of a stream in bytes. The API server takes
// 3 MiB; the rest is for lists, which are one document. To read a document of YAML takes up
// to a hundred times its size.
const MaxDocument = 8 << 20

// ErrTooLarge is the cause of a [LineError] about a document of more than MaxDocument bytes.
var ErrTooLarge = fmt.Errorf("the document is larger than %d MiB", MaxDocument>>20)

// LineError is an error at a line of the stream.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// Document is one document of a YAML stream.
type Document struct {
	// JSON is the document as JSON, read as kubectl and Flux do: as YAML 1.1.
	JSON json.RawMessage
	// Text is the document, starting at the line of its first value.
	Text []byte
	// Line of the stream where Text begins, counted from 1.
	Line int
}

// Parse returns the objects of a YAML stream without the empty ones. An error
// in a document is a [LineError].
func Parse(data []byte) ([]Object, error) {
	var objects []Object
	for doc, err := range Documents(bytes.NewReader(data)) {
		if err != nil {
			return nil, err
		}
		var o Object
		if err := json.Unmarshal(doc.JSON, &o); err != nil {
			return nil, &LineError{doc.Line, errors.New("a document must be a mapping")}
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// Documents reads a YAML stream one document at a time. It leaves out documents
// that are empty or null, and refuses duplicate keys. An error ends the
// stream, because the start of the next document is not known; it is a
// [LineError], or the reader's own. The Document that comes with a LineError has
// the Text that could not be read.
func Documents(r io.Reader) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		s := splitter{in: bufio.NewReader(r)}
		for {
			doc, err := s.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				doc.JSON, err = toJSON(doc.Text, doc.Line)
			}
			if err == nil && string(doc.JSON) == "null" {
				continue
			}
			if !yield(doc, err) || err != nil {
				return
			}
		}
	}
}

// splitter splits a YAML stream at its document markers.
type splitter struct {
	in   *bufio.Reader
	line int    // number of the last line that was read, from 1
	open string // text after the marker on the first line of the next document
}

// next returns the next document that is not empty, and io.EOF after the last one.
func (s *splitter) next() (Document, error) {
	var text []byte
	first := s.line + 1
	if s.open != "" {
		text, first = append(text, s.open...), s.line
		s.open = ""
	}
	for {
		line, err := s.readLine(MaxDocument - len(text))
		if err != nil && !errors.Is(err, io.EOF) {
			return Document{}, err
		}
		rest, marker := cutMarker(line)
		if !marker {
			text = append(text, line...)
		}
		if !marker && err == nil {
			continue
		}
		if skip := firstContent(text); skip >= 0 {
			s.open = rest
			return Document{Text: withoutLines(text, skip), Line: first + skip}, nil
		}
		if err != nil {
			return Document{}, io.EOF
		}
		text, first = append(text[:0], rest...), s.line
		if rest == "" {
			first++
		}
	}
}

// readLine reads a line with its end. A line of more than limit bytes is an error.
func (s *splitter) readLine(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := s.in.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, &LineError{s.line + 1, ErrTooLarge}
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if len(line) > 0 {
			s.line++
		}
		return line, err
	}
}

// withoutLines drops the first n lines.
func withoutLines(text []byte, n int) []byte {
	for range n {
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return text
}

// cutMarker reports whether a line starts or ends a document, and returns what
// follows the marker on the line.
func cutMarker(line []byte) (rest string, marker bool) {
	text := strings.TrimRight(string(line), "\r\n")
	if text == "..." || strings.HasPrefix(text, "... ") {
		return "", true
	}
	after, ok := strings.CutPrefix(text, "---")
	if !ok || after != "" && after[0] != ' ' && after[0] != '\t' {
		return "", false
	}
	if trimmed := strings.TrimSpace(after); trimmed == "" || trimmed[0] == '#' {
		return "", true
	}
	return "   " + after + "\n", true
}

// firstContent returns the index of the first line that is not empty, a comment
// or a directive; -1 if there is none.
func firstContent(text []byte) int {
	i := 0
	for line := range bytes.Lines(text) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' && line[0] != '%' {
			return i
		}
		i++
	}
	return -1
}

var yamlLine = regexp.MustCompile(`line (\d+): ?`)

// toJSON converts a document whose first line is the given one of the stream.
func toJSON(text []byte, first int) (object json.RawMessage, err error) {
	defer func() {
		if r := recover(); r != nil { // the YAML library panics on some malformed input
			object, err = nil, &LineError{first, fmt.Errorf("not readable as YAML: %v", r)}
		}
	}()
	object, err = yaml.YAMLToJSONStrict(text)
	if err == nil {
		return object, nil
	}
	message := err.Error()
	line := first
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1]) // the expression takes digits only
		line = first + max(n, 1) - 1
		message = strings.Replace(message, m[0], "", 1)
	}
	message = strings.TrimPrefix(message, "error converting YAML to JSON: ")
	message = strings.TrimPrefix(strings.TrimPrefix(message, "yaml: "), "unmarshal errors:")
	if strings.HasPrefix(message, "invalid map key: ") { // the rest are types of Go
		message = "a mapping or list cannot be a key"
	}
	return nil, &LineError{line, errors.New(strings.Join(strings.Fields(message), " "))}
}
