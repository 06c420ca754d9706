package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// choice is the value of a flag that takes one of a few values.
type choice struct {
	value   *string
	allowed []string
}

// choiceVar declares a flag that takes one of the allowed values, the first by
// default, and completes them. It appends them to usage.
func choiceVar(cmd *cobra.Command, flags *pflag.FlagSet, value *string, name, short, usage string, allowed ...string) {
	*value = allowed[0]
	flags.VarP(&choice{value, allowed}, name, short, usage+": "+either(allowed))
	complete(cmd, name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// optionalChoice is choiceVar for a flag without a default.
func optionalChoice(cmd *cobra.Command, value *string, name, usage string, allowed ...string) {
	cmd.Flags().Var(&choice{value, allowed}, name, usage+": "+either(allowed))
	complete(cmd, name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// String, Set and Type are those of a pflag.Value.
func (c *choice) String() string { return *c.value }

// Set refuses values that are not allowed.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return errors.New(diag.OneOf(value, c.allowed))
	}
	*c.value = value
	return nil
}

// Type is what the help shows for the value.
func (c *choice) Type() string { return "string" }

// either formats values as "a, b or c".
func either(values []string) string {
	last := len(values) - 1
	return strings.Join(values[:last], ", ") + " or " + values[last]
}
