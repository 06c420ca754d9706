package impact

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// bump is a step with the state that the engine needs for it.
type bump struct {
	step      Step
	now, next *side // next is nil at the last stage
	// labels of the namespaces of the bundle, by their names.
	labels map[string]map[string]string
	ends   map[string]time.Time // of exceptions, by name; zero for those without end
	// deployersExempt holds the policies that exempt the accounts that deploy the repository.
	deployersExempt map[string]bool
	summary         Environment
}

// side is an environment at one stage.
type side struct {
	env    plan.Environment
	params engine.LoadParams
	// policies that are evaluated.
	policies []string
	// words that the rules of each policy use, by its name.
	words map[string]map[string]bool
}

func newBump(now, next *generator.Bundle, step Step) (*bump, error) {
	b := &bump{step: step, labels: map[string]map[string]string{}, ends: map[string]time.Time{}, deployersExempt: map[string]bool{}}
	var err error
	if b.now, err = newSide(now, step.Environment); err != nil {
		return nil, err
	}
	above := b.now
	if step.Next != "" {
		if b.next, err = newSide(next, step.Environment); err != nil {
			return nil, err
		}
		above = b.next
	}
	for _, n := range above.env.Namespaces {
		b.labels[n.Name] = n.Labels
	}
	for _, x := range above.env.Exceptions {
		b.ends[x.Name] = x.Expires
	}
	b.summary = Environment{Name: step.Environment, Stage: step.Stage, Next: step.Next, Judged: above.policies, NotEvaluated: []NotEvaluated{}}
	if reason := closes(b.now.env, above.env); reason != "" {
		b.summary.NotEvaluated = append(b.summary.NotEvaluated, NotEvaluated{Control: catalog.DefaultDeny, Reason: reason})
	}
	if reason := limits(b.now.env, above.env); reason != "" {
		b.summary.NotEvaluated = append(b.summary.NotEvaluated, NotEvaluated{Control: limitsOf, Reason: reason})
	}
	for _, p := range above.env.Judges() {
		if reason := notAsked(p); reason != "" {
			b.summary.NotEvaluated = append(b.summary.NotEvaluated, NotEvaluated{Control: p.Name, Reason: reason})
		}
		b.deployersExempt[p.Name] = p.Control.ExemptDeployers
	}
	return b, nil
}

// namespaced reports whether some policy takes the kind of a workload for one with namespaces.
func (b *bump) namespaced(w workload.Workload) bool {
	ofKind := func(ref kinds.Ref) bool { return ref.Matches(kinds.Group(w.APIVersion), w.Kind) }
	policies := b.now.env.Judges()
	if b.next != nil {
		policies = b.next.env.Judges()
	}
	return slices.ContainsFunc(policies, func(p plan.Policy) bool {
		return !p.Control.ClusterScoped && slices.ContainsFunc(p.Matches, ofKind)
	})
}

func newSide(b *generator.Bundle, environment string) (*side, error) {
	env, ok := b.Plan.Environment(environment)
	if !ok {
		return nil, fmt.Errorf("it is not in the bundle")
	}
	s := &side{env: env, policies: Asked(env), words: wordsOf(env.Judges())}
	var err error
	s.params, err = verdict.Params(b, s.env)
	return s, err
}
