package resolve

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/generator/staging"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// exceptions gives every environment its exceptions. It refuses an exception that
// matches what the control does not judge, or that another exception covers, and warns
// of one that waives what is not on: an environment may always go down.
func (r *resolver) exceptions() {
	given := make([][]profile.Exception, len(r.plan.Environments))
	for _, e := range r.src.Exceptions {
		rep := source.Reporter{Positions: e.Positions}
		var held []*plan.Environment
		for i := range r.plan.Environments {
			env := &r.plan.Environments[i]
			named := slices.Contains(e.Environments, env.Name)
			if e.Environments != nil && !named {
				continue
			}
			if x, ok := r.exception(&rep, e, env, named); ok {
				env.Exceptions = append(env.Exceptions, x)
				given[i] = append(given[i], e)
				held = append(held, env)
			}
		}
		if len(held) == 0 && !rep.Problems.HasErrors() {
			rep.Warn("spec.controls", "exception-control-off", "remove the exception", "none of the controls of this exception is on in any environment")
		}
		r.unneeded(&rep, e, held)
		r.Problems = append(r.Problems, rep.Problems...)
	}
	for i, env := range r.plan.Environments {
		r.overlaps(env)
		r.blocking(env)
		r.keepExceptions(&r.plan.Environments[i], r.staged[i], given[i])
	}
}

// keepExceptions keeps the exceptions of the last build that the source no longer has,
// where they exempt from what is enforced and nothing else covers them.
func (r *resolver) keepExceptions(env *plan.Environment, staged *staging.Environment, given []profile.Exception) {
	for _, e := range staged.Exceptions(given) {
		x, on := r.exception(&source.Reporter{}, e, env, false)
		enforced := slices.ContainsFunc(x.Policies, func(waived plan.ExceptionPolicy) bool {
			p, _ := env.Policy(waived.Name)
			return r.enforcesOn(*env, p, x)
		})
		if !on || !enforced || slices.ContainsFunc(env.Exceptions, func(other plan.Exception) bool { return covers(other, x) && !ends(other, x) }) {
			continue
		}
		staged.Keep(e)
		for slices.ContainsFunc(env.Exceptions, func(other plan.Exception) bool { return other.Name == x.Name }) {
			x.Name += "-kept"
		}
		env.Exceptions = append(env.Exceptions, x)
	}
	slices.SortFunc(env.Exceptions, func(a, b plan.Exception) int { return strings.Compare(a.Name, b.Name) })
}

// enforcesOn reports whether a policy is enforced on something that an exception matches.
func (r *resolver) enforcesOn(env plan.Environment, p plan.Policy, x plan.Exception) bool {
	if len(x.ClusterKinds) > 0 || p.Control != nil && p.Control.ClusterScoped {
		return p.Strictest() == plan.Enforce
	}
	return slices.ContainsFunc(x.Namespaces, func(n string) bool {
		return p.Scope.Covers(n) && p.Actions[r.plan.TierOf(env, n)] == plan.Enforce
	})
}

// ends reports whether an exception ends before another one.
func ends(a, b plan.Exception) bool {
	return !a.Expires.IsZero() && (b.Expires.IsZero() || a.Expires.Before(b.Expires))
}

