// Package impact predicts which workloads a stage bump would block. The Kyverno engine
// judges each workload at the current stage of an environment and at the next one.
//
// A workload that cannot be judged is an error. It never counts as admitted.
package impact

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// Engine evaluates requests. *engine.Client implements it.
type Engine interface {
	Load(context.Context, engine.LoadParams) (engine.LoadResult, error)
	EvaluateMany(context.Context, []engine.EvaluateParams) ([]engine.Evaluation, error)
}

// Step is a bump of one environment.
type Step struct {
	Environment string
	Stage       string
	// Next is the next stage; empty at the last one.
	Next string
}

// Steps returns the bumps to examine: of each environment, or of those that are named,
// to the next stage of the ladder, or to the named stage if it is above.
func Steps(p *plan.Plan, environments []string, stage string) []Step {
	at := func(name string) int {
		return slices.IndexFunc(p.Stages, func(s plan.Stage) bool { return s.Name == name })
	}
	var steps []Step
	for _, env := range p.Environments {
		if len(environments) > 0 && !slices.Contains(environments, env.Name) {
			continue
		}
		step := Step{Environment: env.Name, Stage: env.Stage}
		now := at(env.Stage)
		switch {
		case stage != "" && at(stage) > now:
			step.Next = stage
		case stage == "" && now+1 < len(p.Stages):
			step.Next = p.Stages[now+1].Name
		}
		steps = append(steps, step)
	}
	return steps
}

// Stages returns the stages of the environments after the steps, for
// [generator.Bundle.WithStages].
func Stages(steps []Step) map[string]string {
	stages := map[string]string{}
	for _, s := range steps {
		if s.Next != "" {
			stages[s.Environment] = s.Next
		}
	}
	return stages
}

// Options are the options of Run.
type Options struct {
	// Now is the time that decides which exceptions have expired.
	Now time.Time
	// Progress is called with the progress of the run; it may be nil.
	Progress func(Progress)
}

// Progress is the progress of a run.
type Progress struct {
	// Objects is the number of objects read.
	Objects int
	// Environment in which they are judged.
	Environment string
	// Share of the work that is done, from 0 to 1; negative if it is not known.
	Share float64
}

// Run judges all workloads of a source. now is the current bundle, next the bundle with
// the stages of the steps. The problems are about the source, without what the report lists:
// what was not read, too. The report is nil if nothing was read, and the problems then say why.
func Run(ctx context.Context, e Engine, now, next *generator.Bundle, steps []Step, source workload.Source, o Options) (*Report, diag.List, error) {
	r := &run{ctx: ctx, engine: e, source: source, options: o, report: &Report{Findings: []Finding{}, NotJudged: []NotJudged{}, Rendered: []Rendered{}, Unread: fluxtree.Problems{}, Unreached: diag.List{}}}
	for _, step := range steps {
		b, err := newBump(now, next, step)
		if err != nil {
			return nil, nil, fmt.Errorf("environment %s: %w", step.Environment, err)
		}
		r.bumps = append(r.bumps, b)
	}
	r.clusters = clustersOf(now.Plan)
	met, err := source.Each(ctx, r.take)
	if err != nil || r.report.Objects == 0 && met.HasErrors() {
		return nil, met.List(), err
	}
	if err := r.flush(); err != nil {
		return nil, met.List(), err
	}
	problems := r.report.list(met)
	for _, b := range r.bumps {
		b.summary.Unread = r.unread(b.step.Environment)
		r.report.Environments = append(r.report.Environments, b.summary)
	}
	r.report.finish(controlsOf(now.Plan, next.Plan))
	return r.report, problems, nil
}

// controlsOf returns the controls of the policies of the plans, by policy name.
func controlsOf(plans ...*plan.Plan) map[string]*catalog.Control {
	controls := map[string]*catalog.Control{}
	for _, p := range plans {
		for _, env := range p.Environments {
			for _, policy := range env.Policies {
				controls[policy.Name] = policy.Control
			}
		}
	}
	return controls
}

// Objects are judged in chunks, each for all environments, because the engine
// holds one bundle at a time and memory must not grow with the input.
const (
	chunkObjects = 1000
	chunkBytes   = 32 << 20
	// batch is the number of objects that are judged between two calls of Progress.
	batch = 256
)

type run struct {
	ctx     context.Context
	engine  Engine
	source  workload.Source
	options Options
	bumps   []*bump
	report  *Report
	// clusters are the environments of clusters, by the names that their folders may have.
	clusters map[string][]string

	chunk      []workload.Workload
	bytes      int
	readBefore int64 // of the source, before the chunk
}

// take adds a workload to the chunk.
func (r *run) take(w workload.Workload) error {
	r.chunk, r.bytes = append(r.chunk, w), r.bytes+len(w.Object)
	for _, other := range w.Others {
		r.bytes += len(other)
	}
	r.report.Objects++
	if len(r.chunk) < chunkObjects && r.bytes < chunkBytes {
		return nil
	}
	return r.flush()
}

