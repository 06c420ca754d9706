package main

import (
	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
)

func newSchemaCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of profiles, environments and exceptions",
		Long: `Print the JSON Schema of profiles, environments and exceptions, for editors and
other tools. gatehouse init writes it next to the source.`,
		Example: `  gatehouse schema > .schema.json
  # then start each file with:
  # yaml-language-server: $schema=.schema.json`,
		Args: exactArgs(), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(v1alpha1.Schema())
			return err
		},
	}
}
