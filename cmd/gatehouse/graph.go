package main

import (
	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/flux"
)

func newGraphCmd(g *globals) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph SOURCE",
		Short: "Show the Flux Kustomizations and what each waits for",
		Long: `Compile SOURCE and show, per cluster, the Flux Kustomizations in the order in
which they become ready, and what each of them waits for.`,
		Example: `  gatehouse graph profile/

  # a picture for a Markdown page
  gatehouse graph profile/ -o mermaid`,
		Args: exactArgs("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("--output", format, flux.Formats()...); err != nil {
				return err
			}
			// What was audited before does not change the graph.
			bundle, err := compile(g, args[0], "", true)
			if err != nil {
				return err
			}
			text, err := flux.Render(bundle.Graph, format)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "`FORMAT`: text, mermaid, dot or json")
	return cmd
}
