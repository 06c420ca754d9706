// Package generator compiles a profile into a policy repository.
//
// [Compile] runs these stages. Each is a package, or a file here:
//
//	load, default, parse   package profile: the language
//	resolve                package resolve: every decision; package plan is the model
//	emit                   packages namespaces, kyverno, network, board, kyvernotest
//	link                   link.go and package flux: identity, schemas, the graph and its proof
//	write                  package output: the only effects
//
// The package is for this module: its functions return types of internal packages.
package generator
