package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
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

With --target, test SOURCE as if its spec.kyverno.policyType was this kind, also in
overrides, and list each check on which both kinds of policies do not agree.

Exits with 1 if the source is wrong, a check fails or the kinds do not agree, and
with 2 if there is no engine, or its Kyverno is not the version in
spec.kyverno.version. --as-kyverno judges with another version all the same, and
says so.`,
		Example: `  gatehouse test profile/

  # write a report for a CI system
  gatehouse test profile/ --environment prod -o junit > report.xml

  # what would other policies answer?
  gatehouse test profile/ --target ValidatingPolicy`,
		Args: exactArgs("SOURCE"), ValidArgsFunction: completeArgs(completeSource),
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			return runTest(cmd.Context(), g, args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		}),
	}
	o.bind(cmd)
	optionalChoice(cmd, &o.target, "target", "test with this `KIND` of policies, and compare", catalog.Targets()...)
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
	client, err := o.start(ctx, bundle.Plan, errOut)
	if err != nil {
		return warnings, err
	}
	defer client.Close()
	console := newConsole(errOut)
	progress := func(environment, what string) { console.status(environment + ": " + what) }
	report, err := o.report(ctx, client, source, bundle, tests, progress)
	console.done()
	if err != nil {
		return warnings, err
	}
	if err := report.Write(out, o.format); err != nil {
		return warnings, err
	}
	switch {
	case report.Counts.Failed > 0:
		return warnings, exit.Wrongf("policies do not behave as expected")
	case report.Differs():
		return warnings, exit.Wrongf("the kinds of policies do not agree")
	}
	return warnings, nil
}

// report tests the bundle, or with --target the same source with another kind of policies,
// compared with the bundle.
func (o *testOptions) report(ctx context.Context, client *engine.Client, source *source, bundle *generator.Bundle, tests []verdict.Test, progress func(string, string)) (*verdict.Report, error) {
	options := verdict.Options{Environments: o.environments, Progress: progress}
	own, err := verdict.Run(ctx, client, bundle, tests, options)
	if err != nil || o.target == "" {
		return own, err
	}
	other, _, err := source.await(ctx, func() (*generator.Bundle, diag.List) { return bundle.WithPolicyType(o.target) })
	if err != nil {
		return nil, err
	}
	options.Progress = func(environment, what string) { progress(environment+" with "+o.target, what) }
	report, err := verdict.Run(ctx, client, other, tests, options)
	if err != nil {
		return nil, err
	}
	report.Compare(own)
	return report, nil
}
