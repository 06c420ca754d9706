package catalog

import "slices"

// Fit returns a function that reports whether the result of a case is certain with
// resolved parameters: that the policy fails a bad case, or does not fail a good one.
//
// Cases are written for the example parameters. With other parameters, a case is
// certain if its document uses each parameter that differs, because then its author
// fitted it to the parameter. With the defaults, a case is also certain if its result
// was recorded with them. differing holds the parameters that differ from the
// examples.
func (c *Control) Fit(params map[string]any) (sure func(one Case, bad bool) bool, differing []string, err error) {
	recorded, err := c.recordings()
	if err != nil {
		return nil, nil, err
	}
	examples, problems := c.Examples()
	if len(problems) > 0 {
		return nil, nil, problems[0]
	}
	differing = c.changed(examples, params)
	known := Recording{}
	if recorded != nil && recorded.Defaults != nil {
		if defaults, problems := c.ResolveParameters(nil, nothingDerived); len(problems) == 0 && len(c.changed(defaults, params)) == 0 {
			known = *recorded.Defaults
		}
	}
	return func(one Case, bad bool) bool {
		results := known.Good
		if bad {
			results = known.Bad
		}
		if rules := results[one.Name]; len(rules) > 0 && one.Plain() && (JudgedCase{Rules: rules}).fails() == bad {
			return true
		}
		return !slices.ContainsFunc(differing, func(name string) bool { return !slices.Contains(one.Parameters, name) })
	}, differing, nil
}
