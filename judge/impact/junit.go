package impact

import (
	"cmp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/junit"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// junit returns a suite per environment with a case per control. A case fails if the
// bump would block an object.
func (r *Report) junit() ([]byte, error) {
	errors := 0
	out := junit.Suites{Name: "gatehouse impact", Errors: &errors}
	for _, e := range r.Environments {
		suite := e.junit(r.of(e.Name))
		out.Tests, out.Failures = out.Tests+suite.Tests, out.Failures+suite.Failures
		errors, out.Skipped = errors+suite.Errors, out.Skipped+suite.Skipped
		out.Suites = append(out.Suites, suite)
	}
	if suite := r.unjudged(); len(suite.Cases) > 0 {
		out.Tests, out.Skipped, errors = out.Tests+suite.Tests, out.Skipped+suite.Skipped, errors+suite.Errors
		out.Suites = append(out.Suites, suite)
	}
	return out.Encode()
}

// unjudged returns a suite of what was not judged: a case is skipped, or has an error if it
// could not be read.
func (r *Report) unjudged() junit.Suite {
	suite := junit.Suite{Name: "not judged"}
	skip := func(class, name, why string) {
		suite.Skipped++
		suite.Cases = append(suite.Cases, junit.Case{ClassName: class, Name: name, Skipped: &junit.Message{Message: why}})
	}
	for _, n := range r.NotJudged {
		skip(n.Kind, cmp.Or(n.Name, n.File), n.what()+": "+n.Reason)
	}
	for _, d := range r.Unreached {
		skip("unreached", d.File, d.Summary)
	}
	for _, d := range r.Unread {
		suite.Errors++
		suite.Cases = append(suite.Cases, junit.Case{ClassName: "unread", Name: d.Position.String(), Error: &junit.Message{Message: "not read", Text: d.String()}})
	}
	suite.Tests = len(suite.Cases)
	return suite
}

func (e Environment) junit(findings []Finding) junit.Suite {
	suite := junit.Suite{Name: e.Name + ": " + e.bumpText()}
	byControl := map[string][]Finding{}
	for _, f := range findings {
		byControl[f.Control] = append(byControl[f.Control], f)
	}
	controls := e.Judged
	if len(byControl[""]) > 0 {
		controls = append([]string{""}, controls...)
	}
	for _, control := range controls {
		c := junit.Case{ClassName: e.Name, Name: Finding{Control: control}.control()}
		c.Failure = message(byControl[control], WouldBlock)
		c.Error = message(byControl[control], Errored)
		switch {
		case c.Error != nil:
			suite.Errors++
			c.Failure = nil // a case has one of the two; the output lists what is blocked
		case c.Failure != nil:
			suite.Failures++
		default:
			if c.Skipped = message(byControl[control], Unknown); c.Skipped != nil {
				c.Skipped.Text = "" // the output has it
				suite.Skipped++
			}
		}
		c.Output = lines(byControl[control])
		suite.Cases = append(suite.Cases, c)
	}
	for _, n := range e.NotEvaluated {
		suite.Skipped++
		suite.Cases = append(suite.Cases, junit.Case{ClassName: e.Name, Name: n.Control, Skipped: &junit.Message{Message: "not evaluated: " + n.Reason}})
	}
	suite.Tests = len(suite.Cases)
	return suite
}

// message returns the findings with the status; nil if there are none.
func message(findings []Finding, status Status) *junit.Message {
	var some []Finding
	for _, f := range findings {
		if f.Status == status {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return &junit.Message{Message: title(status) + ": " + objects(len(some)), Text: lines(some)}
}

func lines(findings []Finding) string {
	var b plain.Text
	for _, f := range findings {
		b.Line("%s: %s (%s)%s", title(f.Status), f.Workload(), f.Owner, f.details())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
