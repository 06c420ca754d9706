// Package junit encodes reports in the subset of JUnit's XML that every reader
// knows: suites of cases, of which each passed, failed, erred or was skipped.
package junit

import (
	"encoding/xml"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Suites are a whole report.
type Suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	// Errors is nil for a report that counts errors as failures.
	Errors  *int    `xml:"errors,attr,omitempty"`
	Skipped int     `xml:"skipped,attr"`
	Suites  []Suite `xml:"testsuite"`
}

// Add adds suites and their counts.
func (s *Suites) Add(suites ...Suite) {
	for _, suite := range suites {
		s.Tests, s.Failures, s.Skipped = s.Tests+suite.Tests, s.Failures+suite.Failures, s.Skipped+suite.Skipped
		s.Suites = append(s.Suites, suite)
	}
}

// Property is something that is true of all cases of a suite.
type Property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// Properties of a suite.
type Properties struct {
	List []Property `xml:"property"`
}

// Suite is a group of cases with its counts.
type Suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	// Properties of the suite; nil for none.
	Properties *Properties `xml:"properties"`
	Cases      []Case      `xml:"testcase"`
}

// Case passed unless it has one of Failure, Error and Skipped.
type Case struct {
	ClassName string   `xml:"classname,attr"`
	Name      string   `xml:"name,attr"`
	Failure   *Message `xml:"failure"`
	Error     *Message `xml:"error"`
	Skipped   *Message `xml:"skipped"`
	Output    string   `xml:"system-out,omitempty"`
}

// Message describes what happened: Message in one line, Text in any length.
type Message struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Encode returns the report as an XML document on which nothing is hidden, and without the
// characters that XML does not allow.
func (s Suites) Encode() ([]byte, error) {
	s.plain()
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// plain escapes every text. It does so before the text is XML, where a reader would see an
// escaped character as what it is.
func (s *Suites) plain() {
	s.Name = plain.Line(s.Name)
	suites := slices.Clone(s.Suites)
	for i, suite := range suites {
		suite.Name, suite.Cases = plain.Line(suite.Name), slices.Clone(suite.Cases)
		for j, c := range suite.Cases {
			suite.Cases[j] = Case{
				ClassName: plain.Line(c.ClassName), Name: plain.Line(c.Name), Output: plain.Lines(c.Output),
				Failure: c.Failure.plain(), Error: c.Error.plain(), Skipped: c.Skipped.plain(),
			}
		}
		suite.Properties = suite.Properties.plain()
		suites[i] = suite
	}
	s.Suites = suites
}

func (p *Properties) plain() *Properties {
	if p == nil {
		return nil
	}
	var out Properties
	for _, property := range p.List {
		out.List = append(out.List, Property{plain.Line(property.Name), plain.Line(property.Value)})
	}
	return &out
}

func (m *Message) plain() *Message {
	if m == nil {
		return nil
	}
	return &Message{Message: plain.Line(m.Message), Text: plain.Lines(m.Text)}
}
