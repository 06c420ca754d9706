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
		Short: "Show with the Kyverno engine that every policy does what it should",
		Long: `Compile SOURCE and ask the real Kyverno engine, for each environment and tier,
what its policies admit and refuse at their stage: the good and bad documents of
every control, in the system namespaces too; what the exceptions name, before and
after their end, and what they do not name; and the tests in the folder tests/ of
SOURCE. Image rules are tried with keys and a registry of the engine's own in the
place of yours; what cannot be tried is reported as skipped, with the reason.

Exit code 1 if anything failed; 2 if there is no engine, or if its Kyverno is not
the version of spec.kyverno.version.`,
		Example: `  gatehouse test profile/

  # for the test view of a CI system
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
	controls, _, err := source.catalog()
	if err != nil {
		return warnings, err
	}
	tests, problems := verdict.LoadTests(source.fsys, bundle.Plan)
	unused, err := source.warnings(problems)
	warnings = append(warnings, unused...)
	if err != nil {
		return warnings, err
	}
	client, err := o.start(ctx, bundle.Plan.Kyverno.Version)
	if err != nil {
		return warnings, err
	}
	defer client.Close()
	console := newConsole(errOut)
	progress := func(environment, what string) { console.status(environment + ": " + what) }
	report, err := verdict.Run(ctx, client, bundle, controls, tests, verdict.Options{Environments: o.environments, Progress: progress})
	console.done()
	if err != nil {
		return warnings, err
	}
	if err := report.Write(out, o.format); err != nil {
		return warnings, err
	}
	if report.Counts.Failed > 0 {
		return warnings, exit.Wrongf("the policies do not do what they should")
	}
	return warnings, nil
}
