package verdict

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// want is the expected answer.
type want struct {
	verdict verdict
	// exception that must exempt the object (exempted) or must not (all other verdicts);
	// may be empty.
	exception string
}

// notJudged ends a verdict that no rule gave.
const notJudged = ", not judged"

type verdict int

const (
	silent            verdict = iota // no rule applies
	clean                            // the rules find no violation
	pinned                           // like clean, and the digests of images are added
	audited                          // a rule reports, nothing is blocked
	refused                          // a rule blocks
	refusedOrError                   // a rule blocks, perhaps by an error: the image cannot be read
	admittedWithError                // nothing is blocked, although a rule could not read the image
	exempted                         // the rules are skipped because of the exception
	untouched                        // any verdict, but not because of the exception
	unblocked                        // nothing is blocked
)

func (w want) String() string {
	switch w.verdict {
	case silent:
		return "admitted" + notJudged
	case clean:
		return "admitted"
	case pinned:
		return "admitted, by digest"
	case audited:
		return "admitted and reported"
	case refused, refusedOrError:
		return "refused"
	case admittedWithError:
		return "admitted, with an error"
	case exempted:
		return "exempt by " + w.exception
	case unblocked:
		return "not refused"
	}
	return "not exempt by " + w.exception
}

// wantBad returns the verdict for a violation under an action.
func wantBad(a plan.Action) verdict {
	return [...]verdict{plan.Off: silent, plan.Audit: audited, plan.Enforce: refused}[a]
}

// wantGood returns the verdict for an object without violations under an action.
func wantGood(a plan.Action) verdict {
	if a == plan.Off {
		return silent
	}
	return clean
}

// judge returns the result of the check for an answer.
func (c check) judge(answer engine.Evaluation) Result {
	out := c.result
	out.Expected = c.want.String()
	if answer.Result == nil {
		out.Status, out.Got = Failed, "no verdict"
		if answer.Error != nil {
			out.Message = answer.Error.Message
		}
		return out
	}
	a := read(*answer.Result)
	if c.partly && (a.blocks || a.reports) {
		a.exceptions = slices.DeleteFunc(a.exceptions, func(x string) bool { return x == c.want.exception })
	}
	out.Rule, out.Got, out.Message = strings.Join(a.deciding, ", "), a.String(), a.message
	switch {
	case a.errors && c.want.verdict != refusedOrError && c.want.verdict != admittedWithError:
		out.Status = Failed
	case c.want.met(a) && !c.specMet(*answer.Result):
		out.Status, out.Got, out.Message = Failed, out.Got+", with another spec", "its spec is now "+string(specAfter(c.request, *answer.Result))
	case c.want.met(a):
		out.Status = Passed
		if !slices.Contains([]verdict{audited, refused, refusedOrError, admittedWithError, unblocked}, c.want.verdict) {
			out.Message = ""
		}
	case c.want.verdict == untouched && !a.matched && !a.blocked:
		out.Status, out.Message = Skipped, "no rule judges the object, so the exception waives none"
	case c.exemptByOther(a):
		out.Status, out.Message = Skipped, "exempt by "+strings.Join(a.exceptions, ", ")
	case c.unsure != "":
		out.Status, out.Message = Skipped, c.unsure
	default:
		out.Status = Failed
	}
	return out
}

// specMet reports whether the object has the expected spec, if it is admitted.
func (c check) specMet(r engine.EvaluateResult) bool {
	if c.spec == nil || r.Blocked {
		return true
	}
	wanted, err := json.Marshal(c.spec)
	return err == nil && bytes.Equal(wanted, specAfter(c.request, r))
}

// specAfter returns the spec of the object as it would be stored, with sorted fields.
func specAfter(request engine.EvaluateParams, r engine.EvaluateResult) []byte {
	object := r.Patched
	if object == nil {
		object = request.Resource
	}
	var fields struct {
		Spec any `json:"spec"`
	}
	if err := json.Unmarshal(object, &fields); err != nil {
		return []byte(err.Error())
	}
	spec, err := json.Marshal(fields.Spec)
	if err != nil {
		return []byte(err.Error())
	}
	return spec
}

// exemptByOther reports whether another exception explains the answer.
func (c check) exemptByOther(a answer) bool {
	others := slices.DeleteFunc(slices.Clone(a.exceptions), func(x string) bool { return x == c.tried })
	return !c.strict && !a.blocked && len(others) > 0 && !slices.Contains(a.exceptions, c.want.exception)
}

// answer is the summary of an evaluation.
type answer struct {
	blocked    bool
	matched    bool     // some rule has a result
	errors     bool     // some rule failed, or has an unknown outcome
	reports    bool     // some rule reports a violation
	blocks     bool     // some rule with a violation blocks
	deciding   []string // rules with a violation or an error, else all
	exceptions []string
	message    string // of the first deciding rule
}

func read(r engine.EvaluateResult) answer {
	a := answer{blocked: r.Blocked, matched: len(r.Results) > 0}
	var all []string
	for _, rule := range r.Results {
		all = append(all, rule.Rule)
		for _, x := range rule.Exceptions {
			if name := plan.ExceptionOf(x); !slices.Contains(a.exceptions, name) {
				a.exceptions = append(a.exceptions, name)
			}
		}
		switch rule.Result {
		case engine.OutcomePass, engine.OutcomeSkip:
			continue
		case engine.OutcomeFail, engine.OutcomeWarn:
			a.reports = true
			a.blocks = a.blocks || rule.Blocks
		default:
			a.errors = true
		}
		if len(a.deciding) == 0 {
			a.message = rule.Message
		}
		a.deciding = append(a.deciding, rule.Rule)
	}
	if len(a.deciding) == 0 {
		a.deciding = all
	}
	return a
}

func (a answer) String() string {
	switch {
	case a.errors && a.blocked:
		return "error, refused"
	case a.errors:
		return "error"
	case a.blocked:
		return "refused"
	case a.reports:
		return "admitted and reported"
	case len(a.exceptions) > 0:
		return "exempt by " + strings.Join(a.exceptions, ", ")
	case !a.matched:
		return "admitted" + notJudged
	}
	return "admitted"
}

// met reports whether an answer is the expected one. Answers with errors reach it only
// for verdicts that allow them (see judge).
func (w want) met(a answer) bool {
	if w.verdict != exempted && w.exception != "" && slices.Contains(a.exceptions, w.exception) {
		return false
	}
	switch w.verdict {
	case silent:
		return !a.blocked && !a.matched
	case clean, pinned:
		return !a.blocked && !a.reports
	case audited, admittedWithError:
		return !a.blocked && (a.reports || a.errors)
	case refused, refusedOrError:
		return a.blocked && (a.blocks || a.errors)
	case exempted:
		return !a.blocked && !a.reports && slices.Contains(a.exceptions, w.exception)
	case unblocked:
		return !a.blocked
	}
	return a.matched // untouched
}
