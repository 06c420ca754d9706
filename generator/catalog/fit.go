package catalog

import "slices"

// Fit tells for which cases the author's verdict is sure with resolved
// parameters: for all of them with the examples or the defaults; with others for
// those whose document uses each parameter that differs, since it is there that
// the author fitted it to the parameter. differing are these parameters.
func (c *Control) Fit(params map[string]any) (sure func(Case) bool, differing []string) {
	if examples, problems := c.Examples(); len(problems) == 0 {
		differing = c.changed(examples, params)
	}
	if defaults, problems := c.ResolveParameters(nil, nothingDerived); len(problems) == 0 {
		if fewer := c.changed(defaults, params); len(fewer) < len(differing) {
			differing = fewer
		}
	}
	return func(one Case) bool {
		return !slices.ContainsFunc(differing, func(name string) bool { return !slices.Contains(one.Parameters, name) })
	}, differing
}
