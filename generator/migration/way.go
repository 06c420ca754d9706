// Package migration knows the way of an environment from one kind of policies to another:
// how far it is, what the next step changes in the environment's own file, and why it must
// wait. Each step is one build and one commit (docs/policy-types.md):
//
//	Before → Beside → Both → Done
//
// What an environment enforces is never left before the other kind enforces it too. It
// decides nothing: package staging does, by the lock.
package migration

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/staging"
)

// Place is how far an environment is.
type Place int

// The places, in their order.
const (
	// Before: the environment does not ask for the other kind.
	Before Place = iota
	// Beside: the new policies audit beside the old ones, which enforce.
	Beside
	// Both: policies of both kinds enforce.
	Both
	// Done: there is nothing left of another kind.
	Done
)

// Way is the way of one environment to a kind of policies.
type Way struct {
	Environment string
	Ring        int
	// AllowAhead is set if the environment may be ahead of earlier rings.
	AllowAhead bool
	// From is the kind that is left. It is To when Done.
	From string
	To   string
	// Place of the environment, and the day since which it is there; empty if it is not
	// known.
	Place Place
	Since string
	// First is the place after the first step: Done where nothing else than the kind To is
	// enforced, and Both where both kinds are, as after half of a way in the other direction,
	// which Halfway says.
	First   Place
	Halfway bool
	// Enforces is set if a policy of another kind than To enforces.
	Enforces bool
	// Stays names the policies that cannot be of the kind To.
	Stays []string
	// Kyverno is the version that the way leads to, which the environment does not have yet
	// and which executes policies of the kind To; empty for none. Legacy names the policies
	// that it does not execute, whatever their control becomes.
	Kyverno string
	Legacy  []string
	// File of the environment, in the source.
	File string

	used  string  // the last spec.changes
	waits []waits // what the environment has not accepted, without what is only of another kind
}

// waits is something that spec.changes would accept.
type waits struct{ what, since string }

// Ways returns the way of each environment of a plan to a kind of policies. The plan must be
// the one that the output was built from: what an environment does is read from it.
func Ways(p *plan.Plan, to string) []Way {
	ways := make([]Way, len(p.Environments))
	for i, env := range p.Environments {
		ways[i] = wayOf(env, to)
	}
	return ways
}

func wayOf(env plan.Environment, to string) Way {
	w := Way{Environment: env.Name, Ring: env.Ring, AllowAhead: env.AllowAhead, From: to, To: to, Place: Done, First: Done, File: env.At.File, used: env.Locked.Changes}
	next := env.Kyverno
	next.Version = v1alpha1.KyvernoNext
	if env.Kyverno.Version != next.Version && !next.Absent && next.Runs(to) {
		w.Kyverno = next.Version
	}
	policies := map[string]*policy{}
	for _, p := range env.Judges() {
		if !p.CanBe(p.Control.TargetFor(to)) {
			w.Stays = append(w.Stays, p.Base)
			if !next.Runs(p.Target) {
				w.Legacy = append(w.Legacy, p.Base)
			}
			continue
		}
		if policies[p.Base] == nil {
			policies[p.Base] = &policy{}
		}
		policies[p.Base].add(p, p.Control.TargetFor(to))
	}
	w.Stays, w.Legacy = slices.Compact(w.Stays), slices.Compact(w.Legacy)
	for _, p := range policies {
		w.add(p)
	}
	if env.Kyverno.PolicyType != to {
		w.Place, w.From = Before, env.Kyverno.PolicyType
	}
	for _, pending := range env.Pending {
		base := strings.TrimPrefix(pending.What, "policy ")
		if p := policies[base]; base != pending.What && p != nil && p.onlyKind(env.Trust) {
			w.Since = max(w.Since, pending.Since)
			continue
		}
		w.waits = append(w.waits, waits{pending.What, pending.Since})
	}
	for _, other := range w.waits {
		if w.Since == "" && w.Place != Before && w.Place != Done {
			w.Since = other.since // nothing else waits: the step is refused, and says so
		}
	}
	return w
}

// add notes how far a policy is. The way is no further than any of them.
func (w *Way) add(p *policy) {
	if p.old == nil {
		return
	}
	w.Place, w.From = min(w.Place, p.place()), p.old.Target
	w.Halfway = w.Halfway || p.new != nil
	if p.old.Strictest() == plan.Enforce {
		w.Enforces, w.First = true, min(w.First, p.place())
	}
}

