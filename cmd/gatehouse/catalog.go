package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

func newCatalogCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Show the controls that a profile can enable",
		Args:  exactArgs(), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCatalogListCmd(g), newCatalogShowCmd(g))
	return cmd
}

// catalogOptions select the controls to show, and the format.
type catalogOptions struct{ source, format string }

func (o *catalogOptions) bind(cmd *cobra.Command) {
	outputFormat(cmd, &o.format, "text", "json", "yaml", "markdown")
	cmd.Flags().StringVar(&o.source, "source", "", "include the controls of this `SOURCE` (spec.catalogs)")
	complete(cmd, "source", completeSource)
}

// load reads the built-in controls, and those of the source if one is given.
func (o *catalogOptions) load(ctx context.Context) (*catalog.Catalog, diag.List, error) {
	if o.source == "" {
		all, problems := profile.Catalog(nil, "", version())
		return all, problems, problems.Err()
	}
	source, err := openSource(o.source)
	if err != nil {
		return nil, nil, err
	}
	return source.catalog(ctx)
}
