package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// globals are the flags of every command: how to judge a source, and how to print
// its problems.
type globals struct{ diagnostics, now string }

func (g *globals) bind(root *cobra.Command) {
	flags := root.PersistentFlags()
	choiceVar(root, flags, &g.diagnostics, "diagnostics", "", "output `FORMAT` of problems found in the source", "text", "json")
	flags.StringVar(&g.now, "now", "", "take this `TIME` for now, for expiry dates and the days that build notes in the lock (2027-03-31 or RFC 3339)")
	complete(root, "now", cobra.NoFileCompletions)
}

// options returns the options of a build by this gatehouse, at the time of --now.
func (g *globals) options() (generator.Options, error) {
	now, err := g.time()
	return generator.Options{Version: version(), Now: now}, err
}

// time returns the time at which expiry dates are evaluated.
func (g *globals) time() (time.Time, error) {
	if g.now == "" {
		return time.Now().UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, g.now); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("--now: %q is not a time, such as 2027-03-31 or 2027-03-31T12:00:00Z", g.now)
}

// judging returns the RunE of a command that judges a source. The command returns
// what it found, with or without an error. All findings are printed here, when it
// ends, in one sorted list.
func (g *globals) judging(run func(cmd *cobra.Command, args []string) (diag.List, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		findings, err := run(cmd, args)
		if stopped, ok := errors.AsType[*diag.Errors](err); ok {
			findings = append(findings, stopped.List...)
		}
		printFindings(cmd.ErrOrStderr(), g.diagnostics, findings.Sort())
		return err
	}
}

func printFindings(w io.Writer, format string, list diag.List) {
	if format == "json" {
		if list == nil {
			list = diag.List{}
		}
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(list) // of strings and numbers, into memory
		_, _ = w.Write(plain.JSON(b.Bytes()))
		return
	}
	shown := list
	if len(list) > maxShown {
		shown = slices.Clone(list)
		slices.SortStableFunc(shown, func(a, b diag.Diagnostic) int { return cmp.Compare(a.Severity, b.Severity) }) // errors first
		shown = shown[:maxShown].Sort()
	}
	for _, d := range shown {
		fmt.Fprintln(w, d)
	}
	if more := len(list) - len(shown); more > 0 {
		fmt.Fprintf(w, "%d more findings are not shown (limit %d; --diagnostics json shows all)\n", more, maxShown)
	}
}

// maxShown is how many findings are printed as text: errors first.
const maxShown = 500
