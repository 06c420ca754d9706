// Package docs tests that what is written about the project can be followed:
// references resolve, and name nothing outside the repository.
package docs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repository returns the texts of all tracked files for people, by path.
type repository struct {
	root  string
	texts map[string]string
}

func open(t *testing.T) repository {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	r := repository{root: root, texts: map[string]string{}}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if !slices.Contains([]string{".go", ".md", ".yaml"}, path.Ext(name)) && path.Base(name) != "Makefile" || strings.HasPrefix(name, "hack/docs/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		r.texts[name] = string(text)
	}
	return r
}

// exists reports whether the repository has a file or folder.
func (r repository) exists(name string) bool {
	_, err := os.Stat(filepath.Join(r.root, name))
	return err == nil
}

// problem returns what is wrong with a reference to a file, and perhaps to a heading in
// it. It is empty if the reference resolves.
func (r repository) problem(target string) string {
	name, anchor, _ := strings.Cut(target, "#")
	switch {
	case !r.exists(name):
		return "there is no " + name
	case anchor != "" && !slices.Contains(anchors(r.texts[name]), anchor):
		return name + " has no heading #" + anchor
	}
	return ""
}

var (
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence    = regexp.MustCompile("(?ms)^```.*?^```")
	notInID  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	link     = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	mention  = regexp.MustCompile(`(^|[^\w/.-])(docs/[\w./-]+\.md(#[\w-]+)?)`)
	decision = regexp.MustCompile(`docs/adr/(\d{4})\b`)
	testName = regexp.MustCompile("`((Test|Fuzz)[A-Z]\\w*)`")
	declared = regexp.MustCompile(`(?m)^func ((Test|Fuzz)\w*)\(`)
	// outside names documents that are not part of the repository.
	outside = regexp.MustCompile(`\bDESIGN\b|\bfacts(/|:|\.md)|\bSTYLE\.md|\breview\.md`)
)

// anchors returns the names that GitHub gives to the headings of a Markdown text.
func anchors(text string) []string {
	var found []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		id := notInID.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		found = append(found, strings.ReplaceAll(id, " ", "-"))
	}
	return found
}

func TestAnchors(t *testing.T) {
	text := "# One: `two` & three\n```sh\n# a comment\n```\n## graph-move\n"
	if got, want := anchors(text), []string{"one-two--three", "graph-move"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLinks follows every link of every Markdown file that stays in the repository.
func TestLinks(t *testing.T) {
	r := open(t)
	links := 0
	for name, text := range r.texts {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			resolved := path.Join(path.Dir(name), target)
			if strings.HasPrefix(target, "#") {
				resolved = name + target
			}
			if problem := r.problem(resolved); problem != "" {
				t.Errorf("%s links to %s: %s", name, target, problem)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links were found", links)
	}
}

// TestMentions resolves the paths of documents that comments and texts name.
func TestMentions(t *testing.T) {
	r := open(t)
	mentions := 0
	for name, text := range r.texts {
		for _, m := range mention.FindAllStringSubmatch(text, -1) {
			mentions++
			if problem := r.problem(m[2]); problem != "" {
				t.Errorf("%s names %s: %s", name, m[2], problem)
			}
		}
		for _, m := range decision.FindAllStringSubmatch(text, -1) {
			if found, err := filepath.Glob(filepath.Join(r.root, "docs", "adr", m[1]+"-*.md")); err != nil || len(found) != 1 {
				t.Errorf("%s names %s: %d files", name, m[0], len(found))
			}
		}
	}
	if mentions < 50 {
		t.Errorf("only %d paths were found", mentions)
	}
}

// TestNamedTests: a test that a document gives as evidence exists.
func TestNamedTests(t *testing.T) {
	r := open(t)
	tests := map[string]bool{}
	for name, text := range r.texts {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range declared.FindAllStringSubmatch(text, -1) {
			tests[m[1]] = true
		}
	}
	named := 0
	for name, text := range r.texts {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			named++
			if !tests[m[1]] {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d names were found", named)
	}
}

// TestNothingOutside: no text sends the reader to a document that the
// repository does not have.
func TestNothingOutside(t *testing.T) {
	for name, text := range open(t).texts {
		for i, line := range strings.Split(text, "\n") {
			if outside.MatchString(line) {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}
