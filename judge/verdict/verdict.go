// Package verdict asks the Kyverno engine what the policies of a bundle mean:
// whether each of them, at its stage in its environment, admits and refuses what
// it should, whether exceptions exempt what they name and nothing beside it, and
// whether the tests of the user hold.
//
// Nothing counts as shown but a verdict of the engine. An error is a failure,
// never a pass, and what cannot be evaluated here is skipped with the reason.
package verdict

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Engine is what is asked; *engine.Client is one.
type Engine interface {
	Load(context.Context, engine.LoadParams) (engine.LoadResult, error)
	EvaluateMany(context.Context, []engine.EvaluateParams) ([]engine.Evaluation, error)
}

// Status of a result.
type Status string

// What can become of a check. A Warned one is fine, but deserves a look.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
	Warned  Status = "warned"
)

// What is checked.
const (
	CheckLoad      = "load"      // Kyverno accepts the object
	CheckGood      = "good"      // a good document of a control is admitted
	CheckBad       = "bad"       // a bad one gets what the stage says
	CheckSystem    = "system"    // nothing is blocked in a system namespace
	CheckException = "exception" // an exception exempts what it names, until it ends
	CheckTest      = "test"      // a test of the user
)

// Result is one thing that was checked.
type Result struct {
	Environment string `json:"environment"`
	// Tier of the namespace; empty where there is none.
	Tier string `json:"tier,omitempty"`
	// Check is one of the Check constants.
	Check string `json:"check"`
	// Policy by its name in the bundle; empty for a test that asks all of them.
	Policy string `json:"policy,omitempty"`
	// Rule that decided; several are separated by commas.
	Rule string `json:"rule,omitempty"`
	// Case says what was probed: the name of a document or of a test, with what was done to it.
	Case string `json:"case"`
	// Resource of the request, such as CREATE Pod payments/web.
	Resource string `json:"resource,omitempty"`
	// Origin is where the case was written.
	Origin   string `json:"origin,omitempty"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Status   Status `json:"status"`
	// Message of Kyverno, or the reason why the check was skipped.
	Message string `json:"message,omitempty"`
}

// Counts are numbers of results.
type Counts struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	Warned  int `json:"warned"`
}

func (c *Counts) add(s Status) {
	switch s {
	case Passed:
		c.Passed++
	case Failed:
		c.Failed++
	case Skipped:
		c.Skipped++
	case Warned:
		c.Warned++
	}
}

// Report is all that was checked, environment by environment.
type Report struct {
	Results []Result `json:"results"`
	// Environments in the order of the plan.
	Environments []EnvironmentCounts `json:"environments"`
	Counts       Counts              `json:"counts"`
}

// EnvironmentCounts are the counts of one environment.
type EnvironmentCounts struct {
	Name  string `json:"name"`
	Stage string `json:"stage"`
	Counts
}

// Options of a run.
type Options struct {
	// Environments to look at; empty for all.
	Environments []string
	// Progress is told what comes next; may be nil.
	Progress func(environment, what string)
}

// Run checks a bundle.
// The error is of the engine or of a control's documents; what is wrong with the
// bundle is in the report.
func Run(ctx context.Context, e Engine, b *generator.Bundle, tests []Test, o Options) (*Report, error) {
	r := &run{ctx: ctx, engine: e, report: &Report{Results: []Result{}}}
	for _, env := range b.Plan.Environments {
		if len(o.Environments) > 0 && !slices.Contains(o.Environments, env.Name) {
			continue
		}
		r.progress = func(what string) {
			if o.Progress != nil {
				o.Progress(env.Name, what)
			}
		}
		before := len(r.report.Results)
		if err := r.environment(b, env, tests); err != nil {
			return nil, fmt.Errorf("environment %s: %w", env.Name, err)
		}
		counted := EnvironmentCounts{Name: env.Name, Stage: env.Stage}
		for _, result := range r.report.Results[before:] {
			counted.add(result.Status)
			r.report.Counts.add(result.Status)
		}
		r.report.Environments = append(r.report.Environments, counted)
	}
	return r.report, nil
}

type run struct {
	ctx      context.Context
	engine   Engine
	report   *Report
	progress func(what string)
}

func (r *run) environment(b *generator.Bundle, env plan.Environment, tests []Test) error {
	r.progress("loading the policies")
	k, err := newCluster(b, env)
	if err != nil {
		return err
	}
	k.trials, k.params.StandIn = standIn(k.plan, env)
	sound, err := r.load(k)
	if err != nil || !sound {
		return err
	}
	for _, policy := range env.Policies {
		r.progress(policy.Name)
		if err := r.policy(k, policy); err != nil {
			return err
		}
	}
	for _, x := range env.Exceptions {
		r.progress("exception " + x.Name)
		for _, waived := range x.Policies {
			if err := r.exception(k, x, waived); err != nil {
				return err
			}
		}
	}
	for _, test := range tests {
		if slices.Contains(test.Environments, env.Name) {
			r.progress("test " + test.Name)
			if err := r.test(k, test); err != nil {
				return err
			}
		}
	}
	return nil
}

// load brings the objects of an environment into the engine. What Kyverno or the
// API server would refuse is a failure; a refused exception leaves nothing to ask.
func (r *run) load(k *cluster) (sound bool, err error) {
	loaded, err := r.engine.Load(r.ctx, k.params)
	if err != nil {
		return false, fmt.Errorf("loading the policies into the engine: %w", err)
	}
	sound = true
	for _, p := range loaded.Problems {
		result := Result{Environment: k.env.Name, Check: CheckLoad, Policy: p.Object, Case: p.Object, Expected: "accepted", Got: "accepted, with a warning", Status: Warned, Message: p.Message}
		if p.Severity == engine.SeverityError {
			result.Got, result.Status = "refused by Kyverno", Failed
			sound = sound && !isException(p.Object)
		}
		r.report.Results = append(r.report.Results, result)
	}
	for _, p := range loaded.Policies {
		k.loaded[p.Name] = true
	}
	k.digests = loaded.Digests
	return sound, nil
}

// check is a question and what the answer should be.
type check struct {
	result  Result
	request engine.EvaluateParams
	want    want
	// spec that the object must have if it is admitted; nil if nobody looks.
	spec any
	// unsure is the reason why another verdict is no failure; empty if it is one.
	unsure string
	// strict: an exception that explains another verdict does not excuse it.
	strict bool
}

// ask puts the checks to the engine and adds their results to the report.
func (r *run) ask(checks []check) error {
	if len(checks) == 0 {
		return nil
	}
	requests := make([]engine.EvaluateParams, len(checks))
	for i, c := range checks {
		requests[i] = c.request
	}
	answers, err := r.engine.EvaluateMany(r.ctx, requests)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	if len(answers) != len(checks) {
		return fmt.Errorf("the engine answered %d of %d requests", len(answers), len(checks))
	}
	for i, c := range checks {
		r.report.Results = append(r.report.Results, c.judge(answers[i]))
	}
	return nil
}
