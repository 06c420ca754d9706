package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

// errTestFailed ends a test that something failed in.
var errTestFailed = errors.New("the policies do not do what they should")

type testOptions struct {
	environments []string
	format       string
	engine       string
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
		Args: exactArgs("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTest(cmd.Context(), g, args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringArrayVarP(&o.environments, "environment", "e", nil, "test only this `ENVIRONMENT`; may be repeated")
	cmd.Flags().StringVarP(&o.format, "output", "o", "text", "`FORMAT`: text, json, junit or markdown")
	cmd.Flags().StringVar(&o.engine, "engine", "", "`PATH` of "+engine.Program+"; by default beside gatehouse, then on the PATH")
	return cmd
}

func runTest(ctx context.Context, g *globals, source string, o testOptions, out, errOut io.Writer) error {
	if err := oneOf("--output", o.format, verdict.Formats()...); err != nil {
		return err
	}
	bundle, err := compile(g, source, "", true) // whether a stage may be enforced yet is no question of what it does
	if err != nil {
		return err
	}
	if err := knownEnvironments(bundle.Plan, o.environments); err != nil {
		return err
	}
	warnings := g.warnings
	controls, err := loadCatalog(g, source)
	if err != nil {
		return err
	}
	fsys, name, err := openSource(source)
	if err != nil {
		return err
	}
	tests, problems := verdict.LoadTests(fsys, bundle.Plan)
	for i, d := range problems {
		problems[i].File = filepath.Join(dirOf(source, name), filepath.FromSlash(d.File))
	}
	if err := problems.Err(); err != nil {
		return err
	}
	g.warnings = append(warnings, problems...)
	client, err := startEngine(ctx, o.engine, bundle.Plan.Kyverno.Version)
	if err != nil {
		return err
	}
	defer client.Close()
	console := newConsole(errOut)
	progress := func(environment, what string) { console.status(environment + ": " + what) }
	report, err := verdict.Run(ctx, client, bundle, controls, tests, verdict.Options{Environments: o.environments, Progress: progress})
	console.done()
	if err != nil {
		return err
	}
	if err := report.Write(out, o.format); err != nil {
		return err
	}
	if report.Counts.Failed > 0 {
		return errTestFailed
	}
	return nil
}

func knownEnvironments(p *plan.Plan, names []string) error {
	known := map[string]bool{}
	var all []string
	for _, env := range p.Environments {
		known[env.Name] = true
		all = append(all, env.Name)
	}
	for _, name := range names {
		if !known[name] {
			return usageError{fmt.Errorf("--environment: there is no environment %q (%s)", name, diag.OneOf(name, all))}
		}
	}
	return nil
}

// startEngine starts the engine at path, or the one that is found, and checks
// that its Kyverno is of the version that the clusters run.
func startEngine(ctx context.Context, path, kyverno string) (*engine.Client, error) {
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
