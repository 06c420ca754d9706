// Package hostile holds names that attack who reads them, for the tests of every output.
package hostile

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Names returns texts of which each attacks a terminal, a CI system, a forge or a reader.
func Names() []string {
	return []string{
		"\x1b[2J\x1b]0;title\x07", "\u009b31mred\u009c", "back\b\b\bspace\x7f\x00",
		"::error file=a::b", "x\n::add-mask::x", "x\r::set-output name=a::b", "##[error]x", "##vso[task.complete]x", "##teamcity[x]",
		"right\u202eleft\u2066x\u2069", "zero\u200bwidth\u2060\ufeff", "line\u2028sep\u2029arator\u0085", "space\u00a0\u3000\u3164\u00ad", "tag\U000e0041\U000e0061",
		"[link](https://evil.example)", "![image](https://evil.example/x.png)", "<img src=x onerror=alert(1)>", "<!-- comment", "</testcase>]]>&amp;",
		"@acme/everyone", "(@someone)", "acme/app#1", "GH-1 !2", "https://evil.example www.evil.example", "`code` | cell", "\xff\xfe\xc0\x80",
	}
}

// Text returns what is wrong with a text for terminals and logs; nil if nothing is.
func Text(text string) error {
	for i, line := range strings.Split(text, "\n") {
		if safe := plain.Line(strings.ReplaceAll(line, "\t", "")); safe != strings.ReplaceAll(line, "\t", "") {
			return fmt.Errorf("line %d is not safe: %q", i+1, line)
		}
	}
	return nil
}

var (
	markup    = regexp.MustCompile(`(^|[^\\])(!?\[[^\]]*\]\(|<[a-zA-Z!/])`)
	reference = regexp.MustCompile(`(?i)@(acme|someone)|#\d|!\d|GH-\d|[^\\]://|www\.evil`)
)

// Markdown returns what is wrong with a page of Markdown.
func Markdown(text string) error {
	if err := Text(text); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.ReplaceAll(text, "&#8203;", " "), "\n") {
		if found := markup.FindString(line) + reference.FindString(line); found != "" {
			return fmt.Errorf("line %d has markup or a reference, %q: %q", i+1, found, line)
		}
	}
	return nil
}

// XML returns what is wrong with an XML document.
func XML(text string) error {
	if err := Text(text); err != nil {
		return err
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := token.(xml.CharData); ok {
			if err := Text(string(text)); err != nil {
				return err
			}
		}
		start, _ := token.(xml.StartElement)
		for _, a := range start.Attr {
			if err := Text(a.Value); err != nil {
				return err
			}
		}
	}
}
