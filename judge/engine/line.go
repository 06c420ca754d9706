package engine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// ErrTooLong is the error of a line over the limit. The lines after it can still be read.
var ErrTooLong = errors.New("line too long")

// keptOfLongLine is how much [Lines.Next] returns of a line over the limit: enough for an id.
const keptOfLongLine = 64

// Lines reads lines of bounded length. It holds one line, and 64 KiB.
type Lines struct {
	in    *bufio.Reader
	limit int
	// skipping is set within a line that is too long, and cut if the last line has no newline.
	skipping, cut bool
}

// NewLines returns a reader of lines of at most limit bytes, without the newline.
func NewLines(in io.Reader, limit int) *Lines {
	return &Lines{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// Next returns the next line that is not blank, without its newline. The caller owns it. Of a line longer than the limit it returns the beginning with
// [ErrTooLong], at once; the next call reads past the rest. A last line without newline counts.
func (r *Lines) Next() ([]byte, error) {
	if err := r.skip(); err != nil {
		return nil, err
	}
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		if len(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))) > r.limit {
			r.skipping = errors.Is(err, bufio.ErrBufferFull)
			return bytes.Clone(line[:min(len(line), keptOfLongLine)]), ErrTooLong
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0):
			return nil, err
		}
		r.cut = err != nil
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// skip reads past the rest of a line that is too long.
func (r *Lines) skip() error {
	for r.skipping {
		_, err := r.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		r.skipping = err != nil
	}
	return nil
}

// Cut reports whether the last line that Next returned has no newline.
func (r *Lines) Cut() bool { return r.cut }

// Decode decodes exactly one JSON value and refuses fields that the type does not have.
func Decode(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the value")
	}
	return nil
}
