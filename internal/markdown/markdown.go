// Package markdown writes Markdown with text that comes from elsewhere.
package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Safe is Markdown that is on one line and does not end the cell of a table.
type Safe string

// Text returns plain text as Markdown. It escapes what Markdown and HTML would
// take for markup, what would end the cell of a table or the line, what a reader would not
// see, and what forges take for a link: addresses, mentions of people, numbers of issues.
func Text(s string) Safe {
	var b strings.Builder
	text := plain.Line(string(oneLine(s)))
	for i, r := range text {
		rest := text[i+utf8.RuneLen(r):]
		switch {
		case strings.ContainsRune("\\`*_[]<>|&~$#!", r), r == ':' && strings.HasPrefix(rest, "//"), r == '.' && strings.HasSuffix(text[:i], "www"):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if refers(text[:i], r, rest) {
			b.WriteString(apart)
		}
	}
	return Safe(strings.TrimSpace(b.String()))
}

// apart is a space without a width. Forges look for references in the text that Markdown
// has made, so a backslash does not help.
const apart = "&#8203;"

var (
	name   = regexp.MustCompile(`^[\pL\pN_]`)
	digest = regexp.MustCompile(`^sha(256|512):`)
)

// refers reports whether a forge takes a character and what follows for a reference: to a
// person, an issue, a merge request or a mail address. A digest of an image is none.
func refers(before string, r rune, rest string) bool {
	switch r {
	case '@':
		return name.MatchString(rest) && !digest.MatchString(rest)
	case '#', '!':
		return name.MatchString(rest)
	case '-': // GH-1
		return strings.HasSuffix(strings.ToUpper(before), "GH") && name.MatchString(rest)
	}
	return false
}

// Prose returns text whose author marks code with backticks, and writes no other
// markup, as Markdown: descriptions of controls and comments of the language.
func Prose(s string) Safe {
	s = plain.Line(string(oneLine(s)))
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
	s = plain.Line(string(oneLine(s)))
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
func (t Table) Row(cells ...any) { t.b.WriteString(Row(cells...)) }

// Row returns a row of a table, as [Table.Row] writes it.
func Row(cells ...any) string {
	var b strings.Builder
	for _, cell := range cells {
		safe, ok := cell.(Safe)
		if !ok {
			safe = Text(fmt.Sprint(cell))
		}
		fmt.Fprintf(&b, "| %s ", safe)
	}
	b.WriteString("|\n")
	return b.String()
}
