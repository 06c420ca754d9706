// Package profile implements the language: it reads a source and parses every value.
//
//	[Load]    reads YAML documents with positions, what they extend, and the catalogue
//	[Default] fills in what the source does not say
//	[Parse]   checks each field by itself, and every name that is used
//
// Each value is parsed once, here, and all its problems are reported here. Later
// stages work with durations, ports, keys and times, never with their spelling.
// Package resolve decides what follows from several documents together: derived
// parameters, rings, skipped stages, exceptions.
package profile
