// Package rollout brings a built repository into a cluster and takes it out.
//
//	Open       reads what a cluster gets from the output of a build
//	Bootstrap  checks the cluster, applies what Flux needs to start, and waits
//	Uninstall  removes it in an order that leaves nothing that blocks the API server
//
// What is written is written by server-side apply as the field manager [Manager],
// never by force: a field of another manager is reported and left alone.
package rollout
