// Package agreement compares what policies of two kinds say of the same workloads.
//
// A workload that one of them cannot judge is a difference. It never counts as equal.
package agreement

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// Report says which workloads of an environment two kinds of policies judge differently.
type Report struct {
	Environment string
	From, To    string // the kinds
	// Objects is how many workloads were judged.
	Objects     int
	Differences []Difference
}

// Difference is a workload of which a control says something else as each kind.
type Difference struct {
	Workload string // kind namespace/name
	At       diag.Position
	Control  string // empty if there is no verdict at all
	From, To string
}

// line returns the difference as one line of text, with the kinds.
func (r *Report) line(d Difference) string {
	where := ""
	if at := d.At.String(); at != "" {
		where = " [" + at + "]"
	}
	return fmt.Sprintf("%s: %s: %s: %s, %s: %s%s", d.Workload, d.Control, r.From, d.From, r.To, d.To, where)
}

// Lines returns the report as lines of text.
func (r *Report) Lines() []string {
	var lines []string
	for _, d := range r.Differences {
		lines = append(lines, "different: "+r.line(d))
	}
	return append(lines, fmt.Sprintf("%s: %d objects judged as %s and as %s: %d different verdicts", r.Environment, r.Objects, r.From, r.To, len(r.Differences)))
}

// chunk is how many workloads are judged together: the engine holds one bundle at a time.
const chunk = 1000

// Workloads judges all workloads of a source in an environment of two bundles. Now decides
// which exceptions have ended. The problems are about the source; with an error there is no
// report.
func Workloads(ctx context.Context, e impact.Engine, from, to *generator.Bundle, environment string, source workload.Source, now time.Time) (*Report, diag.List, error) {
	r := &run{ctx: ctx, engine: e, now: now, report: &Report{Environment: environment}}
	for _, side := range []struct {
		of   *generator.Bundle
		into *side
		kind *string
	}{{from, &r.from, &r.report.From}, {to, &r.to, &r.report.To}} {
		var err error
		if *side.into, err = newSide(side.of, environment); err != nil {
			return nil, nil, err
		}
		*side.kind = side.into.env.Kyverno.PolicyType
	}
	met, err := source.Each(ctx, r.take)
	problems := met.List()
	if err == nil && !problems.HasErrors() {
		err = r.flush()
	}
	if err != nil || problems.HasErrors() {
		return nil, problems, err
	}
	return r.report, problems, nil
}

type run struct {
	ctx      context.Context
	engine   impact.Engine
	now      time.Time
	from, to side
	report   *Report
	waiting  []workload.Workload
}

// side is an environment with policies of one kind.
type side struct {
	env    plan.Environment
	params engine.LoadParams
	asked  []string
	labels map[string]map[string]string
}

func newSide(b *generator.Bundle, environment string) (side, error) {
	env, ok := b.Plan.Environment(environment)
	if !ok {
		return side{}, fmt.Errorf("environment %s is not in the bundle", environment)
	}
	s := side{env: env, asked: impact.Asked(env), labels: map[string]map[string]string{}}
	for _, n := range env.Namespaces {
		s.labels[n.Name] = n.Labels
	}
	var err error
	s.params, err = verdict.Params(b, env)
	return s, err
}

func (r *run) take(w workload.Workload) error {
	if r.waiting = append(r.waiting, w); len(r.waiting) < chunk {
		return nil
	}
	return r.flush()
}

// flush judges the workloads that wait, as both kinds.
func (r *run) flush() error {
	if len(r.waiting) == 0 {
		return nil
	}
	from, err := r.ask(r.from)
	if err != nil {
		return err
	}
	to, err := r.ask(r.to)
	if err != nil {
		return err
	}
	for i, w := range r.waiting {
		r.report.Differences = append(r.report.Differences, differences(w, from[i], to[i])...)
	}
	r.report.Objects += len(r.waiting)
	r.waiting = r.waiting[:0]
	return nil
}

func (r *run) ask(s side) ([]engine.Evaluation, error) {
	if len(s.asked) == 0 { // an empty list would ask all
		return make([]engine.Evaluation, len(r.waiting)), nil
	}
	kind := s.env.Kyverno.PolicyType
	loaded, err := r.engine.Load(r.ctx, s.params)
	if err == nil {
		err = loaded.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("loading the policies as %s into the engine: %w", kind, err)
	}
	requests := make([]engine.EvaluateParams, len(r.waiting))
	for i, w := range r.waiting {
		requests[i] = impact.Request(w, s.asked, s.labels, r.now)
	}
	answers, err := r.engine.EvaluateMany(r.ctx, requests)
	if err != nil {
		return nil, fmt.Errorf("evaluating: %w", err)
	}
	if len(answers) != len(requests) {
		return nil, fmt.Errorf("the engine answered %d of %d requests", len(answers), len(requests))
	}
	return answers, nil
}

// differences compares the verdicts of each control about a workload.
func differences(w workload.Workload, from, to engine.Evaluation) []Difference {
	base := Difference{Workload: w.ID(), At: w.At}
	if from.Error != nil || to.Error != nil {
		base.Control, base.From, base.To = "(all controls)", noVerdict(from), noVerdict(to)
		return []Difference{base}
	}
	a, b := verdicts(from), verdicts(to)
	all := map[string]bool{}
	for control := range a {
		all[control] = true
	}
	for control := range b {
		all[control] = true
	}
	var found []Difference
	for _, control := range slices.Sorted(maps.Keys(all)) {
		if one, other := a.of(control), b.of(control); one != other {
			d := base
			d.Control, d.From, d.To = control, one, other
			found = append(found, d)
		}
	}
	return found
}

func noVerdict(e engine.Evaluation) string {
	if e.Error != nil {
		return "no verdict: " + strings.Join(strings.Fields(e.Error.Message), " ")
	}
	return "judged"
}

// said is the verdict of each control that finds something.
type said map[string]string

func (s said) of(control string) string {
	if v, ok := s[control]; ok {
		return v
	}
	return admitted
}

// The verdicts of a control, from the weakest.
const (
	admitted = "admitted"
	exempt   = "exempt"
	reported = "reported"
	refused  = "refused"
	failed   = "error"
)

// verdicts returns what the controls find. The strongest of the rules of one counts.
func verdicts(e engine.Evaluation) said {
	order := []string{admitted, exempt, reported, refused, failed}
	out := said{}
	if e.Result == nil {
		return out
	}
	for _, rule := range e.Result.Results {
		v := admitted
		switch {
		case rule.Result == engine.OutcomeError:
			v = failed
		case rule.Blocks:
			v = refused
		case rule.Result == engine.OutcomeFail, rule.Result == engine.OutcomeWarn:
			v = reported
		case len(rule.Exceptions) > 0:
			v = exempt
		}
		if slices.Index(order, v) > slices.Index(order, out.of(rule.Policy)) {
			out[rule.Policy] = v
		}
	}
	return out
}
