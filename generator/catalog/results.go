package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// ResultsFile holds the Recordings of a control, below its folder.
const ResultsFile = "tests/results.yaml"

// Recordings holds the results of the policy of a control for its Plain cases. The
// engine makes them, because the compiler has no engine, and the tests of the module
// engine check them. A control without recordings is compiled without tests.
type Recordings struct {
	// Examples were made with the example parameters.
	Examples Recording `json:"examples"`
	// Defaults were made with the defaults, if these are complete and differ from the
	// examples.
	Defaults *Recording `json:"defaults,omitempty"`
}

// Recording holds the results with one set of parameters.
type Recording struct {
	Good Results `json:"good"`
	Bad  Results `json:"bad"`
}

// Results holds pass, fail or skip, by the name of the case and the name of the rule.
// It has no rules that do not match, and no cases that no rule matches.
type Results map[string]map[string]string

// JudgedCase is a case and the result of each rule.
type JudgedCase struct {
	Case
	// Rules by the names in the template: pass, fail or skip.
	Rules map[string]string
}

// Encode returns the text of the ResultsFile.
func (r Recordings) Encode() ([]byte, error) {
	text, err := yaml.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding results: %w", err)
	}
	return append([]byte("# What each rule says of each document. Recorded with Kyverno, do not edit: make results\n"), text...), nil
}

// recordings decodes the ResultsFile; nil if there is none.
func (c *Control) recordings() (*Recordings, error) {
	if c.results == nil {
		return nil, nil
	}
	file := path.Join(c.Dir, ResultsFile)
	docs, err := documents(file, c.results)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("%s: has %d documents, must have exactly one", file, len(docs))
	}
	raw, err := json.Marshal(docs[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var out Recordings
	strict, err := strictjson.UnmarshalStrict(raw, &out)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &out, nil
}

// Judged returns the cases whose results are known for resolved parameters:
// good ones without a failure and bad ones with at least one.
//
// They are known if the policy is the recorded one. If a parameter changed the
// policy, they are still known for documents that use this parameter, because their
// author fitted them to it.
func (c *Control) Judged(params map[string]any) (good, bad []JudgedCase, err error) {
	recorded, err := c.recordings()
	if recorded == nil || err != nil {
		return nil, nil, err
	}
	recording, changed, err := c.closest(recorded, params)
	if err != nil {
		return nil, nil, err
	}
	allGood, allBad, err := c.Tests(params)
	if err != nil {
		return nil, nil, nil // the documents need parameters that say more than these; Verify renders them with the examples
	}
	for _, j := range judged(allGood, recording.Good, changed) {
		if !j.fails() {
			good = append(good, j)
		}
	}
	for _, j := range judged(allBad, recording.Bad, changed) {
		if j.fails() {
			bad = append(bad, j)
		}
	}
	return good, bad, nil
}

func (j JudgedCase) fails() bool {
	return slices.Contains(slices.Collect(maps.Values(j.Rules)), "fail")
}

func judged(cases []Case, results Results, changed []string) []JudgedCase {
	var out []JudgedCase
	for _, c := range cases {
		unused := func(name string) bool { return !slices.Contains(c.Parameters, name) }
		if rules := results[c.Name]; c.Plain() && len(rules) > 0 && !slices.ContainsFunc(changed, unused) {
			out = append(out, JudgedCase{Case: c, Rules: rules})
		}
	}
	return out
}

// closest returns the recording of exactly this policy, if there is one. Otherwise it
// returns the recording of the examples, and the parameters that differ from them.
func (c *Control) closest(recorded *Recordings, params map[string]any) (Recording, []string, error) {
	if recorded.Defaults != nil {
		if defaults, problems := c.ResolveParameters(nil, nothingDerived); len(problems) == 0 && len(c.changed(defaults, params)) == 0 {
			return *recorded.Defaults, nil, nil
		}
	}
	examples, problems := c.Examples()
	if len(problems) > 0 {
		return Recording{}, nil, problems[0]
	}
	return recorded.Examples, c.changed(examples, params), nil
}

// changed returns the parameters whose values differ. It leaves out those with the
// users and namespaces that a policy exempts, which no case tests.
func (c *Control) changed(before, after map[string]any) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(after)), func(name string) bool {
		from := c.Parameters.Properties[name].From
		return from == "deployers" || strings.HasPrefix(from, "deployers.") || from == "systemNamespaces" || equalJSON(before[name], after[name])
	})
}

func nothingDerived(string) (any, bool) { return nil, false }

var (
	separatorPattern = regexp.MustCompile(`(?m)^---\s*$`)
	actionPattern    = regexp.MustCompile(`<<[^>]*>>`)
	fieldPattern     = regexp.MustCompile(`\.([A-Za-z]\w*)`)
	contentPattern   = regexp.MustCompile(`(?m)^[^#\s]`)
)

// parametersUsed returns the parameters that each document of a template uses.
func parametersUsed(text []byte) [][]string {
	var out [][]string
	for _, doc := range separatorPattern.Split(string(text), -1) {
		if !contentPattern.MatchString(doc) {
			continue
		}
		var used []string
		for _, field := range fieldPattern.FindAllStringSubmatch(strings.Join(actionPattern.FindAllString(doc, -1), " "), -1) {
			used = append(used, field[1])
		}
		out = append(out, used)
	}
	return out
}

// equalJSON reports whether two values have the same encoding.
func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
