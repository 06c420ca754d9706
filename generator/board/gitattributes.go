package board

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// gitAttributes returns the attributes of what gatehouse writes, and of nothing else in
// the repository: the same line ends on every machine, whatever core.autocrlf says, and
// a forge folds the diff of what is generated. It does not fold the board, which shows a
// reviewer what changes. The lines of the lock merge by union.
//
// The lines do not depend on the profile, so that two branches never differ in them.
func gitAttributes() string {
	const text, generated = " text eol=lf", " linguist-generated"
	lines := []string{
		"/" + layout.GitAttributes + text + generated,
		"/" + layout.SourceIgnore + text + generated,
		"/" + layout.CodeOwners + text,
		"/" + layout.Board + text + " merge=union",
		"/" + layout.Clusters + "/*/" + layout.Root + "/**" + text + generated,
		"/" + layout.Environments + "/**" + text + generated,
		"/" + layout.Contents + "/**" + text + generated,
		"/" + layout.Tests + "/**" + text + generated,
		"/" + layout.Lock + text + generated + " merge=union",
	}
	return manifest.Header + "\n" + strings.Join(lines, "\n") + "\n"
}
