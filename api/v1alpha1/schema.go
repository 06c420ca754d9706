package v1alpha1

import _ "embed"

//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of a document of any of the three
// kinds, for editors. It is generated from the types of this package:
//
//	go run ./hack/schema
//
// It covers one document at a time. It does not know which names are defined
// elsewhere, and reports as missing what a profile takes from one that it extends.
func Schema() []byte { return []byte(schema) }
