package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// errTooLong is the error of a line over the limit. The lines after it can still be read.
var errTooLong = errors.New("line too long")

// idPattern matches the id at the beginning of a request that cannot be read as a whole.
var idPattern = regexp.MustCompile(`^\s*\{\s*"id"\s*:\s*([0-9]+)`)

// lineReader reads lines of bounded length.
type lineReader struct {
	in    *bufio.Reader
	limit int
}

func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// next returns the next line that is not blank, without its newline. The caller owns it. Of a line longer than the limit it returns the beginning with
// errTooLong and reads past the rest. A last line without newline counts.
func (r *lineReader) next() ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.in.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(bytes.TrimRight(line, "\r\n")) > r.limit {
			tooLong = true
			line = bytes.Clone(line[:min(len(line), 64)]) // enough for the id; the rest is garbage
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0):
			return nil, err
		case tooLong:
			return line, errTooLong
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// idOf returns the id of a line that is not a valid request; 0 if it has none.
func idOf(line []byte) uint64 {
	match := idPattern.FindSubmatch(line)
	if match == nil {
		return 0
	}
	id, err := strconv.ParseUint(string(match[1]), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// decodeStrict decodes exactly one JSON value and refuses fields that the type does not have.
func decodeStrict(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("more than one value")
	}
	return nil
}