// exception finds the rules that an exception waives in one environment. If the
// exception names the environment, every control should be on in it.
func (r *resolver) exception(rep *source.Reporter, e profile.Exception, env *plan.Environment, named bool) (plan.Exception, bool) {
	x := plan.Exception{
		Name: e.Name, Namespaces: sorted(e.Match.Namespaces), Kinds: sorted(e.Match.Kinds), Names: sorted(e.Match.Names),
		Containers: sorted(e.Containers), Images: sorted(e.Images), Reason: e.Reason, Owner: e.Owner, Ticket: *e.Ticket, Expires: e.End, At: e.At(""),
	}
	for i, id := range e.Controls {
		field := fmt.Sprintf("spec.controls[%d]", i)
		found := false
		for _, p := range env.Policies {
			if p.Base != id && p.Control.ID != id {
				continue
			}
			found = true
			about := rep
			if p.Held { // what an exception may say depends on the source alone
				about = &source.Reporter{}
			}
			if waived, ok := r.waive(about, field, p, &x); ok {
				x.Policies = append(x.Policies, waived)
			}
		}
		if !found && named {
			rep.Warn(field, "exception-control-off", "remove it from the exception", "%s is not on in environment %s", id, env.Name)
		}
	}
	return x, len(x.Policies) > 0
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// waive returns the rules of a policy that judge the kinds of an exception, or what
// the controllers of these kinds make.
func (r *resolver) waive(rep *source.Reporter, field string, p plan.Policy, x *plan.Exception) (plan.ExceptionPolicy, bool) {
	judged := map[string]bool{}
	for _, rule := range p.Rules {
		for _, k := range rule.Kinds {
			kind, _, _ := strings.Cut(k, "/")
			judged[kind] = true
		}
	}
	waived := map[string]bool{}
	for _, k := range x.Kinds {
		if !judged[k] {
			rep.Report(field, "exception-kind", diag.OneOf(k, slices.Sorted(maps.Keys(judged))), "%s does not judge objects of kind %s", p.Name, k)
			return plan.ExceptionPolicy{}, false
		}
		for _, made := range plan.Makes(k) {
			waived[made] = true
		}
	}
	if !r.exceptionScope(rep, p, x) {
		return plan.ExceptionPolicy{}, false
	}
	out := plan.ExceptionPolicy{Name: p.Name}
	for _, rule := range p.Rules {
		if slices.ContainsFunc(rule.Kinds, func(k string) bool { kind, _, _ := strings.Cut(k, "/"); return waived[kind] }) {
			out.Rules = append(out.Rules, rule.Name)
		}
	}
	return out, r.narrow(rep, field, p, x, &out)
}

// exceptionScope notes the cluster-scoped kinds of an exception, and reports whether
// its namespaces fit: all other kinds need namespaces, and without other kinds
// namespaces are a mistake.
func (r *resolver) exceptionScope(rep *source.Reporter, p plan.Policy, x *plan.Exception) bool {
	const field = "spec.match.namespaces"
	var others, unknown []string
	for _, kind := range x.Kinds {
		switch p.Control.ScopeOf(p.Matches, kind) {
		case kinds.Cluster:
			if !slices.Contains(x.ClusterKinds, kind) { // of another control
				x.ClusterKinds = append(x.ClusterKinds, kind)
			}
			continue
		case kinds.Unknown:
			unknown = append(unknown, kind)
		}
		others = append(others, kind)
	}
	unsure := strings.Join(unknown, ", ")
	switch {
	case len(x.Namespaces) > 0 && len(others) == 0:
		rep.Report(field, "exception-scope", "remove the namespaces", "%s objects have no namespace: the exception would match nothing", strings.Join(x.Kinds, " and "))
		return false
	case len(x.Namespaces) > 0 && len(unknown) > 0:
		rep.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "exception-scope", Position: rep.Positions.At(field), Path: field,
			Summary: fmt.Sprintf("gatehouse does not know whether %s objects have a namespace; if not, the exception matches nothing", unsure),
			Hint:    "declare the scope in spec.customKinds of control " + p.Control.ID})
	case len(x.Namespaces) == 0 && len(unknown) > 0:
		rep.Report(field, "exception-wide", fmt.Sprintf("name each namespace, or declare %s as Cluster in spec.customKinds of control %s", unsure, p.Control.ID), "without namespaces, the exception would hold in all of them")
		return false
	case len(x.Namespaces) == 0 && len(others) > 0:
		rep.Report(field, "exception-wide", "name each namespace", "without namespaces, the exception would hold in all of them")
		return false
	}
	return true
}

// overlaps refuses an exception that another one covers: when one of them ends, the
// other would still hold.
func (r *resolver) overlaps(env plan.Environment) {
	for i, a := range env.Exceptions {
		for j, b := range env.Exceptions {
			if i == j || !covers(a, b) || covers(b, a) && i > j {
				continue
			}
			r.Problems.Add(diag.Diagnostic{Code: "exception-overlap", Position: b.At, Path: "spec",
				Summary: fmt.Sprintf("exception %s (%s) already covers all of it in environment %s", a.Name, a.At, env.Name), Hint: "keep one of them"})
		}
	}
}

// covers reports whether a exempts everything that b exempts.
func covers(a, b plan.Exception) bool {
	for _, p := range b.Policies {
		if !slices.ContainsFunc(a.Policies, func(q plan.ExceptionPolicy) bool { return q.Name == p.Name && subset(p.Rules, q.Rules) }) {
			return false
		}
	}
	globbed := func(name string) bool {
		return slices.ContainsFunc(a.Names, func(glob string) bool { return glob == name || matchGlob(glob, name) })
	}
	narrower := func(a, b []string) bool { return len(a) == 0 || len(b) > 0 && subset(b, a) }
	return narrower(a.Images, b.Images) && narrower(a.Containers, b.Containers) && subset(b.Namespaces, a.Namespaces) && subset(b.Kinds, a.Kinds) && !slices.ContainsFunc(b.Names, func(n string) bool { return !globbed(n) })
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// matchGlob reports whether a glob matches a name. Names have no slashes, and only *
// is special. A * in the name stands for itself, so a glob covers a narrower glob.
func matchGlob(glob, name string) bool {
	ok, err := path.Match(glob, name)
	return err == nil && ok
}
