package cel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// Controls of one family share an object whatever their scopes are: each check asks for the
// namespace itself. With an object for each scope, another scope would move a check from one
// object to another, and for a moment neither would have it (ADR 25).

// scopes returns the distinct scopes of the checks other than all namespaces, in the order
// of the checks.
func (o *object) scopes() []plan.Scope {
	var all []plan.Scope
	for _, c := range o.checks {
		if s := c.policy.Scope; !s.All() && !slices.ContainsFunc(all, func(other plan.Scope) bool { return same(s, other) }) {
			all = append(all, s)
		}
	}
	return all
}

// scope is where some check of the object judges. Selectors then spare all other namespaces.
func (o *object) scope() plan.Scope {
	scope := o.checks[0].policy.Scope
	for _, c := range o.checks[1:] {
		scope = scope.Either(c.policy.Scope)
	}
	return scope
}

func same(a, b plan.Scope) bool {
	return slices.Equal(a.Include, b.Include) && slices.Equal(a.Exclude, b.Exclude)
}

// scoped are variables that are true for a request in each of the scopes.
func (o *object) scoped() []any {
	var all []any
	for i, s := range o.scopes() {
		all = append(all, variable(scopeName(i), requestIn(s)))
	}
	return all
}

func scopeName(i int) string { return fmt.Sprintf("scope_%d", i+1) }

// inScope is the start of an expression that ends it in namespaces in which a policy does not
// judge, or empty.
func (o *object) inScope(p plan.Policy) string {
	i := slices.IndexFunc(o.scopes(), func(s plan.Scope) bool { return same(s, p.Scope) })
	if i < 0 {
		return ""
	}
	return "variables." + scopeName(i) + " && "
}

// someScope is the start of an expression that ends it where no check judges, or empty.
func (o *object) someScope() string {
	if o.scope().All() {
		return ""
	}
	var all []string
	for i := range o.scopes() {
		all = append(all, "variables."+scopeName(i))
	}
	return "(" + strings.Join(all, " || ") + ") && "
}

// requestIn is an expression that is true for a request in a scope. To search a text is one
// step, however long it is; a list takes a step for each of its elements.
func requestIn(s plan.Scope) string {
	names, not := s.Include, ""
	if len(s.Exclude) > 0 {
		names, not = s.Exclude, "!"
	}
	return fmt.Sprintf(`%s%s.contains("," + request.?namespace.orValue("") + ",")`, not, quoted(","+strings.Join(names, ",")+","))
}
