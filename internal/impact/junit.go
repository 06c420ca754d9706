package impact

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The subset of JUnit's XML that every reader knows. A suite is an environment,
// a case one control in it: it fails if the bump would block something.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		ClassName string        `xml:"classname,attr"`
		Name      string        `xml:"name,attr"`
		Failure   *junitMessage `xml:"failure"`
		Error     *junitMessage `xml:"error"`
		Skipped   *junitMessage `xml:"skipped"`
		Output    string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (r *Report) junit() ([]byte, error) {
	out := junitSuites{Name: "gatehouse impact"}
	for _, e := range r.Environments {
		suite := e.junit(r.of(e.Name))
		out.Tests, out.Failures = out.Tests+suite.Tests, out.Failures+suite.Failures
		out.Errors, out.Skipped = out.Errors+suite.Errors, out.Skipped+suite.Skipped
		out.Suites = append(out.Suites, suite)
	}
	text, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

func (e Environment) junit(findings []Finding) junitSuite {
	suite := junitSuite{Name: e.Name + ": " + e.bumpText()}
	byControl := map[string][]Finding{}
	for _, f := range findings {
		byControl[f.Control] = append(byControl[f.Control], f)
	}
	controls := e.Judged
	if len(byControl[""]) > 0 {
		controls = append([]string{""}, controls...)
	}
	for _, control := range controls {
		c := junitCase{ClassName: e.Name, Name: Finding{Control: control}.who()}
		c.Failure = message(byControl[control], WouldBlock)
		c.Error = message(byControl[control], Errored)
		switch {
		case c.Error != nil:
			suite.Errors++
			c.Failure = nil // a case has one of the two; what blocks is in the output
		case c.Failure != nil:
			suite.Failures++
		}
		c.Output = lines(byControl[control])
		suite.Cases = append(suite.Cases, c)
	}
	for _, n := range e.NotEvaluated {
		suite.Skipped++
		suite.Cases = append(suite.Cases, junitCase{ClassName: e.Name, Name: n.Control, Skipped: &junitMessage{Message: "not evaluated: " + n.Reason}})
	}
	suite.Tests = len(suite.Cases)
	return suite
}

// message is nil if no finding has the status.
func message(findings []Finding, status Status) *junitMessage {
	var some []Finding
	for _, f := range findings {
		if f.Status == status {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return &junitMessage{Message: title(status) + ": " + objects(len(some)), Text: lines(some)}
}

func lines(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s: %s (%s)", title(f.Status), f.Workload(), f.Owner)
		if why := f.why(); why != "" {
			b.WriteString(": " + why)
		}
		if f.File != "" {
			fmt.Fprintf(&b, " [%s]", f.Position)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}
