package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

func newCatalogListCmd(g *globals) *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all controls, and the built-in profiles that hold them",
		Example: `  gatehouse catalog list
  gatehouse catalog list -o markdown > controls.md`,
		Args: exactArgs(), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: g.judging(func(cmd *cobra.Command, _ []string) (diag.List, error) {
			all, warnings, err := o.load(cmd.Context())
			if err != nil {
				return warnings, err
			}
			summaries := make([]controlSummary, 0, len(all.IDs()))
			holders := profilesByControl()
			for _, c := range all.Controls() {
				summaries = append(summaries, summarize(c, holders))
			}
			if o.format == "markdown" {
				_, err := cmd.OutOrStdout().Write([]byte(listMarkdown(all, holders)))
				return warnings, err
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
	// Profiles are the built-in profiles that hold the control.
	Profiles []string `json:"profiles"`
}

func summarize(c *catalog.Control, holders map[string][]string) controlSummary {
	held := holders[c.ID]
	if held == nil {
		held = []string{}
	}
	return controlSummary{c.ID, c.Title, c.Category, c.Severity, c.Targets(), held}
}

// profilesByControl returns the built-in profiles that hold each control.
func profilesByControl() map[string][]string {
	holders := map[string][]string{}
	for _, p := range profile.Builtins() {
		for _, c := range p.Controls {
			holders[c.ID] = append(holders[c.ID], p.Name)
		}
	}
	return holders
}

func listText(all []controlSummary) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSEVERITY\tCATEGORY\tTARGETS\tPROFILES\tTITLE")
	for _, c := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Severity, c.Category, strings.Join(c.Targets, ","), names(c.Profiles), c.Title)
	}
	_ = w.Flush() // into memory
	return b.String()
}

// names joins names; a dash stands for none, so that a column is never empty.
func names(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ",")
}

func listMarkdown(all *catalog.Catalog, holders map[string][]string) string {
	var b strings.Builder
	b.WriteString("# Controls\n")
	for _, category := range catalog.Categories() {
		fmt.Fprintf(&b, "\n## %s\n\n", category)
		table := markdown.NewTable(&b, "id", "severity", "targets", "profiles", "what it does")
		for _, c := range all.Controls() {
			if c.Category == category {
				table.Row(c.ID, c.Severity, strings.Join(c.Targets(), ", "), strings.Join(holders[c.ID], ", "), markdown.Prose(c.Description))
			}
		}
	}
	return b.String()
}
