package charts

import (
	"path"
	"regexp"
	"slices"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// lines finds where in its template an object begins, by what the text of the template says. A template makes what it
// likes: the line is a help, and the file is certain.
type lines map[string][]section

// section is a part of a template between two lines of ---.
type section struct {
	line int
	kind string
	// names are the fixed parts of the name of its object.
	names []string
}

// linesOf looks through the templates of a chart and of its dependencies.
func linesOf(c *chart.Chart) lines {
	l := lines{}
	l.add(c)
	return l
}

func (l lines) add(c *chart.Chart) {
	for _, f := range c.Templates {
		l[path.Join(c.ChartFullPath(), f.Name)] = sections(string(f.Data))
	}
	for _, f := range c.Files {
		if strings.HasPrefix(f.Name, "crds/") {
			l[path.Join(c.ChartFullPath(), f.Name)] = sections(string(f.Data))
		}
	}
	for _, d := range c.Dependencies() {
		l.add(d)
	}
}

var (
	beginning = regexp.MustCompile(`^\s*(apiVersion|kind):`)
	kindLine  = regexp.MustCompile(`^\s*kind:\s*["']?([A-Za-z0-9]+)["']?\s*(#.*)?$`)
	nameLine  = regexp.MustCompile(`(?:^\s+|[{,]\s*)name:\s*([^,}]*)`)
	actions   = regexp.MustCompile(`\{\{.*?\}\}`)
)

// sections splits a template.
func sections(text string) []section {
	var all []section
	var s section
	number := 0
	flush := func() {
		if s.line > 0 {
			all = append(all, s)
		}
		s = section{}
	}
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "---") {
			flush()
			continue
		}
		if s.line == 0 && beginning.MatchString(line) {
			s.line = number
		}
		if m := kindLine.FindStringSubmatch(line); m != nil && s.kind == "" {
			s.kind = m[1]
		}
		if m := nameLine.FindStringSubmatch(actions.ReplaceAllString(line, "\x00")); m != nil && s.names == nil {
			s.names = slices.DeleteFunc(strings.Split(strings.Trim(m[1], "\"' "), "\x00"), func(part string) bool { return part == "" })
		}
	}
	flush()
	return all
}

// of returns the line of an object; 0 if that is not clear.
func (l lines) of(template string, head releaseutil.SimpleHead) int {
	all := l[template]
	if len(all) == 1 {
		return all[0].line
	}
	found, best := 0, -1
	for _, s := range all {
		fits, size := s.fits(head)
		switch {
		case !fits || size < best:
		case size > best:
			found, best = s.line, size
		default:
			found = 0 // two that fit alike
		}
	}
	return found
}

// fits reports whether a section may have made an object, and how much of its name is fixed.
func (s section) fits(head releaseutil.SimpleHead) (fits bool, size int) {
	if s.kind != head.Kind || head.Metadata == nil {
		return false, 0
	}
	for _, part := range s.names {
		if !strings.Contains(head.Metadata.Name, part) {
			return false, 0
		}
		size += len(part)
	}
	return true, size
}
