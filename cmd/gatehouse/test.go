package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

type testOptions struct {
	judgeOptions
	format string
}

func newTestCmd(g *globals) *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test SOURCE",
		Short: "Test with the Kyverno engine what every policy admits and refuses",
		Long: `Compile SOURCE and check with the real Kyverno engine, for each environment and
tier, what the policies admit and refuse at their stage:

- the good and bad documents of every control, also in system namespaces
- what each exception exempts before its end, that it exempts nothing from then
  on, and that it exempts nothing else
- the tests in the folder tests/ of SOURCE, at the time of --now

Image rules are tested with keys and a registry of the engine instead of yours.
A check that cannot run is reported as skipped, with the reason.

Exits with 1 if the source is wrong or a check fails, and with 2 if there is no
engine, or its Kyverno is not the version in spec.kyverno.version.`,
		Example: `  gatehouse test profile/

  # write a report for a CI system
  gatehouse test profile/ --environment prod -o junit > report.xml`,
		Args: exactArgs("SOURCE"), ValidArgsFunction: completeArgs(completeSource),
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			return runTest(cmd.Context(), g, args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		}),
	}
	o.bind(cmd)
	outputFormat(cmd, &o.format, verdict.Formats()...)
	return cmd
}

func runTest(ctx context.Context, g *globals, path string, o testOptions, out, errOut io.Writer) (diag.List, error) {
	source, bundle, warnings, err := look(ctx, g, path)
	if err != nil {
		return nil, err
	}
	if err := o.check(bundle.Plan); err != nil {
		return warnings, err
	}
	tests, problems := verdict.LoadTests(source.fsys, bundle.Plan)
	unused, err := source.warnings(problems)
	warnings = append(warnings, unused...)
	if err != nil {
		return warnings, err
	}
	client, err := o.start(ctx, bundle.Plan)
	if err != nil {
		return warnings, err
	}
	defer client.Close()
	console := newConsole(errOut)
	progress := func(environment, what string) { console.status(environment + ": " + what) }
	report, err := verdict.Run(ctx, client, bundle, tests, verdict.Options{Environments: o.environments, Progress: progress})
	console.done()
	if err != nil {
		return warnings, err
	}
	if err := report.Write(out, o.format); err != nil {
		return warnings, err
	}
	if report.Counts.Failed > 0 {
		return warnings, exit.Wrongf("policies do not behave as expected")
	}
	return warnings, nil
}
