package junit_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/junit"
)

func TestEncode(t *testing.T) {
	const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	zero := 0
	suite := func(c junit.Case) junit.Suites {
		return junit.Suites{Name: "r", Tests: 1, Suites: []junit.Suite{{Name: "s", Tests: 1, Cases: []junit.Case{c}}}}
	}
	document := func(content string) string {
		return header + `<testsuites name="r" tests="1" failures="0" skipped="0">
  <testsuite name="s" tests="1" failures="0" errors="0" skipped="0">
    <testcase classname="c" name="n">` + content + `</testcase>
  </testsuite>
</testsuites>
`
	}
	for name, test := range map[string]struct {
		report junit.Suites
		want   string
	}{
		"empty":       {junit.Suites{Name: "r"}, header + `<testsuites name="r" tests="0" failures="0" skipped="0"></testsuites>` + "\n"},
		"with errors": {junit.Suites{Name: "r", Errors: &zero}, header + `<testsuites name="r" tests="0" failures="0" errors="0" skipped="0"></testsuites>` + "\n"},
		"passed":      {suite(junit.Case{ClassName: "c", Name: "n"}), document("")},
		"failed": {suite(junit.Case{ClassName: "c", Name: "n", Failure: &junit.Message{Message: `a "b"`, Text: "<c> & d"}}),
			document("\n      <failure message=\"a &#34;b&#34;\">&lt;c&gt; &amp; d</failure>\n    ")},
		"error":   {suite(junit.Case{ClassName: "c", Name: "n", Error: &junit.Message{Message: "m"}}), document("\n      <error message=\"m\"></error>\n    ")},
		"skipped": {suite(junit.Case{ClassName: "c", Name: "n", Skipped: &junit.Message{Message: "m"}}), document("\n      <skipped message=\"m\"></skipped>\n    ")},
		"output":  {suite(junit.Case{ClassName: "c", Name: "n", Output: "o"}), document("\n      <system-out>o</system-out>\n    ")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.report.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}
