package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// exceptions gives every environment the waivers that hold in it, and refuses
// those that waive what is not on, match what the control does not judge, or
// say what another one says already.
func (r *resolver) exceptions() {
	for _, e := range r.in.Exceptions {
		rep := reporter{positions: e.Positions}
		held := false
		for i := range r.plan.Environments {
			env := &r.plan.Environments[i]
			named := slices.Contains(e.Value.Spec.Environments, env.Name)
			if e.Value.Spec.Environments != nil && !named {
				continue
			}
			if x, ok := resolveException(&rep, e, env, named); ok {
				env.Exceptions = append(env.Exceptions, x)
				held = true
			}
		}
		if !held && !rep.problems.HasErrors() {
			rep.report("spec.controls", "exception-control-off", "remove the exception", "none of its controls is on in any environment")
		}
		r.problems = append(r.problems, rep.problems...)
	}
	for _, env := range r.plan.Environments {
		r.overlaps(env)
	}
}

// resolveException finds the rules that an exception waives in one environment.
// Where the author named the environment, every control must be on in it.
func resolveException(rep *reporter, e Loaded[v1alpha1.Exception], env *plan.Environment, named bool) (plan.Exception, bool) {
	spec := e.Value.Spec
	x := plan.Exception{
		Name: e.Value.Metadata.Name, Namespaces: sorted(spec.Match.Namespaces), Kinds: sorted(spec.Match.Kinds), Names: sorted(spec.Match.Names),
		Images: sorted(spec.Images), Reason: spec.Reason, Owner: spec.Owner, Ticket: *spec.Ticket, At: e.Positions.At(""),
	}
	if *spec.Expires != "" {
		end, err := parseExpiry(*spec.Expires)
		if err != nil {
			panic("not validated: " + *spec.Expires)
		}
		x.Expires = end
	}
	for i, id := range spec.Controls {
		field := fmt.Sprintf("spec.controls[%d]", i)
		found := false
		for _, p := range env.Policies {
			if p.Name != id && p.Control != id {
				continue
			}
			found = true
			if waived, ok := waive(rep, field, p, x); ok {
				x.Policies = append(x.Policies, waived)
			}
		}
		if !found && named {
			rep.report(field, "exception-control-off", "remove it from the exception", "%s is not on in environment %s", id, env.Name)
		}
	}
	return x, len(x.Policies) > 0
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// waive lists the rules of a policy that judge the exception's kinds or what
// their controllers make.
func waive(rep *reporter, field string, p plan.Policy, x plan.Exception) (plan.ExceptionPolicy, bool) {
	judged := map[string]bool{}
	for _, rule := range p.Rules {
		for _, k := range rule.Kinds {
			kind, _, _ := strings.Cut(k, "/")
			judged[kind] = true
		}
	}
	kinds := map[string]bool{}
	for _, k := range x.Kinds {
		if !judged[k] {
			rep.report(field, "exception-kind", diag.OneOf(k, sortedKeys(judged)), "%s does not judge objects of kind %s", p.Name, k)
			return plan.ExceptionPolicy{}, false
		}
		for _, made := range plan.Makes(k) {
			kinds[made] = true
		}
	}
	if len(x.Namespaces) == 0 && !p.ClusterScoped && !onlyClusterKinds(x.Kinds) {
		rep.report("spec.match.namespaces", "exception-wide", "name each namespace", "without namespaces it would hold in all of them")
		return plan.ExceptionPolicy{}, false
	}
	out := plan.ExceptionPolicy{Name: p.Name}
	for _, rule := range p.Rules {
		if slices.ContainsFunc(rule.Kinds, func(k string) bool { kind, _, _ := strings.Cut(k, "/"); return kinds[kind] }) {
			out.Rules = append(out.Rules, rule.Name)
		}
	}
	return out, true
}

// clusterKinds are the cluster-scoped kinds that built-in controls judge beside namespaced ones.
var clusterKinds = []string{"ClusterRole", "ClusterRoleBinding", "Namespace", "ClusterPolicy"}

func onlyClusterKinds(kinds []string) bool {
	return !slices.ContainsFunc(kinds, func(k string) bool { return !slices.Contains(clusterKinds, k) })
}

// overlaps refuses an exception that says nothing beyond another one: one of
// them would outlive the decision that ended the other.
func (r *resolver) overlaps(env plan.Environment) {
	for i, a := range env.Exceptions {
		for j, b := range env.Exceptions {
			if i == j || !covers(a, b) || covers(b, a) && i > j {
				continue
			}
			r.problems.Add(diag.Diagnostic{Code: "exception-overlap", Position: b.At, Path: "spec",
				Summary: fmt.Sprintf("everything in it is also in exception %s (%s), in environment %s", a.Name, a.At, env.Name), Hint: "keep one of them"})
		}
	}
}

// covers tells whether a exempts everything that b exempts.
func covers(a, b plan.Exception) bool {
	for _, p := range b.Policies {
		if !slices.ContainsFunc(a.Policies, func(q plan.ExceptionPolicy) bool { return q.Name == p.Name && subset(p.Rules, q.Rules) }) {
			return false
		}
	}
	globbed := func(name string) bool {
		return slices.ContainsFunc(a.Names, func(glob string) bool { return glob == name || matchGlob(glob, name) })
	}
	images := len(a.Images) == 0 || len(b.Images) > 0 && subset(b.Images, a.Images)
	return images && subset(b.Namespaces, a.Namespaces) && subset(b.Kinds, a.Kinds) && !slices.ContainsFunc(b.Names, func(n string) bool { return !globbed(n) })
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// matchGlob is for names without slashes in which only * is special; a * in
// the name stands for itself, so a glob covers a narrower glob.
func matchGlob(glob, name string) bool {
	ok, err := path.Match(glob, name)
	return err == nil && ok
}
