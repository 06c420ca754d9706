package kinds

import (
	"slices"
	"strings"
)

// Scope says whether the objects of a kind are in a namespace.
type Scope int

const (
	// Unknown is the scope of a kind that is not in the table.
	Unknown Scope = iota
	// Namespaced objects are in a namespace.
	Namespaced
	// Cluster is the scope of objects without a namespace.
	Cluster
)

// InForce is the way in which the policies of a kind report that they are in force.
type InForce int

const (
	// NotPolicy is for the kinds that are not policies.
	NotPolicy InForce = iota
	// ReadyCondition is for kinds that set the condition Ready to True.
	ReadyCondition
	// ReadyStatus is for kinds that set status.conditionStatus.ready to true: those
	// with CEL.
	ReadyStatus
	// ObservedGeneration is for kinds that set status.observedGeneration to the generation
	// that was looked at, and list what is wrong in status.typeChecking: those of the API
	// server.
	ObservedGeneration
)

// Kind is a kind of objects.
type Kind struct {
	// Group is empty for the core group.
	Group string
	Kind  string
	// Plural is the name of the resource in paths and permissions.
	Plural string
	Scope  Scope
	// Versions that are served, the preferred one first; at least one.
	Versions []string
	// Makes lists the kinds that the controller of a workload creates for it. Only
	// workloads have any; Pod is always one of them.
	Makes []string
	// Account is the service account in kube-system with which the controller of a
	// workload writes. Only workloads have one.
	Account string
	// InForce is NotPolicy for kinds that are not policies.
	InForce InForce
	// KyvernoReads says that the roles of the Kyverno chart allow its
	// controllers to read the kind.
	KyvernoReads bool
	// Legacy is set for the kinds that Kyverno 1.19 is the last version to execute. Kyverno
	// 1.20 stores them, refuses to create or update one, and does nothing with it.
	Legacy bool
}

// OfKyverno reports whether only Kyverno does something with objects of the kind.
func (k Kind) OfKyverno() bool {
	return k.Group == "kyverno.io" || strings.HasSuffix(k.Group, ".kyverno.io")
}

// APIVersion returns the preferred API version as written in objects, such as apps/v1.
func (k Kind) APIVersion() string {
	if k.Group == "" {
		return k.Versions[0]
	}
	return k.Group + "/" + k.Versions[0]
}

// Group returns the group of an apiVersion; empty for the core group.
func Group(apiVersion string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return group
}

// All returns the table: the kinds of Kubernetes, of Kyverno, of Flux, and those of others
// that policies guard.
func All() []Kind { return slices.Clone(table) }

// Find returns the kind of a group. All versions share one entry.
func Find(group, kind string) (Kind, bool) {
	i := slices.IndexFunc(table, func(k Kind) bool { return k.Kind == kind && k.Group == group })
	if i < 0 {
		return Kind{}, false
	}
	return table[i], true
}

// Policy returns the kind of policies with a name, and reports whether there is one: no two
// of them share a name.
func Policy(kind string) (Kind, bool) {
	i := slices.IndexFunc(table, func(k Kind) bool { return k.Kind == kind && k.InForce != NotPolicy })
	if i < 0 {
		return Kind{}, false
	}
	return table[i], true
}

// ParseID returns the kind and the name in the id of an object, group/kind/namespace/name,
// and reports whether the table has the kind.
func ParseID(id string) (kind Kind, name string, known bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 4 {
		return Kind{}, "", false
	}
	kind, known = Find(parts[0], parts[1])
	return kind, parts[3], known
}

// Legacy returns the kinds that Kyverno 1.20 no longer executes.
func Legacy() []Kind {
	return slices.DeleteFunc(All(), func(k Kind) bool { return !k.Legacy })
}

// Policies returns the kinds of policies, in an order that never changes.
func Policies() []Kind {
	return slices.DeleteFunc(All(), func(k Kind) bool { return k.InForce == NotPolicy })
}

// Controllers returns the names of the kinds that create Pods, directly or through other
// kinds, sorted.
func Controllers() []string {
	var names []string
	for _, k := range table {
		if len(k.Makes) > 0 {
			names = append(names, k.Kind)
		}
	}
	slices.Sort(names)
	return names
}
