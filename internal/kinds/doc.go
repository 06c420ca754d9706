// Package kinds is the table of the kinds of objects that gatehouse knows:
// those of Kubernetes, Kyverno and Flux. For each it says whether objects of the
// kind are in a namespace, how the API server calls them, what their controller
// makes of them, whether they are policies and how they say that they are in
// force, and whether Kyverno may read them by itself.
//
// It also reads Kyverno's notation for kinds, see [Parse].
//
// Custom resources of others are not in the table. What is not known about a
// kind is told apart from what is known: see [Unknown].
package kinds
