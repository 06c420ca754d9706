package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

// globals are the flags of every command.
type globals struct {
	diagnostics string
	now         string
	warnings    diag.List
}

// time is the moment that expiries are judged by.
func (g *globals) time() (time.Time, error) {
	if g.now == "" {
		return time.Now().UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, g.now); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("--now: %q is not a time such as 2027-03-31 or 2027-03-31T12:00:00Z", g.now)}
}

func newRootCmd(args []string, in io.Reader, out, errOut io.Writer) (*cobra.Command, *globals) {
	g := &globals{}
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "Compile a profile into Kyverno policies that Flux applies",
		Long: `gatehouse compiles a small declarative profile (namespaces, registries, keys,
controls, rollout stage, exceptions) into a policy repository: Kyverno policies
and exceptions, NetworkPolicies, Namespaces, trust material, and the Flux
Kustomizations that order them.

Manifests and data go to standard output, messages to standard error.
Exit code 0: done; 1: the input or the checked thing is wrong; 2: gatehouse
could not do its work.`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return oneOf("--diagnostics", g.diagnostics, "text", "json")
		},
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&g.diagnostics, "diagnostics", "text", "how problems of the source are printed: text or json")
	root.PersistentFlags().StringVar(&g.now, "now", "", "judge expiries at this `TIME` instead of the clock (2027-03-31 or RFC 3339)")
	root.AddCommand(newBootstrapCmd(), newBuildCmd(g), newCatalogCmd(g), newGraphCmd(g), newImpactCmd(g), newInitCmd(), newSchemaCmd(), newTestCmd(g), newUninstallCmd(), newVersionCmd())
	return root, g
}

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usageError{fmt.Errorf("%s: unsupported value %q (%s)", flag, value, diag.OneOf(value, allowed))}
}

// exactArgs is cobra.ExactArgs with the names of the arguments in the message.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no argument"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usageError{fmt.Errorf("%s takes %s, got %d arguments; see %s --help", cmd.CommandPath(), want, len(args), cmd.CommandPath())}
	}
}

// report prints what a command ended with, the only place that does, and
// returns the exit code.
func report(errOut io.Writer, g *globals, err error) int {
	found := &diag.Errors{}
	isDiagnostics := errors.As(err, &found)
	printDiagnostics(errOut, g.diagnostics, append(slices.Clone(g.warnings), found.List...).Sort())
	var conflict *generator.ConflictError
	var managed *rollout.ConflictError
	var late *rollout.NotReadyError
	switch {
	case err == nil:
		return 0
	case isDiagnostics:
		return 1
	case errors.As(err, &conflict), errors.Is(err, errStale), errors.Is(err, errTestFailed), errors.Is(err, errWouldBlock),
		errors.As(err, &managed), errors.As(err, &late), errors.Is(err, errNotReady), errors.Is(err, errNotConfirmed):
		fmt.Fprintf(errOut, "gatehouse: %v\n", err)
		return 1
	}
	fmt.Fprintf(errOut, "gatehouse: %v\n", err)
	return 2
}

func printDiagnostics(w io.Writer, format string, list diag.List) {
	if format == "json" {
		if list == nil {
			list = diag.List{}
		}
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(list)
		return
	}
	for _, d := range list {
		fmt.Fprintln(w, d)
	}
}
