package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

func newCatalogShowCmd(g *globals) *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a control, or a built-in profile",
		Long: `Show what a control refuses, its parameters and its policy. For the name of a
built-in profile, show what it extends and which controls it switches on.`,
		Example: `  gatehouse catalog show restrict-image-registries
  gatehouse catalog show require-labels -o yaml
  gatehouse catalog show hardened`,
		Args: exactArgs("ID"), ValidArgsFunction: completeArgs(o.completeControls),
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			all, warnings, err := o.load(cmd.Context())
			if err != nil {
				return warnings, err
			}
			data, err := describe(args[0], all)
			if err != nil {
				return warnings, err
			}
			if o.format == "markdown" {
				_, err := cmd.OutOrStdout().Write([]byte(data.markdown()))
				return warnings, err
			}
			return warnings, printData(cmd.OutOrStdout(), o.format, data, data.text)
		}),
	}
	o.bind(cmd)
	return cmd
}

// detail is what `catalog show` prints.
type detail interface {
	text() string
	markdown() string
}

// describe describes the control with the id, or the built-in profile with that name.
func describe(id string, all *catalog.Catalog) (detail, error) {
	if control, ok := all.Control(id); ok {
		return describeControl(control)
	}
	known := all.IDs()
	for _, p := range profile.Builtins() {
		if p.Name == id {
			return describeProfile(p, all), nil
		}
		known = append(known, p.Name)
	}
	return nil, usagef("there is no control or built-in profile %q (%s)", id, diag.OneOfMany(id, known, "gatehouse catalog list shows them"))
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
	// Policy of the first target, as it is rendered with the example parameters, without
	// where and how strictly; absent for a control that has no policy.
	Policy map[string]any `json:"policy,omitempty"`
}

func describeControl(c *catalog.Control) (controlDetail, error) {
	params, problems := c.Examples()
	if len(problems) > 0 {
		return controlDetail{}, fmt.Errorf("control %s: %w", c.ID, problems[0])
	}
	var policy catalog.Policy
	if c.Judges() {
		var err error
		if policy, err = c.Render(c.Targets()[0], params); err != nil {
			return controlDetail{}, err
		}
	}
	scope := "Namespaced"
	if c.ClusterScoped {
		scope = "Cluster"
	}
	return controlDetail{
		controlSummary: summarize(c, profilesByControl()), Description: c.Description, Scope: scope, PodSecurity: c.PodSecurity,
		Parameters: c.Parameters.Properties, References: c.References, Compliance: c.Compliance, Policy: policy.Body,
	}, nil
}

func (d controlDetail) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n\n", d.ID, d.Title, strings.TrimSpace(d.Description))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Category:\t%s\nSeverity:\t%s\nScope:\t%s\nTargets:\t%s\nProfiles:\t%s\n",
		d.Category, d.Severity, d.Scope, strings.Join(d.Targets, ", "), names(d.Profiles))
	for _, framework := range slices.Sorted(maps.Keys(d.Compliance)) {
		fmt.Fprintf(w, "%s:\t%s\n", framework, strings.Join(d.Compliance[framework], ", "))
	}
	_ = w.Flush() // into memory
	for _, name := range slices.Sorted(maps.Keys(d.Parameters)) {
		p := d.Parameters[name]
		fmt.Fprintf(&b, "\nParameter %s (%s, default %s):\n  %s\n", name, p.Type, inline(p.Default), p.Description)
	}
	fmt.Fprintf(&b, "\nReferences:\n  %s\n", strings.Join(d.References, "\n  "))
	if d.Policy != nil {
		fmt.Fprintf(&b, "\nPolicy:\n%s", indent(d.policyYAML()))
	}
	return b.String()
}

func (d controlDetail) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s: %s\n\n", d.ID, markdown.Prose(d.Title), markdown.Prose(d.Description))
	markdown.NewTable(&b, "category", "severity", "scope", "targets", "profiles").
		Row(d.Category, d.Severity, d.Scope, strings.Join(d.Targets, ", "), strings.Join(d.Profiles, ", "))
	if len(d.Parameters) > 0 {
		b.WriteString("\n")
		table := markdown.NewTable(&b, "parameter", "type", "default", "meaning")
		for _, name := range slices.Sorted(maps.Keys(d.Parameters)) {
			p := d.Parameters[name]
			table.Row(name, p.Type, markdown.Code(inline(p.Default)), markdown.Prose(p.Description))
		}
	}
	for _, framework := range slices.Sorted(maps.Keys(d.Compliance)) {
		fmt.Fprintf(&b, "\n%s: %s\n", framework, strings.Join(d.Compliance[framework], ", "))
	}
	b.WriteString("\n")
	for _, r := range d.References {
		fmt.Fprintf(&b, "- <%s>\n", r)
	}
	if d.Policy != nil {
		fmt.Fprintf(&b, "\n```yaml\n%s```\n", d.policyYAML())
	}
	return b.String()
}

func (d controlDetail) policyYAML() string {
	out, err := yaml.Marshal(d.Policy)
	if err != nil {
		panic(err) // it was parsed from YAML
	}
	return string(out)
}
