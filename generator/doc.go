// Package generator compiles a profile into a policy repository.
//
// There is one way through it, and each stage is one file:
//
//	load      the YAML of a source: documents with positions, what they extend, the catalogue
//	default   what the source does not say
//	validate  every field by itself, and every name that is used
//	plan      what it means: package plan, where every decision is made
//	emit      objects: packages kyverno, network and flux, and the files for people
//	link      across objects: identity, schemas, the graph and its proof
//	write     the only effects
//
// [Compile] is the stages up to link; [WriteDir] and [CheckDir] are the last one.
package generator
