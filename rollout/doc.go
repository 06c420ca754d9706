// Package rollout brings a built repository into a cluster and takes it out.
//
//	Open       reads what a cluster gets from the output of a build
//	Bootstrap  checks the cluster, applies what Flux needs to begin, and waits
//	Uninstall  removes it in an order in which nothing is left that blocks
//
// What is written is written by server-side apply as the field manager [Manager],
// never by force: what somebody else manages is reported, not taken.
package rollout
