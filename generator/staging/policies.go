package staging

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Desired is a policy as the source asks for it.
type Desired struct {
	plan.Policy
	Content Content
}

// staged is a policy on its way to what the environment does.
type staged struct {
	Desired
	hash string
	// contents that are enforced or audited, by hash, and what each does in each tier.
	contents map[string]Content
	actions  map[string]map[string]plan.Action
}

// policy decides what each tier does with a policy, and returns one for each content.
func (e *Environment) policy(d Desired) []plan.Policy {
	s := &staged{Desired: d, hash: d.Content.Hash(), contents: map[string]Content{}, actions: map[string]map[string]plan.Action{}}
	for _, tier := range e.options.Tiers {
		switch d.Actions[tier] {
		case plan.Audit:
			if e.prior.action(s.Name, tier) == plan.Off && e.raised(s) {
				e.climbed[[2]string{s.Name, tier}] = true
			}
			e.do(s, tier, plan.Audit, d.Content, e.auditedSince(s, tier))
		case plan.Enforce:
			e.enforce(s, tier)
		}
	}
	for hash, content := range s.contents {
		if content.Body != nil && !slices.ContainsFunc(e.Files, func(f manifest.File) bool { return f.Path == path(hash) }) {
			e.Files = append(e.Files, content.file(d.Policy))
		}
	}
	return e.split(s)
}

// do lets a tier audit or enforce a content, and notes it for the lock.
func (e *Environment) do(s *staged, tier string, action plan.Action, content Content, since string) {
	hash := content.Hash()
	s.contents[hash] = content
	if s.actions[hash] == nil {
		s.actions[hash] = map[string]plan.Action{}
	}
	s.actions[hash][tier] = action
	e.Locked.Policies = append(e.Locked.Policies,
		manifest.LockedPolicy{Name: s.Name, Tier: tier, Action: action.String(), Content: hash, Since: since})
}

// enforce decides what a tier that shall enforce the policy does.
func (e *Environment) enforce(s *staged, tier string) {
	before := e.prior.enforced(s.Name, tier)
	switch same := slices.IndexFunc(before, func(f manifest.LockedPolicy) bool { return f.Content == s.hash || f.Content == "" }); {
	case same >= 0:
		e.do(s, tier, plan.Enforce, s.Content, before[same].Since)
		e.keepOther(s, tier, before, before[same].Since)
	case len(before) > 0:
		e.change(s, tier, before)
	case e.mayEnforce(s, tier):
		e.do(s, tier, plan.Enforce, s.Content, e.day())
	default:
		e.do(s, tier, plan.Audit, s.Content, e.auditedSince(s, tier))
		e.pending(s, tier)
	}
}

// change decides whether a tier that enforces another content goes over to the one of
// the source, or goes on and audits it. After a merge, several contents were enforced:
// one that is lost was given up by one of the branches.
func (e *Environment) change(s *staged, tier string, enforced []manifest.LockedPolicy) {
	old := enforced[0]
	before, err := e.content(old.Content)
	if err != nil && len(enforced) > 1 {
		e.change(s, tier, enforced[1:])
		return
	}
	if err != nil {
		e.lost(s, err)
		return
	}
	if e.options.Immediate || loosens(s.Control, before, s.Content) || e.accepts(s, tier) {
		e.do(s, tier, plan.Enforce, s.Content, e.day())
		if kept, some := loosest(s.Control, before, s.Content); some && moves(before, s.Content) && !e.options.Immediate {
			e.do(s, tier, plan.Enforce, kept, old.Since)
			e.leaving(s, kept, e.day())
		}
		return
	}
	if kept, some := loosest(s.Control, before, s.Content); some {
		e.do(s, tier, plan.Enforce, kept, old.Since)
	}
	e.do(s, tier, plan.Audit, s.Content, e.auditedSince(s, tier))
	e.pending(s, tier)
	if what := policyName(s.Name); before.Target != s.Content.Target && !slices.Contains(e.beside, what) {
		e.beside = append(e.beside, what)
		if before.Image != nil && s.Content.Image != nil && !imageLoosens(*before.Image, *s.Content.Image) {
			e.bothChange = append(e.bothChange, what)
		}
	}
}

// keepOther goes on enforcing what policies of another kind, or in another object, enforce, until the environment
// gives it up with the next spec.changes: a policy that is new in the cluster answers some
// moments later than it is applied, and Flux removes the old one at once. The new policies
// are enforced since a day.
func (e *Environment) keepOther(s *staged, tier string, enforced []manifest.LockedPolicy, since string) {
	for _, f := range enforced {
		old, err := e.content(f.Content)
		if f.Content == s.hash || err != nil || !moves(old, s.Content) || e.source.Changes > e.prior.Changes {
			continue
		}
		if old, some := loosest(s.Control, old, s.Content); some {
			e.do(s, tier, plan.Enforce, old, f.Since)
			e.leaving(s, old, max(since, f.Since)) // since when both are
		}
		return
	}
}

// content returns a content of the last build.
func (e *Environment) content(hash string) (Content, error) {
	if e.options.Output == nil {
		return Content{}, fmt.Errorf("the output that the lock belongs to is missing")
	}
	return read(e.options.Output, e.options.Written, hash)
}

