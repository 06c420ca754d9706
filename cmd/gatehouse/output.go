package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// outputFormat declares the flag -o for a format, the first by default.
func outputFormat(cmd *cobra.Command, format *string, formats ...string) {
	choiceVar(cmd, cmd.Flags(), format, "output", "o", "output `FORMAT`", formats...)
}

// printData prints data as JSON or YAML, or as the text that the caller renders.
func printData(w io.Writer, format string, data any, text func() string) error {
	var out []byte
	var err error
	switch format {
	case "json":
		out, err = json.MarshalIndent(data, "", "  ")
		out = append(plain.JSON(out), '\n')
	case "yaml":
		out, err = yaml.Marshal(data)
		out = []byte(plain.Lines(string(out)))
	default:
		out = []byte(plain.Lines(text()))
	}
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	_, err = w.Write(out)
	return err
}

// inline formats a value on one line.
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
