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
// one for each workload of the profile. Where a layer is absent, what follows it
// waits for what it would have waited for. The table of layers has a row for each
// kind: what it follows, whether Flux prunes it, when it is ready, whether
// workloads wait for it, and what its Helm releases are for.
//
// # The proof
//
// [Prove] checks a graph together with the files that its nodes apply and the lock
// of the previous build. It does not rely on Build, so that it finds mistakes of
// Build, and so that a test can break a graph.
// What each finding means, and why it is dangerous, is in docs/lints.md.
package flux
