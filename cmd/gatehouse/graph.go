package main

import (
	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/flux"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

func newGraphCmd(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph SOURCE",
		Short: "Show the Flux Kustomizations and their dependencies",
		Long: `Compile SOURCE and show, for each cluster, its Flux Kustomizations in the order
in which they become ready, and the dependencies of each.`,
		Example: `  gatehouse graph profile/

  # a diagram for a Markdown page
  gatehouse graph profile/ -o mermaid`,
		Args: exactArgs("SOURCE"), ValidArgsFunction: completeArgs(completeSource),
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			_, bundle, warnings, err := look(cmd.Context(), g, args[0])
			if err != nil {
				return nil, err
			}
			text, err := flux.Render(bundle.Graph, format)
			if err != nil {
				return warnings, err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return warnings, err
		}),
	}
	outputFormat(cmd, &format, flux.Formats()...)
	return cmd
}
