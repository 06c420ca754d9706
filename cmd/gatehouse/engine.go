package main

import (
	"context"
	"os"
	"os/exec"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// judgeOptions select the engine and the environments.
type judgeOptions struct {
	engine       string
	environments []string
}

func (o *judgeOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.engine, "engine", "", "`PATH` of "+engine.Program+" (default: next to gatehouse, then on the PATH)")
	flags.StringArrayVarP(&o.environments, "environment", "e", nil, "only this `ENVIRONMENT`; can be repeated (default: all)")
	complete(cmd, "engine", completeFiles)
	complete(cmd, "environment", fromSource(environmentNames))
}

// start starts the engine and checks that it has the version of Kyverno that the
// clusters of the environments run.
func (o *judgeOptions) start(ctx context.Context, p *plan.Plan) (*engine.Client, error) {
	kyverno, err := o.kyverno(p)
	if err != nil {
		return nil, err
	}
	path := o.engine
	if path == "" {
		executable, err := os.Executable()
		if err != nil {
			executable = "" // then only the PATH is left
		}
		if path, err = engine.Find(executable, exec.LookPath); err != nil {
			return nil, err
		}
	}
	return engine.Start(ctx, exec.Command(path), kyverno)
}

// kyverno returns the version of Kyverno in the environments. An engine has only one.
func (o *judgeOptions) kyverno(p *plan.Plan) (string, error) {
	version, first := "", ""
	for _, env := range p.Environments {
		switch {
		case len(o.environments) > 0 && !slices.Contains(o.environments, env.Name):
		case version == "":
			version, first = env.Kyverno.Version, env.Name
		case env.Kyverno.Version != version:
			return "", usagef("Kyverno is %s in %s and %s in %s; select environments with the same version with --environment", version, first, env.Kyverno.Version, env.Name)
		}
	}
	return version, nil
}

// check checks that the plan has the environments.
func (o *judgeOptions) check(p *plan.Plan) error {
	known := map[string]bool{}
	var all []string
	for _, env := range p.Environments {
		known[env.Name] = true
		all = append(all, env.Name)
	}
	for _, name := range o.environments {
		if !known[name] {
			return usagef("--environment: there is no environment %q (%s)", name, diag.OneOf(name, all))
		}
	}
	return nil
}
