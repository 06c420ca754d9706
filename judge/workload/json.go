package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const codeJSON = "json-syntax"

// readJSON passes the objects of a stream of JSON objects to the sink. It passes the items
// of a list one by one, without a limit on their number.
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

// jsonReader reads objects and their line numbers.
type jsonReader struct {
	decoder *json.Decoder
	input   *lineReader
}

func newJSONReader(in io.Reader) *jsonReader {
	input := &lineReader{in: in, line: 1, left: maxDocument}
	return &jsonReader{decoder: json.NewDecoder(input), input: input}
}

// object reads one object as a whole, or the items of a list one by one. If the kind of
// the list comes after its items, every item must have a type.
func (r *jsonReader) object(s sink) error {
	r.input.left = maxDocument
	token, err := r.decoder.Token()
	if err != nil {
		return err
	}
	line := r.input.lineAt(r.decoder.InputOffset() - 1)
	if token != json.Delim('{') {
		return problemAt(line, "workload-kind", "", "not a Kubernetes object: a JSON file must hold objects")
	}
	fields := map[string]json.RawMessage{}
	streamed := false
	for r.decoder.More() {
		key, err := r.decoder.Token()
		if err != nil {
			return unexpected(err)
		}
		name, _ := key.(string) // the decoder accepts only strings as keys
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

// items passes the items of a list to the sink; null is an empty list. ok is false if
// the value is something else.
func (r *jsonReader) items(s sink, list header) (ok bool, err error) {
	token, err := r.decoder.Token()
	if err != nil {
		return false, unexpected(err)
	}
	if token == nil {
		return true, nil
	}
	if token != json.Delim('[') {
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

// value reads the next value and returns it with its line.
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
	_ = json.Unmarshal(fields["apiVersion"], &h.APIVersion) // if it is absent or not a string, this is not a list
	_ = json.Unmarshal(fields["kind"], &h.Kind)
	return h
}

// unexpected returns the error for a file that ends within an object.
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

// lineReader finds the lines of offsets, which must be requested in rising order. It
// refuses to read more bytes of a value than are left.
type lineReader struct {
	in       io.Reader
	offset   int64
	line     int     // of the last requested offset
	newlines []int64 // offsets after it
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
