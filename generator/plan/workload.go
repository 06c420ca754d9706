package plan

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Makes returns the kind, and the kinds that its controller makes from it.
func Makes(kind string) []string {
	made := []string{kind}
	for _, k := range kinds.Named(kind).Kinds() {
		made = append(made, k.Makes...)
	}
	return made
}

// maxGenerateName is the longest prefix to which Kubernetes appends five random
// characters (apiserver/pkg/storage/names).
const maxGenerateName = 63 - 5

// MadeNames returns globs for the names of the objects of kind made that the
// controller of an object of the given kind and name makes. ? stands for one
// character. Kubernetes appends five random characters to the name of a Pod; a hash
// of up to ten characters to a ReplicaSet, in practice at least six (a 32-bit number
// in decimal); the minute of the run in eight digits to the Job of a CronJob; the
// ordinal to the Pod of a StatefulSet; and the index to the Pod of an indexed Job.
// Ordinal and index have at most three digits here.
func MadeNames(kind, made, name string) []string {
	switch {
	case made == kind:
		return []string{name}
	case kind == "Deployment":
		var names []string
		for hash := 6; hash <= 10; hash++ {
			set := name + "-" + strings.Repeat("?", hash)
			if made == "ReplicaSet" {
				names = append(names, set)
			} else {
				names = append(names, randomSuffix(set))
			}
		}
		return names
	case kind == "CronJob":
		job := name + "-????????"
		if made == "Job" {
			return []string{job}
		}
		return jobPods(job)
	case kind == "Job":
		return jobPods(name)
	case kind == "StatefulSet":
		return numbered(name)
	}
	return []string{randomSuffix(name)}
}

// jobPods returns globs for the Pods of a Job. Their names have an index if its
// completionMode is Indexed.
func jobPods(job string) []string {
	names := []string{randomSuffix(job)}
	for _, indexed := range numbered(job) {
		names = append(names, randomSuffix(indexed))
	}
	return names
}

func numbered(name string) []string {
	return []string{name + "-?", name + "-??", name + "-???"}
}

// randomSuffix returns a glob for what Kubernetes makes of generateName: <name>-.
func randomSuffix(name string) string {
	prefix := name + "-"
	if len(prefix) > maxGenerateName {
		prefix = prefix[:maxGenerateName]
	}
	return prefix + "?????"
}
