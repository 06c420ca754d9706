package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// judgeOptions select the engine and the environments.
type judgeOptions struct {
	engine string
	// as is the version of Kyverno to judge as; empty for that of the environments.
	as           string
	environments []string
	// target is another kind of policies that is judged, too; empty for none.
	target string
}

func (o *judgeOptions) bind(cmd *cobra.Command) {
	o.bindEngine(cmd)
	cmd.Flags().StringArrayVarP(&o.environments, "environment", "e", nil, "only this `ENVIRONMENT`; can be repeated (default: all)")
	complete(cmd, "environment", fromSource(environmentNames))
}

// bindEngine declares the flags that select the engine.
func (o *judgeOptions) bindEngine(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.engine, "engine", "", "`PATH` of "+engine.Program+" (default: next to gatehouse, then on the PATH)")
	flags.StringVar(&o.as, "as-kyverno", "", "judge as Kyverno `VERSION` does, and say so, where spec.kyverno.version is another one ("+strings.Join(v1alpha1.KyvernoVersions(), " or ")+")")
	complete(cmd, "engine", completeFiles)
	complete(cmd, "as-kyverno", cobra.FixedCompletions(v1alpha1.KyvernoVersions(), cobra.ShellCompDirectiveNoFileComp))
}

// start starts the engine and checks that it has the version of Kyverno that the
// clusters of the environments run, or that the user asks for. Where Kyverno judges
// nothing, every engine will do.
func (o *judgeOptions) start(ctx context.Context, p *plan.Plan, errOut io.Writer) (*engine.Client, error) {
	kyverno, err := o.kyverno(p, errOut)
	if err != nil {
		return nil, err
	}
	return o.startAs(ctx, kyverno)
}

// startAs starts the engine, with the given version of Kyverno or any.
func (o *judgeOptions) startAs(ctx context.Context, kyverno string) (*engine.Client, error) {
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

// renderer returns what renders charts, in an engine that is started for the first of them.
func (o *judgeOptions) renderer() *engine.Renderer {
	return &engine.Renderer{Start: func(ctx context.Context) (*engine.Client, error) { return o.startAs(ctx, "") }}
}

// kyverno returns the version of Kyverno that judges the environments; empty if none does.
// An engine has only one. It says where the clusters run another one.
func (o *judgeOptions) kyverno(p *plan.Plan, errOut io.Writer) (string, error) {
	if o.as != "" && !slices.Contains(v1alpha1.KyvernoVersions(), o.as) {
		return "", usagef("--as-kyverno: unknown version %q (%s)", o.as, diag.OneOf(o.as, v1alpha1.KyvernoVersions()))
	}
	target, _ := kinds.Policy(o.target)
	version, first := "", ""
	for _, env := range p.Environments {
		switch {
		case len(o.environments) > 0 && !slices.Contains(o.environments, env.Name), !env.NeedsKyverno() && !target.OfKyverno():
		case o.as != "":
			if version = o.as; env.Kyverno.Version != version {
				fmt.Fprintf(errOut, "note: Kyverno %s judges %s, whose clusters run %s: what differs between them is not seen\n", version, env.Name, env.Kyverno.Version)
			}
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
