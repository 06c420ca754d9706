// Package identify finds the controls that do what policies of others do. It asks the engine
// for the verdicts of a policy and of every control of the catalogue about the same documents:
// those of all controls, and hostile variants of them.
//
// Names and texts count for nothing. Verdicts are called equal only if the policy was asked
// about documents of its kinds, and refuses some that the control refuses, too.
package identify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// Answer is what is known of a policy.
type Answer string

// The answers.
const (
	// Equal: controls give equal verdicts on all documents.
	Equal Answer = "equal"
	// Different: a control is similar, and gives other verdicts on some documents.
	Different Answer = "different"
	// Inexpressible: no control is similar, or the policy cannot be compared.
	Inexpressible Answer = "not expressible"
)

// Policy is a policy of others and what is known of it.
type Policy struct {
	Kind      string        `json:"kind"`
	Namespace string        `json:"namespace,omitempty"`
	Name      string        `json:"name"`
	At        diag.Position `json:"at,omitzero"`
	Answer    Answer        `json:"answer"`
	// Controls that give equal verdicts together, or the one that is similar.
	Controls []string `json:"controls,omitempty"`
	// Parameters of these controls that are not their defaults, by their ids.
	Parameters map[string]map[string]any `json:"parameters,omitempty"`
	// Documents is the number of documents that the policy judges, and on which the
	// verdicts are equal. Refused is how many of these are refused by both.
	Documents int `json:"documents"`
	Refused   int `json:"refused"`
	// Tolerated is the number of updates that the policy refuses and the controls admit,
	// because the object has its fault already.
	Tolerated int `json:"tolerated,omitempty"`
	// Differing is the number of documents with different verdicts; Differences has the
	// first of them.
	Differing   int          `json:"differing,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Left is what of the policy is not compared.
	Left []string `json:"left,omitempty"`
	// Because is why it is not expressible.
	Because string `json:"because,omitempty"`
}

// refuse notes why the policy is not expressible.
func (p *Policy) refuse(because string) { p.Answer, p.Because = Inexpressible, because }

// id returns kind namespace/name.
func (p Policy) id() string {
	return workload.Workload{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}.ID()
}

// Difference is a document with different verdicts.
type Difference struct {
	Document string `json:"document"`
	Resource string `json:"resource"`
	Origin   string `json:"origin"`
	Policy   string `json:"policy"`
	Control  string `json:"control"`
}

// Report is about all policies that were read.
type Report struct {
	Policies []Policy `json:"policies"`
	// Snippet enables the controls that were found with equal verdicts, in a profile.
	Snippet string `json:"snippet,omitempty"`
}

// Options of Run.
type Options struct {
	Version string // of gatehouse
	Now     time.Time
	// Progress is called with what is done; it may be nil.
	Progress func(what string)
}

// Run reads the policies of a source, which may have other objects too, and asks about each.
// The problems are about the source; with an error there is no report.
func Run(ctx context.Context, e impact.Engine, source workload.Source, o Options) (*Report, diag.List, error) {
	var all []*foreign
	met, err := source.Each(ctx, func(w workload.Workload) error {
		f, err := read(w, len(all)+1)
		if f != nil {
			all = append(all, f)
		}
		return err
	})
	problems := met.List()
	if err != nil || problems.HasErrors() {
		return nil, problems, err
	}
	if len(all) == 0 {
		problems.Add(diag.Diagnostic{Code: "policies-none", Summary: "there is no policy in what was read",
			Hint: "kinds that are read: ClusterPolicy, Policy, ValidatingPolicy, ValidatingAdmissionPolicy"})
		return nil, problems, nil
	}
	r := &run{ctx: ctx, engine: e, options: o}
	if err := r.ask(all, nil); err != nil {
		return nil, problems, err
	}
	if err := r.again(all); err != nil {
		return nil, problems, err
	}
	report := &Report{}
	for _, f := range all {
		report.Policies = append(report.Policies, f.found)
	}
	report.Snippet = snippet(report.Policies)
	return report, problems, nil
}

type run struct {
	ctx     context.Context
	engine  impact.Engine
	options Options
}

// again asks with parameters that are read off a policy, where the usual ones gave no equal
// verdicts. It keeps an answer that is better.
func (r *run) again(all []*foreign) error {
	for _, f := range all {
		if len(f.parameters) == 0 || f.found.Answer == Equal {
			continue
		}
		with := *f
		with.found.Answer, with.found.Because = "", ""
		if err := r.ask([]*foreign{&with}, f.parameters); err != nil {
			return err
		}
		if with.found.Answer == Equal || with.found.Answer == Different && (f.found.Answer == Inexpressible || f.found.Differing > with.found.Differing) {
			f.found = with.found
		}
	}
	return nil
}

func (r *run) progress(what string) {
	if r.options.Progress != nil {
		r.options.Progress(what)
	}
}

// ask fills in what is found of the policies. parameters are those of some controls.
func (r *run) ask(all []*foreign, parameters map[string]map[string]any) error {
	c, err := newCatalogue(parameters, r.options.Version, r.options.Now)
	if err != nil {
		return err
	}
	asked, err := r.load(c, slices.DeleteFunc(slices.Clone(all), func(f *foreign) bool { return f.found.Answer == Inexpressible }))
	if err != nil || len(asked) == 0 {
		return err
	}
	r.progress(fmt.Sprintf("%d policies and %d controls judge %d documents", len(asked), len(c.policies), len(c.documents)))
	requests := make([]engine.EvaluateParams, len(c.documents))
	for i, d := range c.documents {
		requests[i] = d.Request
	}
	answers, err := r.engine.EvaluateMany(r.ctx, requests)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	if len(answers) != len(requests) {
		return fmt.Errorf("the engine answered %d of %d requests", len(answers), len(requests))
	}
	t := newTable(c, answers)
	for _, f := range asked {
		t.identify(f)
		for _, control := range f.found.Controls {
			if c.settings[control] == nil {
				continue
			}
			if f.found.Parameters == nil {
				f.found.Parameters = map[string]map[string]any{}
			}
			f.found.Parameters[control] = c.settings[control]
		}
	}
	return nil
}

// load loads the controls and the policies. It returns the policies that the engine accepts.
func (r *run) load(c *catalogue, all []*foreign) ([]*foreign, error) {
	for len(all) > 0 {
		params := c.params
		params.Policies = slices.Clone(params.Policies)
		for _, f := range all {
			params.Policies = append(params.Policies, f.objects...)
		}
		loaded, err := r.engine.Load(r.ctx, params)
		if err != nil {
			return nil, fmt.Errorf("loading the policies into the engine: %w", err)
		}
		refused := map[string]string{}
		for _, p := range loaded.Problems {
			if _, name, ok := strings.Cut(p.Object, "/"); ok && p.Severity == engine.SeverityError {
				refused[name] = p.Message
			}
		}
		before := len(all)
		all = slices.DeleteFunc(all, func(f *foreign) bool {
			why, is := refused[f.name]
			if is {
				f.found.refuse("the engine refuses it: " + strings.Join(strings.Fields(why), " "))
			}
			return is
		})
		if len(all) == before {
			return all, loaded.Err()
		}
	}
	return nil, nil
}
