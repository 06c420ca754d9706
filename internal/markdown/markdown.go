// Package markdown writes Markdown with text that comes from elsewhere.
package markdown

import (
	"fmt"
	"strings"
	"unicode"
)

// Safe is Markdown that is on one line and does not end the cell of a table.
type Safe string

// Text returns plain text as Markdown. It escapes what Markdown and HTML would
// take for markup, what would end the cell of a table or the line, and what
// would turn the direction of writing.
func Text(s string) Safe {
	var b strings.Builder
	for _, r := range s {
		switch {
		case !unicode.IsPrint(r):
			b.WriteByte(' ')
			continue
		case strings.ContainsRune("\\`*_[]<>|&~$#!", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return oneLine(b.String())
}

// Prose returns text whose author marks code with backticks, and writes no other
// markup, as Markdown: descriptions of controls and comments of the language.
func Prose(s string) Safe {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 { // a backtick without its partner
		return Text(s)
	}
	for i, part := range parts {
		if i%2 == 0 {
			part = strings.NewReplacer("<", "&lt;", "*", `\*`).Replace(part)
		}
		parts[i] = strings.ReplaceAll(part, "|", `\|`) // also in code: tables are split first
	}
	return oneLine(strings.Join(parts, "`"))
}

// Code returns text as code.
func Code(s string) Safe {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 { // the text may start or end with a backtick
		s = " " + s + " "
	}
	return oneLine(fence + strings.ReplaceAll(s, "|", `\|`) + fence)
}

func oneLine(s string) Safe { return Safe(strings.Join(strings.Fields(s), " ")) }

// Table is a table that is written row by row.
type Table struct{ b *strings.Builder }

// NewTable writes the head of a table. A column whose head ends in a colon is
// aligned to the right.
func NewTable(b *strings.Builder, heads ...string) Table {
	var rule strings.Builder
	for _, head := range heads {
		title, right := strings.CutSuffix(head, ":")
		b.WriteString("| ")
		if title != "" {
			fmt.Fprintf(b, "%s ", Text(title))
		}
		rule.WriteString("|---")
		if right {
			rule.WriteByte(':')
		}
	}
	fmt.Fprintf(b, "|\n%s|\n", rule.String())
	return Table{b}
}

// Row writes a row. A cell that is Safe is written as it is, and everything else
// as Text, as fmt prints it.
func (t Table) Row(cells ...any) {
	for _, cell := range cells {
		safe, ok := cell.(Safe)
		if !ok {
			safe = Text(fmt.Sprint(cell))
		}
		fmt.Fprintf(t.b, "| %s ", safe)
	}
	t.b.WriteString("|\n")
}
