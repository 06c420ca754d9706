package resolve

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// refusedByLevel warns of values that the profile lets a control admit beyond a level of
// the Pod Security Standards, in namespaces for which the profile sets this level: there
// Pod Security Admission refuses them.
func (s situation) refusedByLevel() {
	for _, p := range s.asked {
		for _, name := range slices.Sorted(maps.Keys(s.written(p.Control.ID))) {
			parameter := p.Control.Parameters.Properties[name]
			written, _ := s.written(p.Control.ID)[name].([]any)
			defaults, _ := parameter.Default.([]any)
			for i, value := range written {
				if p.Control.PodSecurity == "" || parameter.Loosens != "more" || slices.Contains(defaults, value) {
					continue
				}
				at := fmt.Sprintf("%s.parameters.%s[%d]", field(p.Control.ID), name, i)
				for _, n := range s.levelled(p) {
					s.report(diag.Warning, p.Name+" "+at, n.Field+".podSecurity", "set a lower level, or leave it out for the level that the controls amount to",
						"Pod Security Admission refuses %v in namespace %s, which %s (%s) admits", value, n.Name, p.Name, s.At(at))
				}
			}
		}
	}
}

// levelled returns the namespaces for which the profile sets the level of a control, or
// a higher one, where the control is on.
func (s situation) levelled(p plan.Policy) []profile.Namespace {
	return slices.DeleteFunc(s.here(), func(n profile.Namespace) bool {
		return n.Existing || n.PodSecurity != p.Control.PodSecurity && n.PodSecurity != "restricted" || p.ActionFor(n.Name, n.Tier) == plan.Off
	})
}

// releasedByScope warns of namespaces that the scope of a control leaves out, and for which
// the profile sets a level that the control is part of: there Pod Security Admission refuses
// what the control no longer judges.
func (s situation) releasedByScope() {
	for _, c := range s.controls[s.Spec] {
		scope, _ := s.scope(c, s.env)
		level := c.policy.Control.PodSecurity
		if level == "" || scope.All() {
			continue
		}
		var refused []string
		for _, n := range s.here() {
			if !n.Existing && (n.PodSecurity == level || n.PodSecurity == "restricted") && !scope.Covers(n.Name) && c.scope.In(n.Tier) {
				refused = append(refused, n.Name)
			}
		}
		if id := c.policy.Control.ID; len(refused) > 0 {
			s.report(diag.Warning, id, c.field+".namespaces", "give these namespaces a lower podSecurity, or none for the level that the controls amount to",
				"Pod Security Admission refuses in %s what %s does not judge there: the profile sets the level of the namespace", and(refused), id)
		}
	}
}
