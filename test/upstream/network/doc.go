// Package network judges rendered NetworkPolicies with the evaluator of cyclonus,
// which implements what Kubernetes documents of them.
package network
