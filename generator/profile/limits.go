package profile

import (
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Limits of what a source asks for, which may be far more than it holds.
const (
	// maxFiles is the number of files of a source.
	maxFiles = 10_000
	// maxClusters is the number of environments, and that of their clusters.
	maxClusters = 1000
	// maxPlaced is the number of namespaces and exceptions, each counted once for each
	// environment.
	maxPlaced = 200_000
)

// tooLarge reports a source that would become an output that no repository holds.
func (in *Input) tooLarge() (problems diag.List) {
	refuse := func(count, limit int, what string) {
		if count > limit {
			r := reporterOf(in.Profile.Positions)
			r.Report("spec", "source-large", "", "the source has %d %s; at most %d are built", count, what, limit)
			problems = append(problems, r.Problems...)
		}
	}
	clusters := 0
	for _, e := range in.Environments {
		clusters += len(e.Value.Spec.Clusters)
	}
	refuse(len(in.Environments), maxClusters, "environments")
	refuse(clusters, maxClusters, "clusters")
	refuse(len(in.Environments)*(len(in.Profile.Value.Spec.Namespaces)+len(in.Exceptions)), maxPlaced, "namespaces and exceptions in all environments")
	return problems
}
