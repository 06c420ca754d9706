package resolve

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// blocking reports exceptions that narrow the same rules for the same objects: each leaves
// to be judged what the other waives. For an image rule, that refuses every image of both.
// For others it refuses only a Pod that needs both, which is a warning.
func (r *resolver) blocking(env plan.Environment) {
	for i, a := range env.Exceptions {
		for _, b := range env.Exceptions[i+1:] {
			if !sameObjects(a, b) || narrowsAlike(a, b) {
				continue
			}
			for _, waived := range a.Policies {
				p, _ := env.Policy(waived.Name)
				verifies := p.Image != nil
				if narrowed(a, waived.Name, verifies) && narrowed(b, waived.Name, verifies) {
					r.Problems.Add(blocks(env, a, b, waived.Name, verifies))
				}
			}
		}
	}
}

// sameObjects reports whether two exceptions may match the same object.
func sameObjects(a, b plan.Exception) bool {
	sameName := slices.ContainsFunc(a.Names, func(x string) bool {
		return slices.ContainsFunc(b.Names, func(y string) bool { return x == y || matchGlob(x, y) || matchGlob(y, x) })
	})
	return sameName && common(a.Kinds, b.Kinds) && (common(a.Namespaces, b.Namespaces) || len(a.Namespaces) == 0 && len(b.Namespaces) == 0)
}

// narrowsAlike reports whether two exceptions name the same part of a Pod.
func narrowsAlike(a, b plan.Exception) bool {
	return slices.Equal(a.Images, b.Images) && slices.Equal(a.Containers, b.Containers)
}

// narrowed reports whether an exception waives a policy for a part of a Pod only.
func narrowed(x plan.Exception, policy string, verifies bool) bool {
	return slices.ContainsFunc(x.Policies, func(w plan.ExceptionPolicy) bool {
		return w.Name == policy && (len(w.Rest) > 0 || verifies && len(x.Images) > 0)
	})
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func blocks(env plan.Environment, a, b plan.Exception, policy string, verifies bool) diag.Diagnostic {
	out := diag.Diagnostic{Severity: diag.Warning, Code: "exception-blocks", Position: b.At, Path: "spec",
		Summary: fmt.Sprintf("for what exception %s (%s) matches too, each leaves to %s what the other waives, so a Pod that needs both is refused in environment %s", a.Name, a.At, policy, env.Name),
		Hint:    "name all of it in one exception, or match different objects"}
	if verifies {
		out.Severity = diag.Error
		out.Summary = fmt.Sprintf("for what exception %s (%s) matches too, each has %s verify the images that the other waives in environment %s", a.Name, a.At, policy, env.Name)
	}
	return out
}
