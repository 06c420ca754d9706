package kinds

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Ref names kinds as policies do. All parts except Subresource may have wildcards.
type Ref struct {
	// Group and Version are "*" if a policy leaves them out.
	Group, Version, Kind string
	// Subresource such as exec; empty for the objects themselves.
	Subresource string
}

// Named returns the reference to the kinds with a name, in any group.
func Named(kind string) Ref { return Ref{Group: "*", Version: "*", Kind: kind} }

var versionPart = regexp.MustCompile(`^(v\d((alpha|beta)\d)?|\*)$`)

// Parse reads the notation of Kyverno, [group/][version/]Kind[/subresource], where the
// subresource may follow a dot, as in Kyverno 1.19. A version without a group means that
// version of any group: v1/Pod is not limited to the core group. Parse returns the zero
// Ref for any other text.
func Parse(text string) Ref {
	parts := strings.Split(text, "/")
	last := len(parts) - 1
	parts = append(parts[:last:last], strings.Split(parts[last], ".")...)
	versioned := len(parts) > 1 && versionPart.MatchString(parts[0])
	switch {
	case len(parts) == 1:
		return Named(parts[0])
	case len(parts) == 2 && parts[0] == "*" && strings.ToLower(parts[1]) == parts[1]: // */* and */subresource
		return Ref{"*", "*", "*", parts[1]}
	case len(parts) == 2 && versioned:
		return Ref{"*", parts[0], parts[1], ""}
	case len(parts) == 2:
		return Ref{"*", "*", parts[0], parts[1]}
	case len(parts) == 3 && versioned:
		return Ref{"*", parts[0], parts[1], parts[2]}
	case len(parts) == 3:
		return Ref{parts[0], parts[1], parts[2], ""}
	case len(parts) == 4:
		return Ref{parts[0], parts[1], parts[2], parts[3]}
	}
	return Ref{}
}

// Name returns the kind, followed by a slash and the subresource if there is one.
func (r Ref) Name() string {
	if r.Subresource == "" {
		return r.Kind
	}
	return r.Kind + "/" + r.Subresource
}

// Matches reports whether the reference names a kind. It does not look at
// versions, which the API server converts into each other.
func (r Ref) Matches(group, kind string) bool {
	return matches(r.Group, group) && matches(r.Kind, kind)
}

// Kinds returns the kinds of the table that the reference names.
func (r Ref) Kinds() []Kind {
	var found []Kind
	for _, k := range table {
		if r.Matches(k.Group, k.Kind) {
			found = append(found, k)
		}
	}
	return found
}

// Scope returns the scope of the kinds that the reference names. It is Unknown if the
// table has no such kind, or kinds of both scopes.
func (r Ref) Scope() Scope {
	found := r.Kinds()
	if len(found) == 0 || slices.ContainsFunc(found, func(k Kind) bool { return k.Scope != found[0].Scope }) {
		return Unknown
	}
	return found[0].Scope
}

func matches(glob, s string) bool {
	if !strings.ContainsAny(glob, "*?") {
		return glob == s
	}
	ok, err := path.Match(glob, s)
	return err == nil && ok
}
