// Package markdown writes text of others into Markdown.
package markdown

import "strings"

// Cell makes text safe inside a table: on one line, without what would end the
// cell or begin HTML or code.
func Cell(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "`", "\\`").Replace(strings.Join(strings.Fields(s), " "))
}
