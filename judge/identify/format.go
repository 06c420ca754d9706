package identify

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/markdown"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/internal/report"
)

// Formats returns the formats that a report can be written in.
func Formats() []string { return []string{"text", "json", "markdown"} }

// Write writes the report in one of the Formats.
func (r *Report) Write(w io.Writer, format string) error {
	return report.Encoders{"text": r.text, "json": report.JSON(r), "markdown": report.Text(r.markdown)}.Write(w, format)
}

// says is the answer as a sentence.
func (p Policy) says() string {
	controls := strings.Join(p.Controls, ", ")
	switch p.Answer {
	case Equal:
		text := fmt.Sprintf("%s: equal verdicts on %d documents, of which both refuse %d", controls, p.Documents, p.Refused)
		if p.Tolerated > 0 {
			text += fmt.Sprintf("; but for %d updates of what has the fault already, which the control admits", p.Tolerated)
		}
		return text
	case Different:
		return fmt.Sprintf("%s: equal verdicts on %d documents, of which both refuse %d, and different ones on %d", controls, p.Documents, p.Refused, p.Differing)
	}
	return "not expressible, because " + p.Because
}

// more says how many differences are not listed.
func (p Policy) more() string {
	if n := p.Differing - len(p.Differences); n > 0 {
		return fmt.Sprintf("and %d more", n)
	}
	return ""
}

func (d Difference) line() string {
	return fmt.Sprintf("%s (%s): the policy: %s, the control: %s [%s]", d.Document, d.Resource, d.Policy, d.Control, d.Origin)
}

func (r *Report) text() ([]byte, error) {
	var b plain.Text
	for _, p := range r.Policies {
		b.Line("%s: %s", p.id(), p.says())
		for _, d := range p.Differences {
			b.Line("  different: %s", d.line())
		}
		if more := p.more(); more != "" {
			b.Line("  %s", more)
		}
		for _, left := range p.Left {
			b.Line("  not compared: %s", left)
		}
	}
	if r.Snippet != "" {
		fmt.Fprintf(&b, "\n%s", r.Snippet)
	}
	return []byte(b.String()), nil
}

func (r *Report) markdown() string {
	var b strings.Builder
	b.WriteString("## gatehouse identify\n\n")
	table := markdown.NewTable(&b, "policy", "answer", "controls", "equal:", "refused by both:", "different:", "why, and what is not compared")
	for _, p := range r.Policies {
		table.Row(p.id(), string(p.Answer), strings.Join(p.Controls, ", "), p.Documents, p.Refused, p.Differing, strings.Join(append(because(p), p.Left...), "; "))
	}
	for _, p := range r.Policies {
		if len(p.Differences) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", plain.Line(p.id()))
		table := markdown.NewTable(&b, "document", "resource", "the policy", "the control")
		for _, d := range p.Differences {
			table.Row(d.Document, d.Resource, d.Policy, d.Control)
		}
		if more := p.more(); more != "" {
			fmt.Fprintf(&b, "\n%s\n", more)
		}
	}
	if r.Snippet != "" {
		fmt.Fprintf(&b, "\n```yaml\n%s```\n", r.Snippet)
	}
	return b.String()
}

func because(p Policy) []string {
	if p.Because == "" {
		return nil
	}
	return []string{p.Because}
}

// snippet returns the part of a profile that enables the controls with equal verdicts. Of
// several policies that give a control other parameters, those of the first one are there.
func snippet(policies []Policy) string {
	from, parameters := map[string][]string{}, map[string]map[string]any{}
	for _, p := range policies {
		if p.Answer == Equal {
			for _, control := range p.Controls {
				name := p.Name
				switch {
				case len(from[control]) == 0:
					parameters[control] = p.Parameters[control]
				case !reflect.DeepEqual(parameters[control], p.Parameters[control]):
					name += " (has other parameters)"
				}
				from[control] = append(from[control], name)
			}
		}
	}
	if len(from) == 0 {
		return ""
	}
	var b plain.Text
	b.Line("spec:")
	b.Line("  controls:")
	for _, control := range slices.Sorted(maps.Keys(from)) {
		settings := "{}"
		if parameters[control] != nil {
			raw, err := json.Marshal(map[string]any{"parameters": parameters[control]})
			if err != nil {
				panic(err) // they were YAML
			}
			settings = string(raw)
		}
		b.Line("    %s: %s # %s", control, settings, strings.Join(from[control], ", "))
	}
	return b.String()
}
