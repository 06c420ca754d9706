// Package schema checks the objects that gatehouse is about to write as the API
// server would on a server-side apply: offline, strictly, against the schemas of
// the versions that it compiles for (docs/safety.md#schemas).
//
// # Where the schemas come from
//
// crds/ holds the openAPIV3Schema of each custom resource that gatehouse emits,
// generated from the releases of Kyverno and Flux (both Apache-2.0):
//
//	go run ./hack/crds
//
// Built-in kinds are decoded strictly into Go types, which a test compares with
// those of k8s.io/api.
//
// # What is checked
//
// Unknown fields, types, required fields, enums, patterns, lengths and ranges of the
// schema, and the metadata that the API server checks for every kind: names, labels,
// annotations, and whether there is a namespace.
//
// The CEL rules of a schema (x-kubernetes-validations) are not checked: their evaluator
// is larger than everything else and doubles the time that the program takes to start
// (docs/adr/0002-crd-schemas-are-generated.md). Checks of the controllers are not made
// here either: Kyverno's own policy validation runs in the engine.
package schema
