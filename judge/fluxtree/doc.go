// Package fluxtree reads a repository as Flux does: which Kustomizations of Flux a cluster
// has, which folder each of them applies, and what comes of it.
//
// # What is followed
//
// A [Repository] is read from its roots: the Kustomizations that nothing in the repository
// applies but themselves, as `flux bootstrap` writes them, or folders that are named. Of
// what a Kustomization applies, the Kustomizations are followed in turn. Each is built once
// per root, as kustomize-controller builds it: kustomize with files from anywhere in the
// repository and without plugins, a generated kustomization where the folder has none, the
// fields of the Kustomization on top, then variables. One is held in memory at a time.
//
// # What is not known
//
// A variable may come from a ConfigMap or Secret that is not in the repository, or is
// encrypted there. Its value is not empty but unknown: [Object.Unknown] names the fields
// that depend on it, and [Object.Renderings] has the object with several values for it.
//
// What cannot be read is a problem with a place, and costs what it is about: a Kustomization,
// a file or an object. What no root reaches is listed.
package fluxtree
