// Package network emits the NetworkPolicies of a plan.
//
// Objects are plain maps, not k8s.io/api types: a large fleet has a hundred
// thousand of them, and the way through a struct and back costs as much as all
// the rest. The tests decode each strictly into the type.
package network
