package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const codeJSON = "json-syntax"

// readJSON gives the objects of a stream of JSON objects on; the items of lists
// one by one, whatever their number.
func readJSON(in io.Reader, s sink) error {
	r := newJSONReader(in)
	for {
		err := r.object(s)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return r.positioned(err)
		}
	}
}

// jsonReader reads objects with their lines.
type jsonReader struct {
	decoder *json.Decoder
	input   *lineReader
}

func newJSONReader(in io.Reader) *jsonReader {
	input := &lineReader{in: in, line: 1, left: maxDocument}
	return &jsonReader{decoder: json.NewDecoder(input), input: input}
}

// object reads one object: as a whole, or if it has items, these one by one. A
// list may tell what it is after its items; they must then have types of their own.
func (r *jsonReader) object(s sink) error {
	r.input.left = maxDocument
	begin, err := r.decoder.Token()
	if err != nil {
		return err
	}
	line := r.input.lineAt(r.decoder.InputOffset() - 1)
	if begin != json.Delim('{') {
		return problemAt(line, "workload-kind", "", "not a Kubernetes object: a JSON file must hold objects")
	}
	fields := map[string]json.RawMessage{}
	streamed := false
	for r.decoder.More() {
		key, err := r.decoder.Token()
		if err != nil {
			return unexpected(err)
		}
		name, _ := key.(string) // the decoder takes nothing else for a key
		if name == "items" {
			if streamed, err = r.items(s, listHeader(fields)); err != nil {
				return err
			}
			if streamed {
				continue
			}
			return problemAt(line, "workload-kind", "", "items must be a list")
		}
		value, _, err := r.value()
		if err != nil {
			return err
		}
		fields[name] = value
	}
	if _, err := r.decoder.Token(); err != nil { // the closing brace
		return unexpected(err)
	}
	if streamed {
		if h := listHeader(fields); !h.isList() {
			return problemAt(line, "workload-kind", "", "has items, but its kind %q is not a list", h.Kind)
		}
		return nil
	}
	object, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("encoding an object: %w", err)
	}
	return s.add(object, line, header{}, func(int) int { return line })
}

// items gives the items of a list on; null is an empty list. ok is false if
// they are something else.
func (r *jsonReader) items(s sink, list header) (ok bool, err error) {
	begin, err := r.decoder.Token()
	if err != nil {
		return false, unexpected(err)
	}
	if begin == nil {
		return true, nil
	}
	if begin != json.Delim('[') {
		return false, nil
	}
	for r.decoder.More() {
		item, line, err := r.value()
		if err != nil {
			return false, err
		}
		if err := s.add(item, line, list, func(int) int { return line }); err != nil {
			return false, err
		}
	}
	if _, err := r.decoder.Token(); err != nil { // the closing bracket
		return false, unexpected(err)
	}
	return true, nil
}

// value reads the next value and tells its line.
func (r *jsonReader) value() (json.RawMessage, int, error) {
	r.input.left = maxDocument
	var value json.RawMessage
	if err := r.decoder.Decode(&value); err != nil {
		return nil, 0, unexpected(err)
	}
	return value, r.input.lineAt(r.decoder.InputOffset() - int64(len(value))), nil
}

func listHeader(fields map[string]json.RawMessage) header {
	var h header
	_ = json.Unmarshal(fields["apiVersion"], &h.APIVersion) // absent, or of a type that is no list's
	_ = json.Unmarshal(fields["kind"], &h.Kind)
	return h
}

// unexpected is for a file that ends within an object.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// positioned turns a syntax error into a problem with a line.
func (r *jsonReader) positioned(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return problemAt(r.input.lineAt(r.decoder.InputOffset()), codeJSON, helmHint, "not readable as JSON: %v", syntax)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problemAt(r.input.lineAt(r.decoder.InputOffset()), codeJSON, "", "the file ends within an object")
	}
	return err
}

// lineReader knows the lines of offsets that are asked for in rising order, and
// refuses to read more than what is left for a value.
type lineReader struct {
	in       io.Reader
	offset   int64
	line     int     // of the last offset that was asked for
	newlines []int64 // offsets behind it
	left     int
}

// Read implements io.Reader.
func (r *lineReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, tooLarge(r.line)
	}
	n, err := r.in.Read(p[:min(len(p), r.left)])
	r.left -= n
	for i, c := range p[:n] {
		if c == '\n' {
			r.newlines = append(r.newlines, r.offset+int64(i))
		}
	}
	r.offset += int64(n)
	return n, err
}

func (r *lineReader) lineAt(offset int64) int {
	passed := 0
	for passed < len(r.newlines) && r.newlines[passed] < offset {
		passed++
	}
	r.line += passed
	r.newlines = r.newlines[passed:]
	return r.line
}