// policy is a policy of an environment with what it has of each kind; nil for none.
type policy struct{ old, new *plan.Policy }

func (p *policy) add(has plan.Policy, to string) {
	if has.Target == to {
		p.new = &has
	} else {
		p.old = &has
	}
}

// place returns how far a policy is that has something of another kind.
func (p *policy) place() Place {
	for tier, action := range p.old.Actions {
		if action == plan.Enforce && (p.new == nil || p.new.Actions[tier] != plan.Enforce) {
			return Beside
		}
	}
	return Both
}

// onlyKind reports whether the contents differ in nothing but the kind. trust holds the keys
// of the environment.
func (p *policy) onlyKind(trust []plan.TrustObject) bool {
	return p.old != nil && p.new != nil && staging.OnlyKind(*p.old, trust, *p.new, trust)
}

// back reports whether the way is one back: the kinds are in their order.
func (w Way) back() bool {
	return slices.Index(catalog.Targets(), w.To) < slices.Index(catalog.Targets(), w.From)
}

// At says in words where the environment is.
func (w Way) At() string {
	since := ""
	if w.Since != "" {
		since = " since " + w.Since
	}
	switch w.Place {
	case Before:
		switch {
		case w.Halfway && w.First == Both:
			return plural(w.From) + " and " + plural(w.To) + " enforce"
		case w.Halfway && w.First == Done:
			return plural(w.To) + " enforce, " + plural(w.From) + " audit beside them"
		}
		return "has " + plural(w.From)
	case Beside:
		return plural(w.From) + " enforce, " + plural(w.To) + " audit beside them" + since
	case Both:
		return plural(w.From) + " and " + plural(w.To) + " enforce" + since
	}
	return "has " + plural(w.To)
}

// plural returns the name of a kind for several of it.
func plural(kind string) string {
	if stem, ok := strings.CutSuffix(kind, "y"); ok {
		return stem + "ies"
	}
	return kind + "s"
}

// Refusal is why an environment cannot take its next step, and when it can.
type Refusal struct{ Why, When string }

// Refused returns why the environment cannot take its next step on a day; nil if it can.
// ways are those of all environments.
func (w Way) Refused(ways []Way, today string) *Refusal {
	for _, other := range ways {
		if other.Ring < w.Ring && other.Place <= w.Place && other.To == w.To && !w.AllowAhead && !w.back() {
			return &Refusal{Why: other.Environment + " is in an earlier ring and not further (" + other.At() + ")",
				When: "take the step there first, or set allowAhead: true in the file of " + w.Environment}
		}
	}
	if w.Place == Before {
		return w.refusedByOther(today)
	}
	if w.Since != "" && w.Since >= today {
		when := "today"
		if w.Since > today {
			when = w.Since + ", which is later"
		}
		return &Refusal{Why: "the step before is of " + when + ": Flux has to apply it, and the reports of the clusters have to be looked at", When: "go on from " + after(w.Since)}
	}
	if day := w.changes(); day > today {
		return &Refusal{Why: "spec.changes: " + w.used + " is used", When: "go on from " + day}
	}
	return w.refusedByOther(w.changes())
}

// refusedByOther refuses a step that would accept more than the kind of policies. At the
// first step, nothing that waits may be of the policies that go over.
func (w Way) refusedByOther(day string) *Refusal {
	var others []string
	for _, other := range w.waits {
		if other.since <= day && (w.Place != Before || strings.HasPrefix(other.what, "policy ")) {
			others = append(others, other.what)
		}
	}
	if len(others) == 0 {
		return nil
	}
	if w.Place == Before {
		return &Refusal{Why: "these changes wait there already: " + staging.Some(others), When: "look at them, and accept them with spec.changes or take them back first"}
	}
	return &Refusal{Why: "spec.changes: " + day + " would also accept: " + staging.Some(others),
		When: "look at that too, then set spec.changes: " + day + " yourself and build: that is the step"}
}

// changes returns the spec.changes of the next step: the earliest day that accepts what
// waits since the step before, so that it accepts nothing that came later.
func (w Way) changes() string {
	if w.used == "" || w.used < w.Since {
		return w.Since
	}
	return after(w.used)
}

// after returns the day after a day.
func after(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}
