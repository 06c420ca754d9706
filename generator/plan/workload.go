package plan

import (
	"slices"
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

// Made is a kind of objects that controllers of Kubernetes make for a workload.
type Made struct {
	// Kind of the objects.
	Kind string
	// Owner is the kind of the object that controls them, and that their names begin with.
	Owner kinds.Kind
	// Suffix is a regular expression for what the name of the owner has more than the
	// name of the workload. Empty: the workload is the owner itself.
	Suffix string
	// ByHand is set if the owner may also be a Job that was run from the workload by hand,
	// under any name that begins with that of the workload.
	ByHand bool
}

// Account returns the user that makes the objects in a cluster in which each controller
// has its own account.
func (m Made) Account() string { return "system:serviceaccount:kube-system:" + m.Owner.Account }

// AllControllers is the user of all controllers in a cluster in which they share one.
const AllControllers = "system:kube-controller-manager"

const (
	// hashSuffix is what a Deployment appends to its name for a ReplicaSet: a number of
	// 32 bits in decimal, in the letters of apimachinery/pkg/util/rand.
	hashSuffix = "-[bcdfghjklmnpqrstvwxz2456789]{1,10}"
	// MinuteSuffix is what a CronJob appends to its name for a Job: the minute of the run.
	MinuteSuffix = "-[0-9]{8}"
)

// MadeFrom returns what the controllers make from an object of a kind, in the order in
// which they make it.
func MadeFrom(kind string) []Made {
	owner := func(name string) kinds.Kind { return kinds.Named(name).Kinds()[0] }
	switch kind {
	case "Deployment":
		return []Made{{Kind: "ReplicaSet", Owner: owner(kind)}, {Kind: "Pod", Owner: owner("ReplicaSet"), Suffix: hashSuffix}}
	case "CronJob":
		return []Made{{Kind: "Job", Owner: owner(kind)}, {Kind: "Pod", Owner: owner("Job"), Suffix: MinuteSuffix, ByHand: true}}
	}
	if made := Makes(kind); len(made) > 1 {
		return []Made{{Kind: made[1], Owner: owner(kind)}}
	}
	return nil
}

// maxGenerateName is the longest prefix to which Kubernetes appends five random
// characters (apiserver/pkg/storage/names).
const maxGenerateName = 63 - 5

// maxIndex is the length of the longest index of a Job's Pod with its two dashes. It is
// kept when Kubernetes cuts a name, and the name of the Job is cut in its place.
const maxIndex = len("-2147483647-")

// MadePrefixes returns globs that match the names of everything that controllers make
// for workloads with these names, and their generateNames, cut or not. They are wider
// than what is made, and only help to pass over other objects. It returns none if all
// names match.
func MadePrefixes(names []string) []string {
	var out []string
	for _, name := range names {
		prefix, _, _ := strings.Cut(name+"-", "*")
		if prefix == "" {
			return nil
		}
		out = append(out, prefix[:min(len(prefix), maxGenerateName-maxIndex)]+"*")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// PodNames returns globs for the names of Pods that are named themselves: the names, and
// what Kubernetes cuts a long generateName to.
func PodNames(names []string) []string {
	out := slices.Clone(names)
	for _, name := range names {
		if prefix, _, glob := strings.Cut(name, "*"); glob && len(prefix) > maxGenerateName {
			out = append(out, prefix[:maxGenerateName]+"?????")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
