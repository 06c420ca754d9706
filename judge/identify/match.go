package identify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

// said is what a policy says of a document.
type said int

const (
	nothing  said = iota // it does not judge it
	admits               // it finds no fault
	violated             // it refuses or reports it
	broken               // it cannot judge it
)

func (s said) String() string {
	return [...]string{"admitted, not judged", "admitted", "refused", "error"}[s]
}

// table has what each policy says of each document, by the name of the policy.
type table struct {
	documents []verdict.Document
	controls  []string
	said      map[string][]said
	errors    map[string]string // the first error of a policy
}

func newTable(c *catalogue, answers []engine.Evaluation) *table {
	t := &table{documents: c.documents, said: map[string][]said{}, errors: map[string]string{}}
	for _, p := range c.policies {
		// What a control looks up is not there: it would seem to refuse everything.
		if len(p.LookUps) == 0 {
			t.controls = append(t.controls, p.Name)
		}
		t.said[p.Name] = make([]said, len(answers))
	}
	for i, answer := range answers {
		if answer.Result == nil { // no policy can judge a document that is not a request
			continue
		}
		for _, rule := range answer.Result.Results {
			if t.said[rule.Policy] == nil {
				t.said[rule.Policy] = make([]said, len(answers))
			}
			t.said[rule.Policy][i] = max(t.said[rule.Policy][i], t.of(rule))
		}
	}
	return t
}

func (t *table) of(rule engine.RuleResult) said {
	switch rule.Result {
	case engine.OutcomePass, engine.OutcomeSkip:
		return admits
	case engine.OutcomeFail, engine.OutcomeWarn:
		return violated
	}
	t.errors[rule.Policy] = cmp.Or(t.errors[rule.Policy], strings.Join(strings.Fields(rule.Message), " "))
	return broken
}

// match compares a policy with some controls together.
type match struct {
	controls                                        []string
	equal, both, either, beyond, tolerated, differs int
	differences                                     []Difference
}

// shown is how many differences are listed.
const shown = 10

func (t *table) match(policy []said, controls ...string) match {
	m := match{controls: controls}
	for i, d := range t.documents {
		control := admits
		for _, name := range controls {
			control = max(control, t.said[name][i])
		}
		ours, theirs := control == violated, policy[i] == violated
		switch {
		case ours && theirs:
			m.both++
		case ours && policy[i] != broken:
			m.beyond++
		}
		if ours || theirs {
			m.either++
		}
		switch {
		case policy[i] != broken && control != broken && ours == theirs:
			if policy[i] != nothing {
				m.equal++
			}
		case theirs && !ours && d.Twin >= 0 && t.anyViolated(d.Twin, controls):
			m.tolerated++
		default:
			m.differs++
			if len(m.differences) < shown {
				m.differences = append(m.differences, Difference{Document: d.Name, Resource: d.Resource, Origin: d.Origin, Policy: policy[i].String(), Control: control.String()})
			}
		}
	}
	return m
}

// anyViolated reports whether one of the controls finds a fault in a document.
func (t *table) anyViolated(document int, controls []string) bool {
	return slices.ContainsFunc(controls, func(name string) bool { return t.said[name][document] == violated })
}

// admitsGood reports whether a policy admits at least half of what a control is there to
// admit: its own good documents, where both judge them. What asks for something that hardly
// any document has refuses what a control refuses, and yet is nothing like it.
func (t *table) admitsGood(policy []said, control string) bool {
	judged, good, admitted := 0, 0, 0
	for i, d := range t.documents {
		if d.Origin != "controls/"+control+goodDocuments || policy[i] == nothing {
			continue
		}
		judged++
		if t.said[control][i] == admits {
			good++
			if policy[i] == admits {
				admitted++
			}
		}
	}
	return judged == 0 || good > 0 && 2*admitted >= good
}

// identify fills in what is known of a policy.
func (t *table) identify(f *foreign) {
	policy := t.said[f.name]
	judged, refused, failed := count(policy)
	switch {
	case judged == 0:
		f.found.refuse(fmt.Sprintf("it judges none of %d documents: other kinds, or other namespaces than %s (take the namespaces out of a copy of the policy to compare it)", len(t.documents), catalog.TestNamespace(tier)))
		return
	case failed == judged:
		f.found.refuse("the engine cannot judge with it: " + t.errors[f.name])
		return
	case refused == 0:
		f.found.refuse(fmt.Sprintf("it refuses none of the %d documents that it judges: nothing can be compared", judged))
		return
	}
	best := t.match(policy)
	for _, control := range t.controls {
		if m := t.match(policy, control); t.admitsGood(policy, control) && m.closer(best) {
			best = m
		}
	}
	if best.differs > 0 {
		if together := t.together(policy); together.differs == 0 && together.both > 0 {
			best = together
		}
	}
	f.found.Controls, f.found.Documents, f.found.Refused, f.found.Tolerated = best.controls, best.equal, best.both, best.tolerated
	f.found.Differing, f.found.Differences = best.differs, best.differences
	switch {
	case best.differs == 0 && best.both > 0:
		f.found.Answer = Equal
	case best.both > 0 && 3*best.both >= best.either, best.both == refused && 2*best.either <= judged: // a stricter one
		f.found.Answer = Different
	default:
		f.found.refuse(fmt.Sprintf("no control gives a similar answer: it refuses %d of the %d documents that it judges%s", refused, judged, best.nearest()))
		f.found.Controls, f.found.Documents, f.found.Refused, f.found.Tolerated, f.found.Differing, f.found.Differences = nil, 0, 0, 0, 0, nil
	}
}

func count(policy []said) (judged, refused, failed int) {
	for _, s := range policy {
		if s != nothing {
			judged++
		}
		if s == violated {
			refused++
		}
		if s == broken {
			failed++
		}
	}
	return judged, refused, failed
}

// closer reports whether a match is better than another one.
func (m match) closer(than match) bool {
	if (m.differs == 0 && m.both > 0) != (than.differs == 0 && than.both > 0) {
		return m.differs == 0 && m.both > 0
	}
	return m.both*max(than.either, 1) > than.both*max(m.either, 1)
}

func (m match) nearest() string {
	if m.both == 0 {
		return ", and no control admits what it admits and refuses any of these"
	}
	return fmt.Sprintf(", of which %s, the nearest, refuses %d", m.controls[0], m.both)
}

// together returns the match of the controls that refuse nothing that the policy admits,
// each of which refuses something that the ones before do not.
func (t *table) together(policy []said) match {
	var chosen []string
	best := t.match(policy)
	for {
		next := best
		for _, control := range t.controls {
			m := t.match(policy, append(slices.Clone(chosen), control)...)
			if m.beyond == 0 && m.both > next.both && t.admitsGood(policy, control) {
				next = m
			}
		}
		if next.both == best.both {
			return best
		}
		best, chosen = next, next.controls
	}
}
