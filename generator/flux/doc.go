// Package flux makes the Flux Kustomizations that bring the output of gatehouse
// into the clusters in the right order, and proves that order before anything
// is written.
//
// # The graph
//
//	namespaces ┬ kyverno ┬ kyverno-rbac ─ exceptions ─┬─ policies ─┬─ workloads
//	           │         └ trust ─────────────────────┘            │
//	           └ network ──────────────────────────────────────────┘
//
// [Build] makes one node for each layer that has objects, in each cluster, and
// one for each workload of the profile. A layer that is absent is bridged: what
// would have waited for it waits for what it would have waited for.
//
// # The proof
//
// [Prove] judges a graph value together with the files that its nodes apply and
// the lock of the build before. It assumes nothing about who made the graph, so
// that a test can break one, and so that a mistake in Build is found as well.
// What each finding means, and why it is dangerous, is in docs/lints.md.
package flux
