package verdict

import (
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Params is what the bundle brings to a cluster of an environment, as far as
// Kyverno minds it.
func Params(b *generator.Bundle, env plan.Environment) (engine.LoadParams, error) {
	k, err := newCluster(b, env)
	if err != nil {
		return engine.LoadParams{}, err
	}
	return k.params, nil
}
