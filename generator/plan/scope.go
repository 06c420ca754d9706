package plan

import (
	"slices"
	"strings"
)

// Scope says in which namespaces a policy judges, beside the tiers in which it has an
// action. The zero value is all of them. At most one of the lists is set; they are sorted.
type Scope struct {
	// Include lists the only namespaces. What has no namespace is then not judged.
	Include []string `json:"include,omitempty"`
	// Exclude lists the namespaces that are left out.
	Exclude []string `json:"exclude,omitempty"`
}

// All reports whether the scope is all namespaces, and what has none.
func (s Scope) All() bool { return len(s.Include)+len(s.Exclude) == 0 }

// Covers reports whether a namespace is in the scope; an empty name stands for what has no
// namespace. Names of unknown namespaces are in every scope that lists what it leaves out.
func (s Scope) Covers(namespace string) bool {
	_, included := slices.BinarySearch(s.Include, namespace)
	_, excluded := slices.BinarySearch(s.Exclude, namespace)
	return (len(s.Include) == 0 || included) && !excluded
}

// Within reports whether every namespace of the scope, also one that no scope names,
// is in another one.
func (s Scope) Within(other Scope) bool {
	switch {
	case len(s.Include) > 0:
		return !slices.ContainsFunc(s.Include, func(name string) bool { return !other.Covers(name) })
	case len(other.Include) > 0:
		return false
	}
	return !slices.ContainsFunc(other.Exclude, s.Covers)
}

// Both returns what is in both scopes. It reports false if nothing is.
func (s Scope) Both(other Scope) (Scope, bool) {
	uncovered := func(by Scope) func(string) bool { return func(name string) bool { return !by.Covers(name) } }
	switch {
	case len(s.Include) > 0:
		both := slices.DeleteFunc(slices.Clone(s.Include), uncovered(other))
		return Scope{Include: both}, len(both) > 0
	case len(other.Include) > 0:
		return other.Both(s)
	}
	return Scope{Exclude: merged(s.Exclude, other.Exclude)}, true
}

// Either returns what is in one of the scopes or in both.
func (s Scope) Either(other Scope) Scope {
	switch {
	case s.All() || other.All():
		return Scope{}
	case len(s.Include) > 0 && len(other.Include) > 0:
		return Scope{Include: merged(s.Include, other.Include)}
	case len(s.Include) > 0:
		return other.Either(s)
	}
	return Scope{Exclude: slices.DeleteFunc(slices.Clone(s.Exclude), other.Covers)}
}

// String says where the scope is, such as "only in shop"; it is empty for all namespaces.
func (s Scope) String() string {
	switch {
	case len(s.Include) > 0:
		return "only in " + strings.Join(s.Include, ", ")
	case len(s.Exclude) > 0:
		return "not in " + strings.Join(s.Exclude, ", ")
	}
	return ""
}

// Of returns the names that are in the scope.
func (s Scope) Of(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !s.Covers(name) })
}

// Example returns a namespace of the scope: the given one, or if it is not in the scope the
// first of those that are listed. There is one unless the given one is left out.
func (s Scope) Example(namespace string) string {
	if len(s.Include) > 0 && !s.Covers(namespace) {
		return s.Include[0]
	}
	return namespace
}

// merged returns the names of two sorted lists, sorted; nil for none.
func merged(a, b []string) []string {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
