package catalog

import "slices"

// Fit returns a function that reports whether the result of a case is certain with
// resolved parameters: that the policy fails a bad case, or does not fail a good one.
//
// Cases are written for the example parameters. With other parameters, a case is
// certain if its document uses each parameter that differs, because then its author
// fitted it to the parameter. With the defaults, a case is also certain if its result
// was recorded with them. A good case of a deployer is not certain where its user is no
// deployer. differing holds the parameters that differ from the examples.
func (c *Control) Fit(params map[string]any) (sure func(one Case, bad bool) bool, differing []string, err error) {
	recorded, err := c.recordings()
	if err != nil {
		return nil, nil, err
	}
	examples, problems := c.Examples()
	if len(problems) > 0 {
		return nil, nil, problems[0]
	}
	others := c.changed(examples, params)
	differing = slices.Clone(others)
	known := Recording{}
	if recorded != nil && recorded.Defaults != nil {
		if defaults, problems := c.ResolveParameters(nil, nothingDerived); len(problems) == 0 && len(c.changed(defaults, params)) == 0 {
			known = *recorded.Defaults
		}
	}
	written, _ := c.Deployers(examples)
	here, _ := c.Deployers(params)
	if slices.ContainsFunc([][2][]string{{written.Users, here.Users}, {written.Groups, here.Groups}, {written.Appliers, here.Appliers}}, func(l [2][]string) bool {
		return !slices.Equal(l[0], l[1])
	}) {
		differing = append(differing, "deployers")
	}
	return func(one Case, bad bool) bool {
		if written.has(one) && !here.has(one) && !bad {
			return false
		}
		results := known.Good
		if bad {
			results = known.Bad
		}
		if rules := results[one.Name]; len(rules) > 0 && one.Plain() && (JudgedCase{Rules: rules}).fails() == bad {
			return true
		}
		return !slices.ContainsFunc(others, func(name string) bool { return !slices.Contains(one.Parameters, name) })
	}, differing, nil
}
