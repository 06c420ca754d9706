// Command schema writes what is derived from the types of the language, package
// api/v1alpha1: its JSON Schema for editors and its reference for people.
//
//	go run ./hack/schema
//
// from the root of the repository. Descriptions are the comments of the types;
// what a comment cannot say exactly (sets, patterns, defaults) is in rules.go.
package main

import (
	"fmt"
	"os"
)

const (
	types      = "api/v1alpha1"
	schemaFile = "api/v1alpha1/schema.json"
	reference  = "docs/profile.md"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func run() error {
	files, err := generate(".")
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files by their path in the repository at root.
func generate(root string) (map[string][]byte, error) {
	l, err := parseLanguage(root + "/" + types)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", types, err)
	}
	schema, err := l.jsonSchema()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{schemaFile: schema, reference: l.markdown()}, nil
}
