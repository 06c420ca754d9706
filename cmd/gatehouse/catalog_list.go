package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

func newCatalogListCmd(g *globals) *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all controls",
		Example: `  gatehouse catalog list
  gatehouse catalog list -o markdown > controls.md`,
		Args: exactArgs(), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: g.judging(func(cmd *cobra.Command, _ []string) (diag.List, error) {
			all, warnings, err := o.load()
			if err != nil {
				return warnings, err
			}
			if o.format == "markdown" {
				_, err := cmd.OutOrStdout().Write([]byte(listMarkdown(all)))
				return warnings, err
			}
			summaries := make([]controlSummary, 0, len(all.IDs()))
			for _, c := range all.Controls() {
				summaries = append(summaries, summarize(c))
			}
			return warnings, printData(cmd.OutOrStdout(), o.format, summaries, func() string { return listText(summaries) })
		}),
	}
	o.bind(cmd)
	return cmd
}

type controlSummary struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Category string `json:"category"`
	Severity string `json:"severity"`
	// Targets are the kinds of policies that the control becomes.
	Targets []string `json:"targets"`
}

func summarize(c *catalog.Control) controlSummary {
	return controlSummary{c.ID, c.Title, c.Category, c.Severity, c.Targets()}
}

func listText(all []controlSummary) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSEVERITY\tCATEGORY\tTARGETS\tTITLE")
	for _, c := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Severity, c.Category, strings.Join(c.Targets, ","), c.Title)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func listMarkdown(all *catalog.Catalog) string {
	var b strings.Builder
	b.WriteString("# Controls\n")
	for _, category := range catalog.Categories() {
		fmt.Fprintf(&b, "\n## %s\n\n", category)
		table := markdown.NewTable(&b, "id", "severity", "targets", "what it does")
		for _, c := range all.Controls() {
			if c.Category == category {
				table.Row(c.ID, c.Severity, strings.Join(c.Targets(), ", "), markdown.Prose(c.Description))
			}
		}
	}
	return b.String()
}