// flush judges the chunk for each environment.
func (r *run) flush() error {
	if len(r.chunk) == 0 {
		return nil
	}
	for i, b := range r.bumps {
		progress := func(share float64) {
			if r.options.Progress != nil {
				ofChunk := (float64(i) + share) / float64(len(r.bumps))
				r.options.Progress(Progress{Objects: r.report.Objects, Environment: b.step.Environment, Share: r.share(ofChunk)})
			}
		}
		if err := r.judge(b, progress); err != nil {
			return fmt.Errorf("environment %s: %w", b.step.Environment, err)
		}
	}
	r.readBefore, _ = r.source.Progress()
	r.chunk, r.bytes = r.chunk[:0], 0
	return nil
}

// share returns the share of all the work, given the share of the chunk.
func (r *run) share(ofChunk float64) float64 {
	read, total := r.source.Progress()
	if total <= 0 {
		return -1
	}
	return (float64(r.readBefore) + ofChunk*float64(read-r.readBefore)) / float64(total)
}

// judge gets the verdicts at the next stage. Only for workloads that are refused there
// does it get the verdicts at the current stage, which is never stricter.
func (r *run) judge(b *bump, progress func(share float64)) error {
	above := b.now
	if b.next != nil {
		above = b.next
	}
	here := r.in(b)
	b.summary.Objects += len(here)
	all, of := withOthers(here)
	verdicts, err := r.ask(above, b.labels, all, func(share float64) { progress(share / 2) })
	if err != nil {
		return err
	}
	others := map[int][]engine.Evaluation{}
	for i, v := range verdicts[len(here):] {
		others[of[i]] = append(others[of[i]], v)
	}
	verdicts = verdicts[:len(here)]
	var refused []workload.Workload
	for i, v := range verdicts {
		if v.Result != nil && v.Result.Blocked {
			refused = append(refused, here[i])
		}
	}
	before := verdicts
	if b.next != nil {
		answers, err := r.ask(b.now, b.labels, refused, func(share float64) { progress((1 + share) / 2) })
		if err != nil {
			return err
		}
		before = make([]engine.Evaluation, len(verdicts))
		for i, v := range verdicts {
			if v.Result != nil && v.Result.Blocked {
				before[i], answers = answers[0], answers[1:]
			}
		}
	}
	found := make([][]Finding, len(here))
	for i, w := range here {
		found[i] = findingsOf(b, w, before[i], verdicts[i])
		if len(w.Unknown) > 0 {
			found[i] = unsure(b, above, w, found[i], append([]engine.Evaluation{verdicts[i]}, others[i]...))
		}
	}
	if err := r.unneeded(b, above, here, found); err != nil {
		return err
	}
	for _, findings := range found {
		b.summary.count(findings)
		r.report.Findings = append(r.report.Findings, findings...)
	}
	return nil
}

// unneeded asks about workloads that are exempt once more, at a time when the exceptions have
// ended: what has no violation then did not need one. An exception without an end stays.
func (r *run) unneeded(b *bump, above *side, here []workload.Workload, found [][]Finding) error {
	ended := func(f Finding) bool {
		return f.Status == Exempt && !slices.ContainsFunc(f.Exceptions, func(x Exemption) bool { return x.Until == nil })
	}
	var exempt []workload.Workload
	var at []int
	last := r.options.Now
	for i, w := range here {
		if len(w.Unknown) == 0 && slices.ContainsFunc(found[i], ended) {
			exempt, at = append(exempt, w), append(at, i)
		}
	}
	for _, end := range b.ends {
		if end.After(last) {
			last = end
		}
	}
	if len(exempt) == 0 {
		return nil
	}
	answers, err := r.askAt(last.Add(time.Second), above, b.labels, exempt, func(float64) {})
	if err != nil {
		return err
	}
	for i, answer := range answers {
		if _, failed := failure(answer); failed {
			continue
		}
		for j, f := range found[at[i]] {
			violated := slices.ContainsFunc(answer.Result.Results, func(result engine.RuleResult) bool {
				_, said := statusOf(result, false)
				return said && result.Policy == f.Control
			})
			if ended(f) && !violated {
				found[at[i]][j].Status = Unneeded
			}
		}
	}
	return nil
}

// in returns the workloads of the chunk that an environment has: all, but for those of a
// cluster of another one, and Namespaces that only are made where the bundle has none.
func (r *run) in(b *bump) []workload.Workload {
	here := make([]workload.Workload, 0, len(r.chunk))
	for _, w := range r.chunk {
		if w.IfMissing && b.now.env.Creates(w.Name) {
			continue
		}
		if w.Namespace == "" && b.namespaced(w) {
			w.Namespace = w.Usual
		}
		if w.Elsewhere || r.has(b.step.Environment, w.Root) {
			here = append(here, w)
		}
	}
	return here
}

// unread counts the errors that may hide objects of an environment: those met under a root whose
// objects it has, and those that may be about any cluster.
func (r *run) unread(environment string) int {
	n := 0
	for _, p := range r.report.Unread {
		if len(p.Roots) == 0 || slices.ContainsFunc(p.Roots, func(root string) bool { return r.has(environment, root) }) {
			n++
		}
	}
	return n
}

