package proof_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestLoosens takes every parameter that says which direction loosens, moves it by one
// step, and asks the engine about all documents of the control: what the looser value
// refuses, the stricter one refuses too. A change in that direction is enforced at once.
func TestLoosens(t *testing.T) {
	steps := 0
	for _, c := range builtin(t) {
		for _, name := range sortedKeys(c.Parameters.Properties) {
			for _, step := range looserSteps(c.Parameters.Properties[name], c.params[name]) {
				loose, strict := maps.Clone(c.params), maps.Clone(c.params)
				loose[name], strict[name] = step[0], step[1]
				if !c.Loosens(strict, loose) || c.Loosens(loose, strict) {
					t.Errorf("%s: %s: %v is not looser than %v", c.ID, name, step[0], step[1])
				}
				byLoose, byStrict := refusedWith(t, c, loose), refusedWith(t, c, strict)
				if byLoose == nil || byStrict == nil {
					continue // the schema refuses the value
				}
				steps++
				for document := range byLoose {
					if !byStrict[document] {
						t.Errorf("%s: %s: document %d is refused with %v and not with %v", c.ID, name, document, step[0], step[1])
					}
				}
			}
		}
	}
	if steps < 15 {
		t.Errorf("only %d steps: the test shows less than it says", steps)
	}
	t.Logf("%d steps", steps)
}

// looserSteps returns pairs of a looser and a stricter value.
func looserSteps(s *catalog.Schema, value any) [][2]any {
	var steps [][2]any
	switch s.Loosens {
	case "true":
		return [][2]any{{true, false}}
	case "false":
		return [][2]any{{false, true}}
	case "more", "fewer":
		list := value.([]any)
		for i := range list {
			less := slices.Delete(slices.Clone(list), i, i+1)
			step := [2]any{list, less}
			if s.Loosens == "fewer" {
				step = [2]any{less, list}
			}
			if i == 0 || i == len(list)-1 {
				steps = append(steps, step)
			}
		}
	}
	return steps
}

// refusedWith returns which documents of a control are refused with some parameters; nil
// if its schema refuses the parameters.
func refusedWith(t *testing.T, c control, params map[string]any) map[int]bool {
	t.Helper()
	resolved, problems := c.ResolveParameters(params, func(string) (any, bool) { return nil, false })
	if len(problems) > 0 {
		return nil
	}
	rendered, err := c.Render(catalog.ClusterPolicy, resolved)
	if err != nil {
		t.Fatal(err)
	}
	policy := manifest.Object(clone(t, rendered.Body))
	policy["metadata"] = object{"name": c.ID}
	policy["spec"].(object)["background"] = c.Background
	for _, rule := range policy.List("spec", "rules") {
		rule.(object)["validate"].(object)["failureAction"] = "Enforce"
	}
	k := newCluster(t, "", []manifest.Object{policy})
	refused := map[int]bool{}
	for i, document := range slices.Concat(c.good, c.bad) {
		if document.OldObject != nil && document.Object != nil {
			continue // Kyverno admits an update of what violates already, so a looser value may refuse one more
		}
		if k.ask(t, in("platform", requestOf(t, document))).Blocked {
			refused[i] = true
		}
	}
	return refused
}
