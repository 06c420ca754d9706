// Package layout defines the layout of the output: which folders Flux applies, what they
// are called, and how to parse their names. Every path of the output that more than one
// package uses is defined here.
//
//	clusters/<cluster>/gatehouse/            Kustomizations of a cluster
//	environments/<environment>/<kind>[-NN]/  layers: what the Kustomizations apply
//	contents/                                what policies check, by hash; never applied
//	tests/<environment>/                     tests for the kyverno CLI, if the profile asks for them; never applied
//	README.md, CODEOWNERS                    for people and the forge
//	.sourceignore, .gitattributes            for Flux's source and Git
package layout

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Kind is the kind of a layer, which is also the name of its folder. The table in
// generator/flux says how each kind is applied.
type Kind string

// The kinds of layers.
const (
	Namespaces  Kind = "namespaces"
	Network     Kind = "network"
	Limits      Kind = "limits"
	Kyverno     Kind = "kyverno"
	KyvernoRBAC Kind = "kyverno-rbac"
	Trust       Kind = "trust"
	Exceptions  Kind = "exceptions"
	Policies    Kind = "policies"
)

const (
	// Clusters is the folder with a folder for each cluster.
	Clusters = "clusters"
	// Environments is the folder with the layers of each environment.
	Environments = "environments"
	// Tests is the folder of tests for the kyverno CLI.
	Tests = "tests"
	// Contents keeps what policies check, by hash, for the builds to come.
	Contents = "contents"
	// Index is the file that lists what Flux applies from a folder.
	Index = "kustomization.yaml"
	// Board is the file that shows people the state of the rollout.
	Board = "README.md"
	// CodeOwners is read by the forge.
	CodeOwners = "CODEOWNERS"
	// SourceIgnore lists what Flux's source leaves out.
	SourceIgnore = ".sourceignore"
	// GitAttributes says how Git stores, shows and merges the output.
	GitAttributes = ".gitattributes"
	// Lock is the path of the lock; see manifest.Lock.
	Lock = "gatehouse.lock"
	// Journal lists the hashes of the files that a build is about to write. It exists
	// only during a build.
	Journal = Lock + ".next"
	// Staging holds new files until all of them are complete.
	Staging = ".gatehouse.tmp"
	// Root is the name of the Kustomization that applies all others of a cluster.
	Root = "gatehouse"
)

// Folder is a folder of the output that one Kustomization applies: the folder of
// a cluster, or a layer of an environment. The zero value stands for everything
// that Flux does not apply.
type Folder struct {
	// Cluster is set for the folder of a cluster only; the other fields are empty then.
	Cluster string
	// Environment and Kind are set for a layer.
	Environment string
	Kind        Kind
	// Shard is 0 for the first shard of a layer, whose name has no number, then 2, 3, …
	Shard int
}

// Of returns the folder of a cluster.
func Of(cluster string) Folder { return Folder{Cluster: cluster} }

// Applied reports whether Flux applies the folder.
func (f Folder) Applied() bool { return f != Folder{} }

// IsLayer reports whether the folder is a layer of an environment.
func (f Folder) IsLayer() bool { return f.Environment != "" }

// String returns the path of the folder in the output; empty for the zero value.
func (f Folder) String() string {
	switch {
	case f.Cluster != "":
		return path.Join(Clusters, f.Cluster, Root)
	case f.Environment != "":
		return path.Join(Environments, f.Environment, f.base())
	}
	return ""
}

// base returns <kind>[-<shard>].
func (f Folder) base() string {
	if f.Shard == 0 {
		return string(f.Kind)
	}
	return fmt.Sprintf("%s-%02d", f.Kind, f.Shard)
}

// Kustomization returns the name of the Kustomization that applies the folder.
func (f Folder) Kustomization() string {
	if f.Cluster != "" {
		return Root
	}
	return Root + "-" + f.base()
}

// File returns the path of the file for an object of this name, or for the objects of a
// namespace of this name: NAME.yaml, except for the name of kustomize's index. No name in
// Kubernetes has an underscore.
func (f Folder) File(name string) string {
	if name+".yaml" == Index {
		name += "_"
	}
	return f.String() + "/" + name + ".yaml"
}

// Index returns the path of the folder's index.
func (f Folder) Index() string { return path.Join(f.String(), Index) }

// Parse parses a path that String returned, even with a kind that this gatehouse does not
// know. It reports false for any other path.
func Parse(folder string) (Folder, bool) {
	parts := strings.Split(folder, "/")
	if len(parts) != 3 || parts[1] == "" {
		return Folder{}, false
	}
	var f Folder
	switch {
	case parts[0] == Clusters && parts[2] == Root:
		f = Of(parts[1])
	case parts[0] == Environments && parts[2] != "":
		f = parseBase(parts[2])
		f.Environment = parts[1]
	}
	return f, f.String() == folder
}

// CutSource splits a path in a Flux source into the path of the output in that source
// ("." for its root) and the folder. It reports false if it is not the path of a folder.
func CutSource(p string) (output string, f Folder, ok bool) {
	parts := strings.Split(path.Clean(p), "/")
	if len(parts) < 3 {
		return "", Folder{}, false
	}
	last := len(parts) - 3
	f, ok = Parse(strings.Join(parts[last:], "/"))
	return path.Join(append([]string{"."}, parts[:last]...)...), f, ok
}

// ParseKustomization parses the kind and the shard of a layer from the name of its
// Kustomization. It reports false for any other name. The environment is empty, because
// it depends on the cluster.
func ParseKustomization(name string) (Folder, bool) {
	base, ok := strings.CutPrefix(name, Root+"-")
	if !ok || base == "" {
		return Folder{}, false
	}
	f := parseBase(base)
	return f, f.base() == base
}

// parseBase parses <kind>[-<shard>].
func parseBase(base string) Folder {
	if i := strings.LastIndexByte(base, '-'); i > 0 {
		if shard, err := strconv.Atoi(base[i+1:]); err == nil && shard > 1 {
			return Folder{Kind: Kind(base[:i]), Shard: shard}
		}
	}
	return Folder{Kind: Kind(base)}
}
