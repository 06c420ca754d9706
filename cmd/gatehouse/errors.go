package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
)

// usageError is a wrong command line. It has no exit code of its own: it ends with 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exactArgs is cobra.ExactArgs with the names of the arguments in the message.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usagef("%s takes %s, got %d arguments; see %s --help", cmd.CommandPath(), want, len(args), cmd.CommandPath())
	}
}

// report prints the error that the program ends with and returns the exit code.
// The findings of a source were already printed (see globals.judging).
func report(errOut io.Writer, err error) exit.Code {
	var found *diag.Errors
	switch {
	case errors.As(err, &found):
		return exit.Wrong
	case err != nil:
		fmt.Fprintf(errOut, "gatehouse: %v\n", err)
	}
	return exit.Of(err)
}
