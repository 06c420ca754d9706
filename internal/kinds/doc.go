// Package kinds is the table of the kinds of objects that gatehouse knows: those of
// Kubernetes, Kyverno and Flux, and those of other projects that policies guard. For each kind it holds the scope, the name of the
// resource, the kinds that its controller creates, whether it is a policy and how it
// reports that it is in force, and whether the roles of Kyverno's chart may read it.
//
// It also reads Kyverno's notation for kinds, see [Parse].
//
// Other custom resources are not in the table. An unknown scope has a value
// that differs from the known ones: see [Unknown].
package kinds
