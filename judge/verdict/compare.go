package verdict

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// Comparison says how the verdicts in one environment differ between two kinds of policies.
type Comparison struct {
	Environment string `json:"environment"`
	// From is the kind that the profile says, To the one that the report is of.
	From string `json:"from"`
	To   string `json:"to"`
	// Equal is the number of checks with the same verdict of both kinds.
	Equal       int          `json:"equal"`
	Differences []Difference `json:"differences"`
	// NotCompared is the number of checks that only one kind can be asked, such as of the
	// policies themselves, and of those whose policy is of one kind in both.
	NotCompared int `json:"notCompared"`
}

// Difference is a check with another verdict of each kind of policies.
type Difference struct {
	Tier     string `json:"tier,omitempty"`
	Check    string `json:"check"`
	Policy   string `json:"policy,omitempty"`
	Case     string `json:"case"`
	Resource string `json:"resource,omitempty"`
	Origin   string `json:"origin,omitempty"`
	From     string `json:"from"`
	To       string `json:"to"`
	// Message of the kind that finds something; that of To if both do.
	Message string `json:"message,omitempty"`
}

// Compare adds to the report how it differs from one about the same source with another
// kind of policies.
func (r *Report) Compare(from *Report) {
	before := map[checkKey]Result{}
	counts := map[checkKey]int{}
	for _, result := range from.Results {
		before[keyOf(result, counts)] = result
	}
	counts = map[checkKey]int{}
	byEnvironment := map[string]*Comparison{}
	r.Comparisons = make([]Comparison, len(r.Environments))
	for i, env := range r.Environments {
		r.Comparisons[i] = Comparison{Environment: env.Name, To: env.Target, Differences: []Difference{}}
		byEnvironment[env.Name] = &r.Comparisons[i]
	}
	for _, env := range from.Environments {
		byEnvironment[env.Name].From = env.Target
	}
	for _, result := range r.Results {
		key := keyOf(result, counts)
		old, found := before[key]
		delete(before, key)
		byEnvironment[result.Environment].add(old, result, found)
	}
	for key := range before {
		byEnvironment[key.environment].NotCompared++
	}
}

func (c *Comparison) add(from, to Result, both bool) {
	switch {
	case !both, from.Target == to.Target, !evaluated(from), !evaluated(to):
		c.NotCompared++
	case effect(from) == effect(to):
		c.Equal++
	default:
		message := to.Message
		if message == "" {
			message = from.Message
		}
		c.Differences = append(c.Differences, Difference{Tier: to.Tier, Check: to.Check, Policy: to.Policy, Case: to.Case,
			Resource: to.Resource, Origin: to.Origin, From: from.Got, To: to.Got, Message: message})
	}
}

// checkKey identifies a check in a report. The same may be asked several times.
type checkKey struct {
	environment, tier, check, policy, name, resource string
	nth                                              int
}

func keyOf(r Result, counts map[checkKey]int) checkKey {
	key := checkKey{environment: r.Environment, tier: r.Tier, check: r.Check, policy: r.Policy, name: r.Case, resource: r.Resource}
	nth := counts[key]
	counts[key]++
	key.nth = nth
	return key
}

// evaluated reports whether the engine was asked for the result.
func evaluated(r Result) bool { return r.Got != notEvaluated && r.Check != CheckLoad }

// effect is what the verdict of a result means for the object. A policy that finds nothing
// and one that does not judge the object admit it alike; one that refuses an image and one
// that cannot read it refuse it alike, where that is right.
func effect(r Result) string {
	if r.Status == Passed {
		return strings.TrimPrefix(strings.TrimSuffix(r.Got, notJudged), "error, ")
	}
	return strings.TrimSuffix(r.Got, notJudged)
}

// targetOf returns the kind of policy that a result is about: that of its policy, or of
// the environment if it is about all.
func targetOf(r Result, env plan.Environment) string {
	if kind, _, ok := strings.Cut(r.Policy, "/"); ok && slices.Contains(catalog.Targets(), kind) {
		return kind
	}
	for _, p := range env.Policies {
		if p.Name == r.Policy {
			return p.Target
		}
	}
	return env.Kyverno.PolicyType
}

// differing returns the number of differences in all environments.
func (r *Report) differing() int {
	n := 0
	for _, c := range r.Comparisons {
		n += len(c.Differences)
	}
	return n
}

// Differs reports whether a comparison found a difference.
func (r *Report) Differs() bool { return r.differing() > 0 }
