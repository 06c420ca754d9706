// Package network emits the NetworkPolicies of a plan and reads the ports and
// CIDRs of the language.
package network
