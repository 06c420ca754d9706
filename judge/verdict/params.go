package verdict

import (
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Params returns the objects of the bundle that matter to Kyverno in a cluster of the
// environment.
func Params(b *generator.Bundle, env plan.Environment) (engine.LoadParams, error) {
	k, err := newCluster(b, env)
	if err != nil {
		return engine.LoadParams{}, err
	}
	return k.params, nil
}
