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

// Recordings are what the policy of a control says of those of its cases that
// are Plain. They are made by the engine, since the compiler has none, and held against it by the
// tests of the module engine. A control without them is compiled without tests.
type Recordings struct {
	// Examples were made with the example parameters.
	Examples Recording `json:"examples"`
	// Defaults were made with the defaults, where these are complete and not
	// the same as the examples.
	Defaults *Recording `json:"defaults,omitempty"`
}

// Recording is what was said with one set of parameters.
type Recording struct {
	Good Results `json:"good"`
	Bad  Results `json:"bad"`
}

// Results is by name of the case and name of the rule: pass, fail or skip. Rules
// that do not match, and cases of which that is true for all, are absent.
type Results map[string]map[string]string

// JudgedCase is a case and what each rule says of it.
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
// They are known where the policy is the one that was recorded. Where a
// parameter made it another one, they are still known for the documents that
// use this parameter: it is there that the author fitted them to it.
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

// closest is the recording of the very policy, if there is one, else that of
// the examples with the parameters that are not the same.
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

// changed are the parameters whose values differ, without those that say whom
// and which namespaces a policy leaves alone: cases are about neither.
func (c *Control) changed(before, after map[string]any) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(after)), func(name string) bool {
		from := c.Parameters.Properties[name].From
		return from == "deployers" || from == "systemNamespaces" || equalJSON(before[name], after[name])
	})
}

func nothingDerived(string) (any, bool) { return nil, false }

var (
	separatorPattern = regexp.MustCompile(`(?m)^---\s*$`)
	actionPattern    = regexp.MustCompile(`<<[^>]*>>`)
	fieldPattern     = regexp.MustCompile(`\.([A-Za-z]\w*)`)
	contentPattern   = regexp.MustCompile(`(?m)^[^#\s]`)
)

// parametersUsed lists the parameters that each document of a template uses.
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

// equalJSON tells whether two values are the same once encoded.
func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