// has reports whether an environment has what is applied from a root.
func (r *run) has(environment, root string) bool {
	environments := r.environments(root)
	return environments == nil || slices.Contains(environments, environment)
}

// environments returns the environments of the cluster that a folder of a repository belongs
// to: the last part of its path that is one. It returns nil if none is.
func (r *run) environments(root string) []string {
	parts := strings.Split(root, "/")
	for _, part := range slices.Backward(parts) {
		if environments := r.clusters[part]; environments != nil {
			return environments
		}
	}
	return nil
}

// clustersOf returns the environments by the names of their clusters, and by their own.
func clustersOf(p *plan.Plan) map[string][]string {
	clusters := map[string][]string{}
	for _, env := range p.Environments {
		for _, name := range append([]string{env.Name}, env.Clusters...) {
			if !slices.Contains(clusters[name], env.Name) {
				clusters[name] = append(clusters[name], env.Name)
			}
		}
	}
	return clusters
}

// withOthers returns workloads, followed by those with other values for what is not known, and
// the indices of the workloads that these stand for.
func withOthers(workloads []workload.Workload) (all []workload.Workload, of []int) {
	all = slices.Clip(workloads)
	for i, w := range workloads {
		for _, object := range w.Others {
			other := w
			other.Object = object
			all, of = append(all, other), append(of, i)
		}
	}
	return all, of
}

// ask returns the verdicts of a side for workloads, in their order.
func (r *run) ask(s *side, labels map[string]map[string]string, workloads []workload.Workload, progress func(share float64)) ([]engine.Evaluation, error) {
	return r.askAt(r.options.Now, s, labels, workloads, progress)
}

// askAt is ask at another time.
func (r *run) askAt(now time.Time, s *side, labels map[string]map[string]string, workloads []workload.Workload, progress func(share float64)) ([]engine.Evaluation, error) {
	answers := make([]engine.Evaluation, 0, len(workloads))
	if len(s.policies) == 0 || len(workloads) == 0 {
		for range workloads {
			answers = append(answers, engine.Evaluation{Result: &engine.EvaluateResult{}})
		}
		return answers, nil
	}
	loaded, err := r.engine.Load(r.ctx, s.params)
	if err == nil {
		err = loaded.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("loading the policies of stage %s into the engine: %w", s.env.Stage, err)
	}
	for some := range slices.Chunk(workloads, batch) {
		progress(float64(len(answers)) / float64(len(workloads)))
		requests := make([]engine.EvaluateParams, len(some))
		for i, w := range some {
			requests[i] = Request(w, s.policies, labels, now)
		}
		got, err := r.engine.EvaluateMany(r.ctx, requests)
		if err != nil {
			return nil, fmt.Errorf("evaluating: %w", err)
		}
		if len(got) != len(requests) {
			return nil, fmt.Errorf("the engine answered %d of %d requests", len(got), len(requests))
		}
		answers = append(answers, got...)
	}
	return answers, nil
}

// Request returns the request to create a workload, without a user. labels are those of the
// namespaces of the bundle, by their names.
func Request(w workload.Workload, policies []string, labels map[string]map[string]string, now time.Time) engine.EvaluateParams {
	request := engine.EvaluateParams{Resource: w.Object, Namespace: w.Namespace, Policies: policies, Now: now.UTC().Format(time.RFC3339)}
	if w.NamespaceLabels != nil {
		// Flux sets the labels of the bundle in addition to those in the cluster.
		request.NamespaceLabels = maps.Clone(w.NamespaceLabels)
		maps.Copy(request.NamespaceLabels, labels[w.Namespace])
	}
	return request
}

// The reasons why a policy is not evaluated.
const (
	needsRegistry = "needs the registry"
	needsRequest  = "needs to know who writes or what changes, which an object does not show"
)

// notAsked returns the reason why a policy cannot judge an object from a file or a
// cluster; empty if it can. Rules that need the request, such as its user or the old
// object, are the ones that Kyverno's background scan also leaves out.
func notAsked(p plan.Policy) string {
	switch {
	case p.Image != nil:
		return needsRegistry
	case !p.Control.Background:
		return needsRequest
	}
	return ""
}

// Asked returns the names of the policies of an environment that can judge a workload. The
// list is never nil.
func Asked(env plan.Environment) []string {
	policies := []string{}
	for _, p := range env.Judges() {
		if notAsked(p) == "" {
			policies = append(policies, p.Name)
		}
	}
	return policies
}

// Kinds returns the kinds that the evaluated policies of all environments match.
func Kinds(p *plan.Plan) []string {
	kinds := map[string]bool{}
	for _, env := range p.Environments {
		for _, policy := range env.Judges() {
			if notAsked(policy) != "" {
				continue
			}
			for _, rule := range policy.Rules {
				for _, kind := range rule.Kinds {
					kinds[kind] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}
