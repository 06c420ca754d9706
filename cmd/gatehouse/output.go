package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"

	"sigs.k8s.io/yaml"
)

// printData prints data in a format: text is rendered by the caller.
func printData(w io.Writer, format string, data any, text func() string) error {
	if err := oneOf("--output", format, "text", "json", "yaml"); err != nil {
		return err
	}
	out := []byte(nil)
	switch format {
	case "text":
		out = []byte(text())
	case "json":
		encoded, err := json.MarshalIndent(data, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding: %w", err)
		}
		out = append(encoded, '\n')
	case "yaml":
		encoded, err := yaml.Marshal(data)
		if err != nil {
			return fmt.Errorf("encoding: %w", err)
		}
		out = encoded
	}
	_, err := w.Write(out)
	return err
}

// inline is a value on one line.
func inline(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(out)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ") + "\n"
}

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
