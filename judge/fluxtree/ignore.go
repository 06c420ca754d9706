package fluxtree

import (
	"bytes"
	"cmp"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/sourceignore/gitignore"
)

// ignored is what source-controller leaves out of an artifact.
type ignored struct {
	gitignore.Matcher
	// deep says that something in a folder that is left out may be there all the same: the
	// archive is filtered file by file.
	deep bool
	// used says that something applies what is left.
	used bool
}

// leavesOut reports whether a file or folder is left out. The folder of all is not.
func (i *ignored) leavesOut(name string, dir bool) bool {
	return name != "." && i.Match(strings.Split(name, "/"), dir)
}

// includes finds a pattern that takes something in again.
var includes = regexp.MustCompile(`(?m)^!`)

// ignoring has the patterns that all sources of a repository share.
type ignoring struct {
	// root are those of .sourceignore in the root, and below those of the other ones.
	root, below []gitignore.Pattern
	exclude     []gitignore.Pattern
	deep        bool
}

// ignoringOf reads the files .sourceignore of a repository. What exclude says is left out, too.
func ignoringOf(fsys fs.FS, exclude []string) (ignoring, error) {
	all := ignoring{exclude: Patterns(exclude), deep: slices.ContainsFunc(exclude, includes.MatchString)}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir() || d.Name() != sourceignore.IgnoreFile:
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		all.deep = all.deep || includes.Match(data)
		if dir := path.Dir(name); dir != "." {
			all.below = append(all.below, sourceignore.ReadPatterns(bytes.NewReader(data), strings.Split(dir, "/"))...)
		} else {
			all.root = sourceignore.ReadPatterns(bytes.NewReader(data), nil)
		}
		return nil
	})
	return all, err
}

// of returns what a source leaves out whose spec.ignore is given: files of version control, what
// .sourceignore says, and then what spec.ignore says. Files of CI, pictures and archives are left
// out only if neither has a pattern. A Bucket has no files of version control, no such defaults,
// and only the .sourceignore of its root.
func (i ignoring) of(kind, ignore string) *ignored {
	own := sourceignore.ReadPatterns(strings.NewReader(ignore), nil)
	patterns := slices.Concat(i.root, i.below, own)
	switch {
	case kind == "Bucket":
		patterns = slices.Concat(sourceignore.VCSPatterns(nil), i.root, own) // those of the clone
	case len(patterns) == 0:
		patterns = slices.Concat(sourceignore.VCSPatterns(nil), sourceignore.DefaultPatterns(nil))
	default:
		patterns = slices.Concat(sourceignore.VCSPatterns(nil), patterns)
	}
	return &ignored{Matcher: sourceignore.NewMatcher(slices.Concat(patterns, i.exclude)), deep: i.deep || includes.MatchString(ignore)}
}

// see makes the repository what a source has of it.
func (w *walk) see(ref reference) {
	ref = w.named(ref)
	spec, _ := w.spec(ref)
	w.repository.see(ref.Kind, spec.Ignore)
}

func (r *Repository) see(kind, ignore string) {
	key := kind + "\x00" + ignore
	seen, known := r.seen[key]
	if !known {
		seen = r.ignoring.of(kind, ignore)
		r.seen[key] = seen
	}
	r.ignored, r.disk.absent = seen, func(name string) bool { return seen.leavesOut(name, false) }
}

// missing reports whether a folder is not in the source that is seen.
func (r *Repository) missing(dir string) bool {
	info, err := fs.Stat(r.fsys, dir)
	if err != nil || !info.IsDir() {
		return true
	}
	if !r.ignored.leavesOut(dir, true) {
		return false
	}
	missing := true
	if r.ignored.deep {
		_ = fs.WalkDir(r.fsys, dir, func(name string, d fs.DirEntry, err error) error { // what cannot be read is not there
			if err == nil && d.Type().IsRegular() && !r.ignored.leavesOut(name, false) {
				missing = false
				return fs.SkipAll
			}
			return nil
		})
	}
	return missing
}

// absent reports whether all sources that are used leave out a file.
func (r *Repository) absent(name string) bool {
	absent := false
	for _, seen := range r.seen {
		if seen.used && !seen.leavesOut(name, false) {
			return false
		}
		absent = absent || seen.used
	}
	return absent
}

// learns notes spec.ignore of the source of a Kustomization that applies it itself, as it is built, and reports
// whether it is another one than was seen.
func (w *walk) learns(k *Kustomization, built []Built) bool {
	ref := k.source()
	for _, b := range built {
		h, err := headerOf(b.JSON)
		if err != nil || h.Kind != ref.Kind || h.Metadata.Name != ref.Name || cmp.Or(h.Metadata.Namespace, defaultFlux) != ref.Namespace {
			continue
		}
		before, _ := w.spec(ref)
		now := sourceSpecOf(b.JSON)
		w.specs[sourceKey(ref)] = now
		return now.Ignore != before.Ignore
	}
	return false
}
