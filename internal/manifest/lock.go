package manifest

import (
	"encoding/json"
	"maps"
	"slices"
)

// Lock says what the output contains, and what each environment audits and enforces
// since when. It distinguishes the files of gatehouse from other files, and edited
// files from unedited ones.
//
// Its text has one fact in each line, as JSON, so that Git merges it line by line. A
// merge may leave several facts about one thing: DecodeLock keeps all of them, and the
// next build writes one.
type Lock struct {
	// Merged is set by DecodeLock if no build wrote the text: it has the marks of a
	// conflict, or several facts about one thing. A build completes the merge.
	Merged bool
	// Environments by name.
	Environments map[string]LockedEnvironment
	// Files sorted by path, without the lock itself. After a merge, a path may have
	// several entries: gatehouse wrote each of them on one branch.
	Files []LockedFile
}

// LockedKyverno says how Kyverno must be configured, and which Helm release installs it.
// Bootstrap, uninstall and the next build use it.
type LockedKyverno struct {
	// Absent is set if nothing that was built needs Kyverno.
	Absent bool `json:"absent,omitempty"`
	// Version is the minor version of Kyverno that the policies are for; empty for 1.19,
	// the only one that an older gatehouse knew.
	Version string `json:"version,omitempty"`
	// Namespace is where Kyverno runs; empty in a lock of an older gatehouse, and where
	// Kyverno is absent.
	Namespace string `json:"namespace,omitempty"`
	// SystemNamespaces are left out of Kyverno's webhooks.
	SystemNamespaces []string `json:"systemNamespaces"`
	// ExceptionNamespace is the only namespace whose exceptions count.
	ExceptionNamespace string `json:"exceptionNamespace"`
	// Release is the HelmRelease that installs Kyverno; nil if the repository does not
	// install it.
	Release *LockedRelease `json:"release,omitempty"`
}

// LockedRelease names a HelmRelease.
type LockedRelease struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// LockedDeployers says who can write what the policies of an environment leave to
// deployers.
type LockedDeployers struct {
	// Anyone is set if no policy that is enforced asks who writes.
	Anyone bool `json:"anyone,omitempty"`
	// Users and Groups are whole names, sorted.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// LockedEnvironment is what one environment was built with.
type LockedEnvironment struct {
	Clusters []string
	// FluxInstall is spec.flux.install for the environment, cli or operator; empty for
	// none. Bootstrap reads it here, because it sees only the output.
	FluxInstall string
	// Kyverno is the configuration of Kyverno that the policies need. It is nil in a
	// lock of an older gatehouse.
	Kyverno *LockedKyverno
	// Deployers says whom everything accepts that the environment enforces. It is nil in
	// a lock of an older gatehouse.
	Deployers *LockedDeployers
	// Stages holds the stage of the environment; more than one only after a merge.
	Stages []string
	// Changes is the last value of spec.changes that was built; empty for none.
	Changes string
	// Controls are the stages of the controls that have their own, by id; more than one
	// of a control only after a merge.
	Controls map[string][]string
	// Policies lists what is on; a tier that is off has no entry.
	Policies []LockedPolicy
	// Namespaces of the environment, sorted by name.
	Namespaces []LockedNamespace
	// Workloads are the Kustomizations of the user that gatehouse does not write, sorted
	// by name. Bootstrap checks what they wait for.
	Workloads []LockedWorkload
	// Networks holds where Pods may reach the API server and DNS; more than one only
	// after a merge.
	Networks []json.RawMessage
	// Kept lists what an environment keeps although the source no longer has it.
	Kept []LockedKept
}

// LockedPolicy is what a policy does with one content in one tier. A policy may have two
// entries for a tier: it enforces one content, and audits the one that will replace it.
type LockedPolicy struct {
	Name string `json:"name"`
	Tier string `json:"tier"`
	// Action is Audit or Enforce.
	Action string `json:"action"`
	// Content is the hash of the content; empty if an older gatehouse wrote the lock.
	Content string `json:"content,omitempty"`
	// Object is the name of the policy with the content; empty if it is Name.
	Object string `json:"object,omitempty"`
	// Since is the day of the first build with this action and content, such as
	// 2026-11-20; empty if it is not known.
	Since string `json:"since,omitempty"`
}

// LockedNamespace is what a namespace was built with.
type LockedNamespace struct {
	Name string `json:"name"`
	Tier string `json:"tier"`
	// Existing is set if gatehouse does not create the namespace. Its labels are not its tier.
	Existing bool `json:"existing,omitempty"`
	// Enforced is how many policies are enforced in the namespace. Only a line of the
	// environment's own file raises it, so a higher number after a merge means that the
	// namespace and the enforcement come from two branches. It is nil if it is not known.
	Enforced *int `json:"enforced,omitempty"`
	// PodSecurity is the level that Pod Security Admission enforces; empty for none.
	PodSecurity string `json:"podSecurity,omitempty"`
	// PodSecurityAudit is the level that it only reports; empty for none.
	PodSecurityAudit string `json:"podSecurityAudit,omitempty"`
	// Closed is set if the network of the namespace is closed by default.
	Closed bool `json:"closed,omitempty"`
	// Network is what passes the network of a closed namespace.
	Network json.RawMessage `json:"network,omitempty"`
	// ResourceQuota and LimitRange are what holds in the namespace.
	ResourceQuota json.RawMessage `json:"resourceQuota,omitempty"`
	LimitRange    json.RawMessage `json:"limitRange,omitempty"`
	// Waits holds what the source has and the environment has not accepted, such as
	// tier:platform, and the day since which the source has it.
	Waits map[string]string `json:"waits,omitempty"`
}

// LockedWorkload is a Kustomization that the repository of the user has.
type LockedWorkload struct {
	Name string `json:"name"`
	// DependsOn names the Kustomizations that it must wait for.
	DependsOn []string `json:"dependsOn"`
}

// LockedKept is something that allows, which the source no longer has and the
// environment has not given up yet.
type LockedKept struct {
	// Kind is exception, network, systemNamespace or tierLabel.
	Kind string `json:"kind"`
	// Name is unique among those of the same kind.
	Name string `json:"name"`
	// Since is the day of the first build without it; empty as long as the source has it.
	Since string `json:"since,omitempty"`
	// Definition is what is needed to write it again.
	Definition json.RawMessage `json:"definition,omitempty"`
}

// Days returns the days that the lock notes, sorted.
func (l Lock) Days() []string {
	var days []string
	for _, e := range l.Environments {
		for _, p := range e.Policies {
			days = append(days, p.Since)
		}
		for _, k := range e.Kept {
			days = append(days, k.Since)
		}
		for _, n := range e.Namespaces {
			days = slices.AppendSeq(days, maps.Values(n.Waits))
		}
	}
	slices.Sort(days)
	return slices.DeleteFunc(slices.Compact(days), func(day string) bool { return day == "" })
}

// LockedFile is one file of the output, or one part of a file.
type LockedFile struct {
	Path string `json:"path"`
	// Part is set for a file of which several teams change different parts, such as the
	// board: it is locked part by part, so that their branches do not conflict.
	Part   string `json:"part,omitempty"`
	SHA256 string `json:"sha256"` // hexadecimal, of the bytes that gatehouse wrote
	Layer  string `json:"layer,omitempty"`
	// Objects are the ids of the objects that Flux applies from the file.
	Objects []string `json:"objects,omitempty"`
}
