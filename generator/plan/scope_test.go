package plan

import (
	"slices"
	"testing"
)

// scopes are all that can be said of two names, a and b.
func scopes() []Scope {
	all := []Scope{{}}
	for _, names := range [][]string{{"a"}, {"b"}, {"a", "b"}} {
		all = append(all, Scope{Include: names}, Scope{Exclude: names})
	}
	return all
}

// TestScope compares what is said of two scopes with what is in them: c stands for a
// namespace that no scope names, and the empty name for what has no namespace.
func TestScope(t *testing.T) {
	names := []string{"", "a", "b", "c"}
	all := func(holds func(name string) bool) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !holds(n) })
	}
	for _, a := range scopes() {
		if got := all(a.Covers); got != a.All() {
			t.Errorf("%v is all: %v", a, a.All())
		}
		for _, b := range scopes() {
			if got, want := a.Within(b), all(func(n string) bool { return !a.Covers(n) || b.Covers(n) }); got != want {
				t.Errorf("%v within %v: %v", a, b, got)
			}
			both, some := a.Both(b)
			if want := !all(func(n string) bool { return !a.Covers(n) || !b.Covers(n) }); some != want {
				t.Errorf("%v and %v have something in common: %v", a, b, some)
			}
			either := a.Either(b)
			for _, n := range names {
				if some && both.Covers(n) != (a.Covers(n) && b.Covers(n)) {
					t.Errorf("both of %v and %v are %v", a, b, both)
				}
				if either.Covers(n) != (a.Covers(n) || b.Covers(n)) {
					t.Errorf("either of %v and %v is %v", a, b, either)
				}
			}
			if len(both.Include) > 0 && len(both.Exclude) > 0 || len(either.Include) > 0 && len(either.Exclude) > 0 {
				t.Errorf("%v and %v: %v, %v", a, b, both, either)
			}
		}
	}
}
