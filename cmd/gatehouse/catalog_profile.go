package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// profileDetail is what `catalog show` prints of a built-in profile.
type profileDetail struct {
	Profile     string           `json:"profile"`
	Description string           `json:"description"`
	Extends     []string         `json:"extends"`
	Controls    []profileControl `json:"controls"`
}

// profileControl is a control that a built-in profile switches on.
type profileControl struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	// From is the profile that switches it on: this one, or one that it extends; default
	// if it is on in every profile.
	From       string         `json:"from"`
	MaxStage   string         `json:"maxStage,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

func describeProfile(p profile.Builtin, all *catalog.Catalog) profileDetail {
	d := profileDetail{Profile: p.Name, Description: p.Description, Extends: append([]string{}, p.Extends...)}
	for _, c := range p.Controls {
		control, _ := all.Control(c.ID) // a test holds that there is one
		d.Controls = append(d.Controls, profileControl{c.ID, control.Title, control.Severity, c.From, c.MaxStage, c.Parameters})
	}
	return d
}

// settings returns what the profile changes of the control's defaults.
func (c profileControl) settings() string {
	var out []string
	if c.MaxStage != "" {
		out = append(out, "maxStage "+c.MaxStage)
	}
	if len(c.Parameters) > 0 {
		out = append(out, inline(c.Parameters))
	}
	return names(out)
}

func (d profileDetail) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: built-in profile\n\n%s\n\nExtends: %s\n\n", d.Profile, d.Description, names(d.Extends))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONTROL\tSEVERITY\tFROM\tSETTINGS\tTITLE")
	for _, c := range d.Controls {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Severity, c.From, c.settings(), c.Title)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func (d profileDetail) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\nExtends: %s\n\n", d.Profile, markdown.Prose(d.Description), names(d.Extends))
	table := markdown.NewTable(&b, "control", "severity", "from", "settings", "title")
	for _, c := range d.Controls {
		table.Row(c.ID, c.Severity, c.From, c.settings(), markdown.Prose(c.Title))
	}
	return b.String()
}
