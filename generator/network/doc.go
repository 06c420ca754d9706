// Package network emits the NetworkPolicies of a plan.
//
// Objects are plain maps, not k8s.io/api types: a large fleet has a hundred
// thousand of them, and the conversion from structs costs as much as everything
// else. The tests decode each object strictly into the type.
package network
