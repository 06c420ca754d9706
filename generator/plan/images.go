package plan

import (
	"regexp"
	"strings"
)

// Spelling rewrites an image by a regular expression.
type Spelling struct{ From, To string }

// Spellings rewrite an image, from first to last, to the name that container runtimes
// read: without a host (a first part with a dot, a colon or an upper-case letter) it
// lies on docker.io; index.docker.io is docker.io; one part alone there lies in library;
// without tag and digest, it is the latest.
func Spellings() []Spelling {
	return []Spelling{
		{`^([^/.:A-Z]+/.*|[^/]*)$`, `docker.io/$1`},
		{`^index[.]docker[.]io/`, `docker.io/`},
		{`^docker[.]io/([^/]+)$`, `docker.io/library/$1`},
		{`^(.*/[^/:@]*)$`, `$1:latest`},
	}
}

// FullImage returns the full name of a glob of images. What begins with a * may be on any
// registry.
func FullImage(glob string) string {
	if strings.HasPrefix(glob, "*") {
		return glob
	}
	all := Spellings()
	if strings.HasSuffix(glob, "*") { // the * stands for the tag, too
		all = all[:len(all)-1]
	}
	for _, s := range all {
		glob = regexp.MustCompile(s.From).ReplaceAllString(glob, s.To)
	}
	return glob
}