func (e *Environment) lost(s *staged, err error) {
	e.Problems.Add(diag.Diagnostic{Code: "content-lost", Position: s.At, Path: "spec.controls[" + s.Control.ID + "]",
		Summary: fmt.Sprintf("%s enforces a content of %s that is not in the source, and it cannot be read: %v", e.source.Name, s.Name, err),
		Hint:    "restore the file from Git"})
}

// mayEnforce reports whether a tier may begin to enforce the policy.
func (e *Environment) mayEnforce(s *staged, tier string) bool {
	if !e.raised(s) {
		return e.options.Immediate || e.accepts(s, tier)
	}
	_, field := e.source.StageOf(s.Control.ID)
	since, audited := e.audit(s, tier)
	ready := audited && e.soaked(since) || e.source.AllowSkip
	e.ask(field, s.Name, since, ready, audited)
	e.climbed[[2]string{s.Name, tier}] = ready
	return ready
}

// raised reports whether the environment's own file raises the stage of a control. The
// first build raises all.
func (e *Environment) raised(s *staged) bool {
	stage, _ := e.source.StageOf(s.Control.ID)
	before := e.prior.stage(s.Control.ID, e.options.Stages)
	return !e.prior.exists || before >= 0 && stage > before
}

// Accepted reports whether spec.changes makes a policy, by its base name, stricter with
// this build.
func (e *Environment) Accepted(policy string) bool {
	r := e.asked["spec.changes"]
	return r != nil && slices.Contains(r.granted, policy)
}

// Climbed reports whether a line of the environment's own file makes a policy, by its
// base name, stricter in a tier with this build.
func (e *Environment) Climbed(policy, tier string) bool { return e.climbed[[2]string{policy, tier}] }

// accepts reports whether the environment accepts with a new spec.changes what a tier
// audits of the policy.
func (e *Environment) accepts(s *staged, tier string) bool {
	if e.source.Changes <= e.prior.Changes {
		return false
	}
	since, audited := e.audit(s, tier)
	if !audited || since > e.source.Changes {
		return false
	}
	e.ask("spec.changes", s.Name, since, e.soaked(since), true)
	e.climbed[[2]string{s.Name, tier}] = e.soaked(since)
	return e.soaked(since)
}

// audit returns the day since which a tier has audited all that the content of the
// source refuses. It reports false if it has not.
func (e *Environment) audit(s *staged, tier string) (since string, found bool) {
	for _, f := range e.prior.audited(s.Name, tier) {
		if f.Content == s.hash || f.Content == "" {
			return f.Since, true
		}
		if old, err := e.content(f.Content); err == nil && loosens(s.Control, old, s.Content) {
			since, found = f.Since, true
		}
	}
	return since, found
}

// auditedSince is the day to note for a content that a tier audits.
func (e *Environment) auditedSince(s *staged, tier string) string {
	if since, found := e.audit(s, tier); found && since != "" {
		return since
	}
	return e.day()
}

// day is the day to note for what is new.
func (e *Environment) day() string {
	if e.options.Day.IsZero() {
		return e.today()
	}
	return e.options.Day.UTC().Format(dateLayout)
}

func (e *Environment) today() string { return e.options.Now.UTC().Format(dateLayout) }

// soaked reports whether what was audited since a day may be enforced. A day that the
// lock does not know is long ago.
func (e *Environment) soaked(since string) bool {
	day, err := time.Parse(dateLayout, since)
	return err != nil || !e.options.Now.Before(day.Add(e.options.Soak))
}

// split returns one policy for each content, and notes their names for the lock.
func (e *Environment) split(s *staged) []plan.Policy {
	var all []plan.Policy
	for _, hash := range s.others(e.options.Tiers) {
		all = append(all, s.with(hash))
	}
	if s.actions[s.hash] != nil {
		all = append(all, s.with(s.hash))
	}
	e.name(s, all)
	for i, f := range e.Locked.Policies {
		for _, p := range all {
			if f.Name == p.Base && f.Content == p.Content && p.Object != p.Base {
				e.Locked.Policies[i].Object = p.Object
			}
		}
	}
	return all
}

// enforces reports whether a tier enforces one of the contents.
func (s *staged) enforces(tier string) bool {
	for _, actions := range s.actions {
		if actions[tier] == plan.Enforce {
			return true
		}
	}
	return false
}

// others returns the contents besides that of the source, in the order of the tiers.
func (s *staged) others(tiers []string) []string {
	var others []string
	for _, tier := range tiers {
		for _, hash := range slices.Sorted(maps.Keys(s.actions)) {
			if s.actions[hash][tier] != plan.Off && hash != s.hash && !slices.Contains(others, hash) {
				others = append(others, hash)
			}
		}
	}
	return others
}

// with returns the policy with one of its contents.
func (s *staged) with(hash string) plan.Policy {
	p, content := s.Policy, s.contents[hash]
	p.Base, p.Content, p.Actions, p.Deployers = s.Name, hash, s.actions[hash], content.exempt()
	p.Unscoped = content.unscoped(hash)
	if hash == s.hash {
		return p // with its references to objects that hold keys
	}
	p.Held = true
	p.Parameters, p.Image, p.Scope = content.Parameters, content.Image, content.Scope
	if content.Body != nil {
		p.Policy = catalog.Read(content.Target, content.Body)
	}
	return p
}
