// Package report writes a report in one of several formats.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Encoders of a report, by format.
type Encoders map[string]func() ([]byte, error)

// Write writes a report in the format. A format without an encoder is an error.
func (e Encoders) Write(w io.Writer, format string) error {
	encode, ok := e[format]
	if !ok {
		return fmt.Errorf("a report has no format %q", format)
	}
	out, err := encode()
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	_, err = w.Write(out)
	return err
}

// JSON returns an encoder that encodes a value as indented JSON on which nothing is hidden.
func JSON(v any) func() ([]byte, error) {
	return func() ([]byte, error) {
		out, err := json.MarshalIndent(v, "", "  ")
		return append(plain.JSON(out), '\n'), err
	}
}

// Text returns an encoder that cannot fail.
func Text(encode func() string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(encode()), nil }
}
