package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/migration"
	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

type migrateOptions struct {
	judge                    judgeOptions
	to, dir, environment     string
	dryRun, allowDifferences bool
	cluster                  clusterOptions
}

func newMigrateCmd(g *globals) *cobra.Command {
	var o migrateOptions
	cmd := &cobra.Command{
		Use:   "migrate SOURCE [WORKLOADS...]",
		Short: "Take an environment to another kind of policies, step by step",
		Long: `Take an environment of SOURCE to policies of another kind, without a moment in which
what it enforces is not enforced. Each call makes one step: it changes the file of the
environment, builds DIR, and says what to look at before the next step, which is for a
later day. Commit each step on its own.

  1. The policies of the other kind audit beside the old ones, which go on enforcing.
  2. Both enforce.
  3. The old ones are removed.

Where nothing is enforced, there is only the first step. The way back is the same command
with the old kind. With --dry-run, print how far each environment is, its steps and what
is in the way of the next one, and change nothing.

With WORKLOADS, or a cluster that is chosen with --context, --kubeconfig, -n or -A, as in
gatehouse impact, ask the Kyverno engine first what both kinds say of what runs. If they
do not agree on all of it, list where, and change nothing.

A step is refused, with the reason and the day on which it can be made, if an environment
in an earlier ring is not further, if the step before is of the same day, if it would
accept other changes too, or if DIR is not what SOURCE builds.

Exits with 1 if the source is wrong, the step is refused, or the kinds do not agree, and
with 2 if something could not be judged or written.`,
		Example: `  # how far is each environment?
  gatehouse migrate profile/ --to ValidatingPolicy -o policy-repo --dry-run

  # make the next step of dev
  gatehouse migrate profile/ --to ValidatingPolicy -o policy-repo -e dev

  # compare first what runs in its cluster
  gatehouse migrate profile/ --to ValidatingPolicy -o policy-repo -e dev --context dev-eu -A

  # go back
  gatehouse migrate profile/ --to ClusterPolicy -o policy-repo -e dev`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes SOURCE and WORKLOADS, got 0 arguments; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return completeSource(cmd, args, toComplete)
			}
			return completeWorkloads(cmd, args, toComplete)
		},
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			m := migrator{migrateOptions: o, g: g, path: args[0], workloads: args[1:], in: cmd.InOrStdin(), out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr()}
			return m.run(cmd.Context())
		}),
	}
	o.bind(cmd)
	return cmd
}

func (o *migrateOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	optionalChoice(cmd, &o.to, "to", "`KIND` of policies to go to", catalog.Targets()...)
	flags.StringVarP(&o.dir, "output", "o", "", "`DIR` that SOURCE was built to")
	flags.StringVarP(&o.environment, "environment", "e", "", "`ENVIRONMENT` to take a step; required if there are several")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the steps and how far each environment is, without changing anything")
	flags.BoolVar(&o.allowDifferences, "allow-differences", false, "make the step even if the kinds do not agree on the workloads")
	o.judge.bindEngine(cmd)
	complete(cmd, "output", completeFolders)
	complete(cmd, "environment", fromSource(environmentNames))
	o.cluster.bind(cmd)
	o.cluster.bindNamespace(cmd, "`NAMESPACE` to read from the cluster, or with WORKLOADS the namespace of objects that set none (default: default)")
}

// migrator is one run of the command.
type migrator struct {
	migrateOptions
	g         *globals
	path      string
	workloads []string
	in        io.Reader
	out       io.Writer
	errOut    io.Writer

	source   *source
	options  generator.Options
	warnings diag.List
}

func (m *migrator) run(ctx context.Context) (diag.List, error) {
	switch {
	case m.to == "":
		return nil, usagef("--to is required: the kind of policies to go to (%s)", strings.Join(catalog.Targets(), ", "))
	case m.dir == "":
		return nil, usagef("--output is required: the folder that the source was built to")
	}
	if err := m.open(); err != nil {
		return nil, err
	}
	if !m.dryRun {
		release, err := output.Hold(ctx, m.dir)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	now, err := m.now(ctx)
	if err != nil {
		return m.warnings, err
	}
	ways := migration.Ways(now.Plan, m.to)
	if m.environment != "" && !slices.Contains(now.Plan.EnvironmentNames(), m.environment) {
		return m.warnings, usagef("--environment: there is no environment %q (%s)", m.environment, diag.OneOf(m.environment, now.Plan.EnvironmentNames()))
	}
	if m.dryRun {
		m.show(ways)
		return m.warnings, nil
	}
	way, err := m.choose(ways)
	if err != nil {
		return m.warnings, err
	}
	if way.Place == migration.Done {
		fmt.Fprintf(m.out, "%s: %s: nothing to do\n", way.Environment, way.At())
		return m.warnings, nil
	}
	if refused := way.Refused(ways, m.today()); refused != nil {
		return m.warnings, exit.Wrongf("%s: %s", way.Environment, refused)
	}
	return m.warnings, m.step(ctx, now, way)
}

// today is the day of the step, as the lock notes it.
func (m *migrator) today() string { return m.options.Now.UTC().Format("2006-01-02") }

// show prints the way of each environment, or of the one that is named.
func (m *migrator) show(ways []migration.Way) {
	for _, way := range ways {
		if m.environment != "" && m.environment != way.Environment {
			continue
		}
		for _, line := range way.Lines(way.Refused(ways, m.today())) {
			fmt.Fprintln(m.out, plain.Line(line))
		}
	}
}

// choose returns the environment that takes a step.
func (m *migrator) choose(ways []migration.Way) (migration.Way, error) {
	for _, way := range ways {
		if way.Environment == m.environment || m.environment == "" && len(ways) == 1 {
			return way, nil
		}
	}
	first := slices.IndexFunc(ways, func(w migration.Way) bool { return w.Place != migration.Done })
	if first < 0 {
		return migration.Way{Place: migration.Done, Environment: "every environment", To: m.to}, nil
	}
	names := make([]string, len(ways))
	for i, way := range ways {
		names[i] = way.Environment
	}
	return migration.Way{}, usagef("there are several environments (%s): select one with --environment, by ring; %s goes first", strings.Join(names, ", "), ways[first].Environment)
}
