package board

import (
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// kyvernoSettings writes the chart values that a Kyverno needs where gatehouse does not
// install it, once for environments with the same values. The safety of the bundle
// depends on them (docs/safety.md#kyverno-down).
func kyvernoSettings(b *strings.Builder, p *plan.Plan, values map[string]map[string]any) {
	var settings []string
	where := map[string][]string{}
	var needless []string
	for _, env := range p.Environments {
		if env.Kyverno.Absent {
			needless = append(needless, string(markdown.Text(env.Name)))
		}
		if env.Kyverno.Install || env.Kyverno.Absent {
			continue
		}
		stated, err := yaml.Marshal(map[string]any{"config": values[env.Name]["config"], "features": values[env.Name]["features"]})
		if err != nil {
			panic(err) // plain values always encode
		}
		text := string(stated)
		if !slices.Contains(settings, text) {
			settings = append(settings, text)
		}
		where[text] = append(where[text], string(markdown.Text(env.Name)))
	}
	if len(settings)+len(needless) > 0 {
		b.WriteString("\n## Kyverno\n")
	}
	switch {
	case len(needless) == len(p.Environments):
		b.WriteString("\nThis repository needs no Kyverno. The API server judges by itself.\n")
	case len(needless) > 0:
		b.WriteString("\nThis repository needs no Kyverno in " + strings.Join(needless, ", ") + ". The API server judges by itself there.\n")
	}
	for _, text := range settings {
		b.WriteString("\n" + without(where[text], len(p.Environments)) +
			"Without them, exceptions have no effect, and a Kyverno that is down keeps Flux and itself from starting.\n\n```yaml\n" + text + "```\n")
	}
}

// without says where the repository does not install Kyverno: in some environments, or
// in all.
func without(environments []string, all int) string {
	if len(environments) == all {
		return "This repository does not install Kyverno. The Kyverno in the clusters needs these chart values. "
	}
	return "This repository does not install Kyverno in " + strings.Join(environments, ", ") + ". The Kyverno in the clusters there needs these chart values. "
}
