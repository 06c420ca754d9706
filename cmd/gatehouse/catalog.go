package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

func newCatalogCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Show the controls that a profile can switch on",
		Args:  exactArgs(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCatalogListCmd(g), newCatalogShowCmd(g))
	return cmd
}

type catalogOptions struct{ source, format string }

func (o *catalogOptions) bind(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "text", "`FORMAT`: text, json, yaml or markdown")
	cmd.Flags().StringVar(&o.source, "source", "", "also show the controls of this `SOURCE` (spec.catalogs)")
}

func newCatalogListCmd(g *globals) *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all controls",
		Example: `  gatehouse catalog list
  gatehouse catalog list -o markdown > controls.md`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("--output", o.format, "text", "json", "yaml", "markdown"); err != nil {
				return err
			}
			all, err := loadCatalog(g, o.source)
			if err != nil {
				return err
			}
			if o.format == "markdown" {
				_, err := cmd.OutOrStdout().Write([]byte(listMarkdown(all)))
				return err
			}
			summaries := make([]controlSummary, 0, len(all.IDs()))
			for _, c := range all.Controls() {
				summaries = append(summaries, controlSummary{c.ID, c.Title, c.Category, c.Severity})
			}
			return printData(cmd.OutOrStdout(), o.format, summaries, func() string { return listText(summaries) })
		},
	}
	o.bind(cmd)
	return cmd
}

func newCatalogShowCmd(g *globals) *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one control: what it refuses, its parameters, its policy",
		Example: `  gatehouse catalog show restrict-image-registries
  gatehouse catalog show require-labels -o yaml`,
		Args: exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("--output", o.format, "text", "json", "yaml", "markdown"); err != nil {
				return err
			}
			all, err := loadCatalog(g, o.source)
			if err != nil {
				return err
			}
			control, ok := all.Control(args[0])
			if !ok {
				return usageError{fmt.Errorf("there is no control %q (%s); see gatehouse catalog list", args[0], diag.DidYouMean(args[0], all.IDs()))}
			}
			data, err := describeControl(control)
			if err != nil {
				return err
			}
			if o.format == "markdown" {
				_, err := cmd.OutOrStdout().Write([]byte(data.markdown()))
				return err
			}
			return printData(cmd.OutOrStdout(), o.format, data, data.text)
		},
	}
	o.bind(cmd)
	return cmd
}

func loadCatalog(g *globals, source string) (*catalog.Catalog, error) {
	var fsys fs.FS
	name := "."
	if source != "" {
		var err error
		if fsys, name, err = openSource(source); err != nil {
			return nil, err
		}
	}
	all, problems := generator.Catalog(fsys, name)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	g.warnings = problems
	return all, nil
}

type controlSummary struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Category string `json:"category"`
	Severity string `json:"severity"`
}

func listText(all []controlSummary) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSEVERITY\tCATEGORY\tTITLE")
	for _, c := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.ID, c.Severity, c.Category, c.Title)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func listMarkdown(all *catalog.Catalog) string {
	var b strings.Builder
	b.WriteString("# Controls\n")
	for _, category := range catalog.Categories() {
		fmt.Fprintf(&b, "\n## %s\n\n| id | severity | what it does |\n|---|---|---|\n", category)
		for _, c := range all.Controls() {
			if c.Category == category {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", c.ID, c.Severity, cell(c.Description))
			}
		}
	}
	return b.String()
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(strings.TrimSpace(s))
}

// controlDetail is what `catalog show` prints of a control.
type controlDetail struct {
	controlSummary
	Description string                     `json:"description"`
	Scope       string                     `json:"scope"`
	PodSecurity string                     `json:"podSecurity,omitempty"`
	Parameters  map[string]*catalog.Schema `json:"parameters,omitempty"`
	References  []string                   `json:"references"`
	Compliance  map[string][]string        `json:"compliance,omitempty"`
	// Policy as it is rendered with the example parameters, without where and how strictly.
	Policy map[string]any `json:"policy"`
}

func describeControl(c *catalog.Control) (controlDetail, error) {
	params, problems := c.Examples()
	if len(problems) > 0 {
		return controlDetail{}, fmt.Errorf("control %s: %w", c.ID, problems[0])
	}
	policy, err := c.Render(params)
	if err != nil {
		return controlDetail{}, err
	}
	scope := "Namespaced"
	if c.ClusterScoped {
		scope = "Cluster"
	}
	return controlDetail{
		controlSummary: controlSummary{c.ID, c.Title, c.Category, c.Severity}, Description: c.Description, Scope: scope, PodSecurity: c.PodSecurity,
		Parameters: c.Parameters.Properties, References: c.References, Compliance: c.Compliance, Policy: policy,
	}, nil
}

func (d controlDetail) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n\n", d.ID, d.Title, strings.TrimSpace(d.Description))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Category:\t%s\nSeverity:\t%s\nScope:\t%s\n", d.Category, d.Severity, d.Scope)
	for _, framework := range slices.Sorted(keys(d.Compliance)) {
		fmt.Fprintf(w, "%s:\t%s\n", framework, strings.Join(d.Compliance[framework], ", "))
	}
	_ = w.Flush() // into memory
	for _, name := range slices.Sorted(keys(d.Parameters)) {
		p := d.Parameters[name]
		fmt.Fprintf(&b, "\nParameter %s (%s, default %s):\n  %s\n", name, p.Type, inline(p.Default), p.Description)
	}
	fmt.Fprintf(&b, "\nReferences:\n  %s\n\nPolicy:\n%s", strings.Join(d.References, "\n  "), indent(d.policyYAML()))
	return b.String()
}

func (d controlDetail) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s: %s\n\n", d.ID, d.Title, cell(d.Description))
	fmt.Fprintf(&b, "| category | severity | scope |\n|---|---|---|\n| %s | %s | %s |\n", d.Category, d.Severity, d.Scope)
	if len(d.Parameters) > 0 {
		b.WriteString("\n| parameter | type | default | meaning |\n|---|---|---|---|\n")
		for _, name := range slices.Sorted(keys(d.Parameters)) {
			p := d.Parameters[name]
			fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", name, p.Type, inline(p.Default), cell(p.Description))
		}
	}
	for _, framework := range slices.Sorted(keys(d.Compliance)) {
		fmt.Fprintf(&b, "\n%s: %s\n", framework, strings.Join(d.Compliance[framework], ", "))
	}
	b.WriteString("\n")
	for _, r := range d.References {
		fmt.Fprintf(&b, "- <%s>\n", r)
	}
	fmt.Fprintf(&b, "\n```yaml\n%s```\n", d.policyYAML())
	return b.String()
}

func (d controlDetail) policyYAML() string {
	out, err := yaml.Marshal(d.Policy)
	if err != nil {
		panic(err) // it was parsed from YAML
	}
	return string(out)
}
