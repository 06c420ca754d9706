package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

const (
	minGood = 3
	minBad  = 5
)

// Verify renders the control and its tests with the examples, and reports what breaks
// the rules of the format: a template that does not render, a parameter that no
// template uses, too few or unnamed documents, or a scope that does not fit the
// kinds. Only the engine can check what the policy means. A control that does not
// judge has no template and no documents.
func (c *Control) Verify() diag.List {
	if !c.Judges() {
		return nil // control.yaml is all of it
	}
	var problems diag.List
	problem := func(file, code, format string, args ...any) {
		problems.Add(diag.Diagnostic{Code: code, Position: diag.Position{File: path.Join(c.Dir, file)}, Summary: fmt.Sprintf(format, args...)})
	}
	params, found := c.Examples()
	for _, p := range found {
		problem(controlFileName, codeControl, "example parameters: %s", p.Error())
	}
	if len(found) > 0 {
		return problems
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !bytes.Contains(c.texts(), []byte("."+name)) {
			problem(controlFileName, codeControl, "no template uses the parameter %s", name)
		}
	}
	for _, d := range dialects() {
		if c.templates[d.target] == nil {
			continue
		}
		policy, err := c.Render(d.target, params)
		if err != nil {
			problem(d.file, "control-template", "%s", strings.TrimPrefix(err.Error(), path.Join(c.Dir, d.file)+": "))
			continue
		}
		for _, message := range c.checkScope(policy.Matches) {
			problem(controlFileName, codeControl, "%s", message)
		}
	}
	good, bad, err := c.Tests(params)
	switch {
	case err != nil:
		problem("tests", "control-tests", "%s", err)
	case len(good) < minGood || len(bad) < minBad:
		problem("tests", "control-tests", "has %d good and %d bad documents, but needs at least %d and %d", len(good), len(bad), minGood, minBad)
	}
	return problems
}

// texts returns every text that can use parameters.
func (c *Control) texts() []byte {
	all := slices.Concat(c.good, c.bad)
	for _, text := range c.templates {
		all = append(all, text...)
	}
	return all
}
