// Package verdict checks a bundle with the Kyverno engine. It checks that each policy,
// at its stage in its environment, admits and refuses what it should, that exceptions
// exempt what they name and nothing else, and that the tests of the user pass.
//
// Only a verdict of the engine counts. An error is a failure, never a pass. A check that
// cannot be evaluated is skipped, with the reason.
package verdict

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Engine evaluates requests. *engine.Client implements it.
type Engine interface {
	Load(context.Context, engine.LoadParams) (engine.LoadResult, error)
	EvaluateMany(context.Context, []engine.EvaluateParams) ([]engine.Evaluation, error)
}

// Status is the outcome of a check.
type Status string

// The statuses. A Warned check passes, but deserves a look.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
	Warned  Status = "warned"
)

// The kinds of checks.
const (
	CheckLoad      = "load"      // Kyverno accepts the object
	CheckOwn       = "own"       // Flux can apply an object of the repository
	CheckGood      = "good"      // a good document of a control is admitted
	CheckBad       = "bad"       // a bad document gets the verdict of its stage
	CheckSystem    = "system"    // nothing is blocked in a system namespace
	CheckException = "exception" // an exception exempts what it names, until it ends
	CheckTest      = "test"      // a test of the user
)

// Result is the result of one check.
type Result struct {
	Environment string `json:"environment"`
	// Target is the kind of policy that was asked, one of catalog.Targets.
	Target string `json:"target"`
	// Tier of the namespace; empty if it has none.
	Tier string `json:"tier,omitempty"`
	// Check is one of the Check constants.
	Check string `json:"check"`
	// Policy is the name of the policy in the bundle; empty for a test of all policies.
	Policy string `json:"policy,omitempty"`
	// Rule is the rule that decided. Several are separated by commas.
	Rule string `json:"rule,omitempty"`
	// Case is the name of the document or test, with the changes made to it.
	Case string `json:"case"`
	// Resource of the request, such as CREATE Pod payments/web.
	Resource string `json:"resource,omitempty"`
	// Origin is the file of the case.
	Origin   string `json:"origin,omitempty"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Status   Status `json:"status"`
	// Message is the message from Kyverno, or the reason why the check was skipped.
	Message string `json:"message,omitempty"`
}

// Counts holds numbers of results.
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

// Report holds the results of all checks, environment by environment.
type Report struct {
	Results []Result `json:"results"`
	// Environments in the order of the plan.
	Environments []EnvironmentCounts `json:"environments"`
	Counts       Counts              `json:"counts"`
	// Comparisons with another kind of policies, in the order of the environments; none
	// without [Report.Compare].
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// EnvironmentCounts holds the counts of one environment.
type EnvironmentCounts struct {
	Name  string `json:"name"`
	Stage string `json:"stage"`
	// Target is the kind of policies that the environment was tested with. A policy that
	// cannot be of this kind was tested as what it is.
	Target string `json:"target"`
	Counts
}

// Options are the options of Run.
type Options struct {
	// Environments to check; empty for all.
	Environments []string
	// Progress is called with the next step; it may be nil.
	Progress func(environment, what string)
}

// Run checks a bundle. The report says what is wrong with the bundle. An error is about
// the engine or the documents of a control.
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
		counted := EnvironmentCounts{Name: env.Name, Stage: env.Stage, Target: env.Kyverno.PolicyType}
		for i, result := range r.report.Results[before:] {
			r.report.Results[before+i].Target = targetOf(result, env)
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
	k.trials, k.params.StandIn = standIn(env)
	sound, err := r.load(k)
	if err != nil || !sound {
		return err
	}
	r.progress("the objects of the repository")
	if err := r.own(k, b); err != nil {
		return err
	}
	for _, policy := range env.Judges() {
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

// load loads the objects of an environment into the engine. An object that Kyverno or
// the API server would refuse is a failure. If an exception is refused, sound is false
// and nothing else can be checked.
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

// check is a request and the expected answer.
type check struct {
	result  Result
	request engine.EvaluateParams
	want    want
	// spec that the object must have if it is admitted; nil if the spec is not checked.
	spec any
	// unsure is the reason why a different verdict is skipped; if it is empty, a
	// different verdict is a failure.
	unsure string
	// tried is the exception that the check is about, where it may hold and yet not explain
	// the answer.
	tried string
	// strict is set if an exception that explains a different verdict does not excuse it.
	strict bool
	// partly is set if the exception may hold for a rule that finds nothing, beside one that
	// reports the violation.
	partly bool
}

// ask evaluates the checks and adds their results to the report.
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
