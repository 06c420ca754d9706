// Package junit encodes reports in the subset of JUnit's XML that every reader
// knows: suites of cases, of which each passed, failed, erred or was skipped.
package junit

import "encoding/xml"

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

// Suite is a group of cases with its counts.
type Suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Cases    []Case `xml:"testcase"`
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

// Encode returns the report as an XML document.
func (s Suites) Encode() ([]byte, error) {
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}
