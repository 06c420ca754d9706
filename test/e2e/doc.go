// Package e2e holds the end-to-end tests: what gatehouse builds, on a real
// kube-apiserver with real Kyverno and Flux (hack/cluster), each asserted on what
// the API server answers.
//
//		make e2e            or: go test -tags e2e -timeout 60m ./test/e2e
//
//	  Each test has a cluster of its own, and they run side by side, since most of
//	  their time is spent waiting.
//
//	  - conformance_test.go: what gatehouse build accepts, the API server accepts.
//	  - documents_test.go: the documents of the catalogue, under policies in CEL of both
//	    kinds; good Pods while Kyverno is down.
//	  - policytypes_test.go: from one kind of policies to another, and back.
//	  - quiet_test.go: a fleet at off and at audit refuses nothing.
//	  - bootstrap_test.go: gatehouse bootstrap brings the example in, gatehouse
//	    uninstall takes it out.
//	  - rollout_test.go: Flux brings the example into an empty cluster; then the
//	    parts of two tests, in the order in which they need each other. TestRollout:
//	    verdicts_test.go (tiers, exceptions, tenants), stage_test.go (a stage bump
//	    and its revert), changes_test.go (an exception ends, an edit by hand) and
//	    failure_test.go (Kyverno down, Kubernetes and Flux restarted). TestChanges:
//	    changes_test.go (a control goes), accept_test.go (a change is accepted),
//	    applier_test.go (who applies changes) and impact_test.go (gatehouse impact
//	    on the cluster).
//	  - images_test.go: signatures against a registry on loopback.
//	  - controllers_test.go: what Kubernetes' own controllers make of exempt workloads.
//	  - tenants_test.go: what tenants can write through Flux.
//	  - reading_test.go, charts_test.go: gatehouse impact reads a repository as Flux
//	    applies it, with its charts (testdata/charts.txtar).
//	  - shards_test.go: 300 namespaces, in more than one layer.
//
// The tests need the build tag e2e, git and Go, and minutes: the first run builds
// Kubernetes, Kyverno and Flux.
package e2e
