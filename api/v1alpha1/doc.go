// Package v1alpha1 is the language of gatehouse as Go types: what a platform
// engineer writes, before defaults and before anything is resolved.
//
// A source is a file or a folder of YAML documents of three kinds: one
// [Profile], any number of [Environment] and any number of [Exception]. Its
// folder tests/ holds documents of a fourth, [Test]. The JSON
// Schema that `gatehouse schema` prints is generated from these types and their
// comments: an editor shows what a comment here says.
//
// Optional scalars are pointers and optional lists may be nil: absent is not
// false. Defaults are applied by package generator/profile, in one pure function.
package v1alpha1

// The identity of the language.
const (
	Group      = "gatehouse.dev"
	APIVersion = Group + "/v1alpha1"

	KindProfile     = "Profile"
	KindEnvironment = "Environment"
	KindException   = "Exception"
)

// Metadata names a document.
type Metadata struct {
	// Name is unique among the documents of one kind. A DNS label: lower-case
	// letters, digits and dashes, at most 63 characters.
	Name string `json:"name"`
}
