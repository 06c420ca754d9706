package source

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// style is how a document is written.
type style struct {
	newline string
	// step is by how many columns a mapping is indented in another.
	step int
	// list is by how many columns a list is indented in a mapping.
	list int
	// quoted texts stand in one line, also where they could be a block of lines.
	quoted bool
}

// styleOf takes the style from the first collections that show it.
func styleOf(data []byte, root *yaml.Node) style {
	s := style{newline: "\n", step: 0, list: -1}
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		s.newline = "\r\n"
	}
	s.learn(root)
	if s.step == 0 {
		s.step = 2
	}
	if s.list < 0 {
		s.list = s.step
	}
	return s
}

func (s *style) learn(n *yaml.Node) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && c.Line > n.Content[i-1].Line && c.Style&yaml.FlowStyle == 0 {
			deeper := c.Column - n.Content[i-1].Column
			switch {
			case c.Kind == yaml.MappingNode && s.step == 0 && deeper > 0:
				s.step = deeper
			case c.Kind == yaml.SequenceNode && s.list < 0 && deeper >= 0:
				s.list = deeper
			}
		}
		s.learn(c)
	}
}

// block writes a collection, a line each, indented by indent columns.
func (s style) block(n *yaml.Node, indent int) (out []string) {
	pad := strings.Repeat(" ", indent)
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			inline, rest := s.entry(c, indent+2, 0)
			if inline == "" && len(rest) > 0 { // a collection begins behind the dash
				inline, rest = rest[0][indent+2:], rest[1:]
			}
			out = append(append(out, pad+"- "+inline), rest...)
		}
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		inline, rest := s.entry(n.Content[i+1], indent+s.step, s.list-s.step)
		if inline != "" {
			inline = " " + inline
		}
		out = append(append(out, pad+scalarText(n.Content[i], 0, true)+":"+inline), rest...)
	}
	return out
}

// entry returns what stands behind the colon or dash of a value, and the lines
// below. list is added to the indentation of a list.
func (s style) entry(n *yaml.Node, indent, list int) (inline string, rest []string) {
	switch {
	case len(n.Content) > 0 && n.Kind == yaml.SequenceNode:
		return "", s.block(n, indent+list)
	case len(n.Content) > 0:
		return "", s.block(n, indent)
	case !s.quoted && literal(n):
		return literalText(n.Value, indent)
	}
	return flowText(n), nil
}

// flowText writes a value in one line.
func flowText(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, flowText(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, scalarText(n.Content[i], 0, true)+": "+flowText(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return scalarText(n, n.Style, false)
}

// scalarText writes a scalar in one line, in this style if it can be. Text that
// YAML, of either version, may take for something else is quoted.
func scalarText(n *yaml.Node, style yaml.Style, key bool) string {
	if n.Tag != "!!str" {
		return n.Value
	}
	single := !strings.ContainsAny(n.Value, "\n\t")
	switch {
	case style&yaml.DoubleQuotedStyle != 0:
	case style&yaml.SingleQuotedStyle != 0 && single:
		return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
	case plainText(n.Value), !key && date.MatchString(n.Value) && style&plainDate != 0:
		return n.Value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(n.Value) + `"`
}

// plainDate is a style of ours: a date that stays without quotes.
const plainDate yaml.Style = 1 << 16

var (
	unquoted = regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9_./@+=%()*-]*([ :]?[A-Za-z0-9_./@+=%()*-]+)*$`)
	date     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// plainText reports whether a text may stand without quotes, also in flow style.
func plainText(s string) bool {
	words := []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
	if !unquoted.MatchString(s) || slices.Contains(words, strings.ToLower(s)) || s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789:._") == "" {
		return false
	}
	var n yaml.Node
	err := yaml.Unmarshal([]byte(s), &n)
	return err == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.ScalarNode && n.Content[0].ShortTag() == "!!str" && n.Content[0].Value == s
}

// literal reports whether a text is written as a block of lines.
func literal(n *yaml.Node) bool {
	body := strings.TrimSuffix(n.Value, "\n")
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || !strings.Contains(body, "\n") || strings.HasSuffix(body, "\n") {
		return false
	}
	for line := range strings.Lines(body) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && strings.TrimSpace(line) == "" {
			return false // white space only
		}
	}
	return body[0] != ' ' && body[0] != '\t' && body[0] != '\n'
}

func literalText(s string, indent int) (header string, lines []string) {
	header = "|-"
	if strings.HasSuffix(s, "\n") {
		header = "|"
	}
	for line := range strings.Lines(s) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			line = strings.Repeat(" ", indent) + line
		}
		lines = append(lines, line)
	}
	return header, lines
}
