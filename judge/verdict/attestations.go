package verdict

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// demand is an attestation that a rule demands.
type demand struct {
	quorum
	predicateType string
	conditions    []plan.Condition
}

// everyone returns all signers once, also those of attestations.
func (t *imageTrial) everyone() []signer {
	all := slices.Clone(t.signers)
	for _, d := range t.demands {
		for _, s := range d.signers {
			if !slices.ContainsFunc(all, func(other signer) bool { return other.Name == s.Name }) {
				all = append(all, s)
			}
		}
	}
	return all
}

// attested returns just enough attestations for all demands.
func (t *imageTrial) attested() []engine.Attestation {
	return t.attestedWith(-1, nil)
}

// attestedWith is attested with others instead of those for one demand. It is not nil.
func (t *imageTrial) attestedWith(at int, others []engine.Attestation) []engine.Attestation {
	all := []engine.Attestation{}
	for i, d := range t.demands {
		if i == at {
			all = append(all, others...)
		} else {
			all = append(all, d.made(d.first(), d.good())...)
		}
	}
	return all
}

// first returns the signatures of a set that is just enough.
func (d demand) first() []engine.Signature {
	smallest, _ := d.sets()
	signatures, _ := d.by(smallest[0])
	return signatures
}

// made returns attestations of a predicate, one by each signer.
func (d demand) made(by []engine.Signature, predicate json.RawMessage) []engine.Attestation {
	out := make([]engine.Attestation, len(by))
	for i, s := range by {
		out[i] = engine.Attestation{Type: d.predicateType, Predicate: predicate, By: s}
	}
	return out
}

// good returns a predicate that satisfies the conditions, for which there is one.
func (d demand) good() json.RawMessage {
	out, err := goodPredicate(d.conditions)
	if err != nil {
		panic(err) // the trial would have a reason
	}
	return out
}

// attestations adds images that lack one demand, are just enough for it, or have what must
// not count. s is signed as the rule demands.
func (t *imageTrial) attestations(at int, s sample) {
	d := t.demands[at]
	add := func(name string, good bool, attestations ...engine.Attestation) {
		s.good, s.attestations = good, t.attestedWith(at, attestations)
		t.add(name+" ("+d.predicateType+")", s)
	}
	smallest, largest, left := d.fewSets()
	t.untried += left
	add("without an attestation", false)
	add("attested by a key that the profile does not name", false, d.made([]engine.Signature{{}}, d.good())...)
	for _, set := range smallest {
		by, names := d.by(set)
		add("attested by "+names, true, d.made(by, d.good())...)
	}
	for _, set := range largest {
		by, names := d.by(set)
		add("attested only by "+names, false, d.made(by, d.good())...)
	}
	first, right := d.first(), d.made(d.first(), d.good())
	other, elsewhere := slices.Clone(right), slices.Clone(right)
	for i := range right {
		other[i].Type += "x"
		elsewhere[i].OtherImage = true
	}
	add("with an attestation of another type", false, other...)
	add("with the attestation of another image", false, elsewhere...)
	add("attested twice", true, slices.Concat(right, right)...)
	add("attested, by a stranger, too", true, slices.Concat(d.made([]engine.Signature{{}}, json.RawMessage("{}")), right)...)
	for i, attester := range d.signers {
		if n := slices.IndexFunc(smallest, func(set uint) bool { return set&(1<<i) != 0 }); n >= 0 && attester.Keyless != nil {
			others, _ := d.by(smallest[n] &^ (1 << i))
			for what, identity := range impostors(*attester.signature.Identity) {
				if by := append(slices.Clone(others), engine.Signature{Identity: &identity}); !d.enough(by) {
					add("attested with "+what+" for "+attester.Name, false, d.made(by, d.good())...)
				}
			}
		}
	}
	for _, bad := range badPredicates(d.conditions) {
		add("attested with "+bad.name, false, d.made(first, bad.predicate)...)
	}
	if len(d.conditions) > 0 {
		bad := d.made(first, json.RawMessage("{}"))
		add("with a bad attestation after a good one", false, slices.Concat(right, bad)...)
		add("with a bad attestation before a good one", false, slices.Concat(bad, right)...)
	}
}

// goodPredicate returns a predicate that satisfies conditions.
func goodPredicate(conditions []plan.Condition) (json.RawMessage, error) {
	out := map[string]any{}
	for _, c := range conditions {
		value, err := goodValue(c)
		if err != nil {
			return nil, err
		}
		put(out, c.Path, value)
	}
	return json.Marshal(out)
}

// goodValue returns a value that satisfies a condition.
func goodValue(c plan.Condition) (any, error) {
	switch {
	case len(c.In) > 0:
		return c.In[0], nil
	case c.AtLeast != nil:
		return *c.AtLeast, nil
	case c.AtMost != nil:
		return *c.AtMost, nil
	}
	if text, ok := example(c.Matches); ok {
		return text, nil
	}
	return nil, fmt.Errorf("no text was found that %s matches", c.Matches)
}

// put puts a value at a path.
func put(in map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		if in[name] == nil {
			in[name] = map[string]any{}
		}
		in = in[name].(map[string]any)
	}
	in[path[len(path)-1]] = value
}

// badPredicate is a predicate with which one condition does not hold.
type badPredicate struct {
	name      string
	predicate json.RawMessage
}

// badPredicates returns predicates that each break one condition, in each way.
func badPredicates(conditions []plan.Condition) []badPredicate {
	var all []badPredicate
	for i, c := range conditions {
		others := slices.Delete(slices.Clone(conditions), i, i+1)
		add := func(what string, change func(predicate map[string]any)) {
			var predicate map[string]any
			raw, err := goodPredicate(others)
			if err == nil {
				err = json.Unmarshal(raw, &predicate)
			}
			if err == nil {
				change(predicate)
				raw, err = json.Marshal(predicate)
			}
			if err != nil {
				panic(err) // the trial would have a reason
			}
			all = append(all, badPredicate{fmt.Sprintf("%s %s", strings.Join(c.Path, "."), what), raw})
		}
		add("left out", func(map[string]any) {})
		for _, bad := range badValues(c) {
			add(bad.what, func(predicate map[string]any) { put(predicate, c.Path, bad.value) })
		}
	}
	return all
}

type badValue struct {
	what  string
	value any
}

// badValues returns values that do not satisfy a condition.
func badValues(c plan.Condition) []badValue {
	good, err := goodValue(c)
	if err != nil {
		panic(err) // the trial would have a reason
	}
	all := []badValue{{"null", nil}, {"in a list", []any{good}}, {"in an object", map[string]any{"value": good}}, {"of another value", stranger}, {"*", "*"}}
	if text, ok := good.(string); ok {
		all = append(all, badValue{"of a longer text", text + "x"}, badValue{"after another line", "x\n" + text})
	} else {
		all = append(all, badValue{"as a text", fmt.Sprint(good)})
	}
	if c.AtLeast != nil {
		all = append(all, badValue{"too low", *c.AtLeast - 1})
	}
	if c.AtMost != nil {
		all = append(all, badValue{"too high", *c.AtMost + 1})
	}
	return slices.DeleteFunc(all, func(b badValue) bool { return holds(c, b.value) })
}

// holds reports whether a value satisfies a condition; for a bound, a value that is no number
// or out of bounds.
func holds(c plan.Condition, value any) bool {
	if text, ok := value.(string); ok && c.Matches != "" {
		matches, err := regexp.MatchString("^(?:"+c.Matches+")$", text)
		return matches && err == nil
	}
	switch value.(type) {
	case string, bool, float64:
		return slices.Contains(c.In, value)
	}
	return false
}
