// Package profile is the language: it reads a source and turns every value into
// what it means.
//
//	[Load]    YAML documents with positions, what they extend, the catalogue
//	[Default] what the source does not say
//	[Parse]   each field by itself, and every name that is used
//
// A value is parsed once, here, and together with all its problems: what comes
// after works with durations, ports, keys and moments, never with their spelling.
// What follows from several documents together (parameters that are derived,
// rings, stages that skip, exceptions) is decided by package resolve.
package profile
