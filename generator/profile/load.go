package profile

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/source"
	"github.com/gatehouse-dev/gatehouse/profiles"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// Loaded is one document as written, with the position of each field.
type Loaded[T any] struct {
	File      string
	Value     T
	Positions source.Positions
}

// Input is a source that was read and decoded, without defaults.
type Input struct {
	Profile      Loaded[v1alpha1.Profile]
	Environments []Loaded[v1alpha1.Environment]
	Exceptions   []Loaded[v1alpha1.Exception]
	// Overridden holds the profile with the overrides of an environment, by the name of
	// the environment. It has only those namespaces that the overrides name. An
	// environment without overrides is not in it.
	Overridden map[string]Loaded[v1alpha1.Profile]
	Catalog    *catalog.Catalog

	files *reader
	// partial is set if a document is not YAML, or a file is empty: what they define is
	// unknown.
	partial bool
	// partialCatalog is set if a folder of spec.catalogs cannot be read, so the
	// controls that it defines are not known.
	partialCatalog bool
}

// ReadFile returns the content of a file that a document refers to.
func (in *Input) ReadFile(name string) ([]byte, error) { return in.files.read(name) }

// Load reads a source. name is "." for all of fsys, or one file in it. Load skips
// hidden files, the top-level folder tests, folders of controls and generated
// repositories. A relative `extends` stays inside fsys. The input is nil if it
// cannot be validated; unknown fields do not prevent that. If the profile asks for
// another version of gatehouse than this one, that is the only problem: what else looks
// wrong may be what the other version added.
func Load(fsys fs.FS, name, version string) (*Input, diag.List) {
	l := &loader{files: newReader(fsys), parsed: map[string][]*source.Document{}}
	names, err := l.list(fsys, name)
	if err != nil {
		l.problem(diag.Position{File: name}, "source-unreadable", "", "", "%v", plainError(err))
		return nil, l.problems.Sort()
	}
	for _, n := range names {
		l.parse(n)
	}
	names = l.withoutControls(names)
	if d, wrong := l.wrongFolder(names); wrong {
		l.problems = nil
		l.problems.Add(d)
		return nil, l.problems
	}
	l.empty(names)
	in := &Input{files: l.files}
	l.classify(in, names)
	if !l.checkVersion(in, version) {
		return nil, l.problems
	}
	if in.Profile.File == "" || l.profileBroken || slices.ContainsFunc(l.problems, unusable) {
		return nil, l.problems.Sort()
	}
	in.partial = slices.ContainsFunc(l.problems, func(d diag.Diagnostic) bool {
		return d.Severity == diag.Error && slices.Contains([]string{codeSyntax, codeEmpty}, d.Code)
	})
	in.Catalog = l.catalog(in)
	return in, l.problems.Sort()
}

const (
	// codeSyntax marks a document that is not YAML.
	codeSyntax = "yaml-syntax"
	// codeEmpty marks a file without a document.
	codeEmpty = "source-empty"
)

// unusable reports whether a problem leaves nothing to validate. An unknown field
// does not, nor does a broken document that is not the profile: the same run reports
// what else is wrong.
func unusable(d diag.Diagnostic) bool {
	return d.Severity == diag.Error && !slices.Contains([]string{"unknown-field", codeFleet, codeSyntax, codeEmpty}, d.Code)
}

// withoutFollowUps drops problems that a document with broken YAML, or a catalogue
// that cannot be read, may have caused.
func (in *Input) withoutFollowUps(problems diag.List) diag.List {
	return slices.DeleteFunc(problems, func(d diag.Diagnostic) bool {
		return in.partial && slices.Contains([]string{"environment-missing", "environment-unknown", "exception-namespace"}, d.Code) ||
			in.partialCatalog && d.Code == "control-unknown"
	})
}

// Catalog reads the built-in controls, and those of a source unless fsys is nil.
func Catalog(fsys fs.FS, name, version string) (*catalog.Catalog, diag.List) {
	if fsys != nil {
		in, problems := Load(fsys, name, version)
		if in == nil {
			return nil, problems
		}
		return in.Catalog, problems
	}
	l := &loader{}
	return l.catalog(&Input{}), l.problems
}

// BuiltIn is the prefix of the file names of built-in profiles in positions.
const BuiltIn = "builtin/"

type loader struct {
	files    *reader
	parsed   map[string][]*source.Document
	merged   map[*source.Document]*source.Document
	problems diag.List
	// profileBroken is set if the profile, or one that it extends, is not YAML.
	profileBroken bool
}

func (l *loader) problem(at diag.Position, code, field, hint, format string, args ...any) {
	l.problems.Add(diag.Diagnostic{Code: code, Position: at, Path: field, Summary: fmt.Sprintf(format, args...), Hint: hint})
}

func (l *loader) list(fsys fs.FS, name string) ([]string, error) {
	if name != "." {
		if _, err := fs.Stat(fsys, name); err != nil {
			return nil, err
		}
		return []string{name}, nil
	}
	var names []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == ".":
			return nil
		case strings.HasPrefix(d.Name(), "."), p == "tests":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			for _, marker := range []string{"control.yaml", layout.Lock} {
				if _, err := fs.Stat(fsys, path.Join(p, marker)); err == nil {
					return fs.SkipDir
				}
			}
			return nil
		case path.Ext(p) == ".yaml" || path.Ext(p) == ".yml":
			if names = append(names, p); len(names) > maxFiles {
				return fmt.Errorf("the source has more than %d files", maxFiles)
			}
		case d.Type() == fs.ModeSymlink:
			l.link(fsys, p)
		}
		return nil
	})
	return names, err
}

func (l *loader) parse(name string) []*source.Document {
	if docs, ok := l.parsed[name]; ok {
		return docs
	}
	data, err := l.files.read(name)
	if err != nil {
		l.problem(diag.Position{File: name}, "source-unreadable", "", "", "%v", plainError(err))
		return nil
	}
	docs, problems := source.Parse(name, data)
	l.problems = append(l.problems, problems...)
	l.parsed[name] = docs
	if broken(name, problems) && len(profileKind.FindAll(data, -1)) > count(docs, v1alpha1.KindProfile) {
		l.profileBroken = true
	}
	return docs
}

// profileKind finds Profiles in a text, even if it is not YAML.
var profileKind = regexp.MustCompile(`(?m)^kind:[ \t]+["']?Profile\b`)

func count(docs []*source.Document, kind string) (n int) {
	for _, d := range docs {
		if d.Kind == kind {
			n++
		}
	}
	return n
}

// broken reports whether a document of the file is not YAML.
func broken(file string, problems diag.List) bool {
	return slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.File == file && d.Code == codeSyntax })
}

// classify decodes every document. A profile that another one extends is a base,
// and not the profile of the source.
func (l *loader) classify(in *Input, names []string) {
	var candidates, environmentDocs []*source.Document
	environments, exceptions := map[string]diag.Position{}, map[string]diag.Position{}
	for _, name := range names {
		for _, doc := range l.parsed[name] {
			if !l.known(doc) {
				continue
			}
			switch doc.Kind {
			case v1alpha1.KindProfile:
				candidates = append(candidates, doc)
			case v1alpha1.KindEnvironment:
				in.Environments = append(in.Environments, l.environment(doc))
				environmentDocs = append(environmentDocs, doc)
				l.unique(doc, environments)
			case v1alpha1.KindException:
				in.Exceptions = append(in.Exceptions, decode[v1alpha1.Exception](l, doc))
				l.unique(doc, exceptions)
			}
		}
	}
	bases := map[string]bool{}
	for _, doc := range candidates {
		for _, e := range extends(doc) {
			if isFile(e.Value) {
				bases[path.Join(path.Dir(doc.File), e.Value)] = true
			}
		}
	}
	roots := slices.DeleteFunc(slices.Clone(candidates), func(d *source.Document) bool { return bases[d.File] })
	if len(roots) == 0 && len(candidates) > 0 {
		roots = candidates[:1] // each extends another: report the cycle
	}
	switch {
	case len(roots) == 0 && !l.problems.HasErrors():
		at := diag.Position{File: "."} // the whole source
		if len(names) == 1 {
			at.File = names[0]
		}
		l.problem(at, "profile-missing", "", "write one document with kind: Profile, or run gatehouse init", "the source has no Profile")
	case len(roots) > 1 && !l.profileBroken:
		for _, extra := range roots[1:] {
			l.problem(extra.At(extra.Node), "profile-duplicate", "", "keep one; name a base in spec.extends", "second Profile; the first is at %s", roots[0].At(roots[0].Node))
		}
	}
	if len(roots) > 0 {
		root := l.inherit(roots[0], nil)
		known := len(l.problems)
		in.Profile = decode[v1alpha1.Profile](l, root)
		if l.profileBroken { // the broken part may hold what is missing
			l.problems = append(l.problems[:known], withoutRequired(l.problems[known:])...)
		}
		in.Overridden = l.overridden(root, environmentDocs)
	}
	slices.SortFunc(in.Environments, func(a, b Loaded[v1alpha1.Environment]) int {
		return strings.Compare(a.Value.Metadata.Name, b.Value.Metadata.Name)
	})
	slices.SortFunc(in.Exceptions, func(a, b Loaded[v1alpha1.Exception]) int {
		return strings.Compare(a.Value.Metadata.Name, b.Value.Metadata.Name)
	})
}

func (l *loader) known(doc *source.Document) bool {
	at := doc.At(doc.Node)
	if v := source.Lookup(doc.Node, "apiVersion"); v != nil {
		at = doc.At(v)
	}
	switch {
	case doc.APIVersion == "":
		l.problem(at, "required", "apiVersion", "apiVersion: "+v1alpha1.APIVersion, "is required")
	case doc.APIVersion != v1alpha1.APIVersion:
		hint := diag.DidYouMean(doc.APIVersion, []string{v1alpha1.APIVersion})
		if hint == "" {
			hint = "keep other YAML in a folder named tests, in a hidden folder, or outside the source"
		}
		l.problem(at, "unknown-type", "apiVersion", hint, "%q is not a document of gatehouse", doc.APIVersion)
	default:
		kinds := []string{v1alpha1.KindProfile, v1alpha1.KindEnvironment, v1alpha1.KindException}
		if slices.Contains(kinds, doc.Kind) {
			return true
		}
		if doc.Kind == "" {
			at = doc.At(doc.Node)
			if key := source.Key(doc.Node, "kind"); key != nil { // kind: null
				at = doc.At(key)
			}
			l.problem(at, "required", "kind", diag.OneOf("", kinds), "is required")
			return false
		}
		if v := source.Lookup(doc.Node, "kind"); v != nil {
			at = doc.At(v)
		}
		l.problem(at, "unknown-type", "kind", diag.OneOf(doc.Kind, kinds), "unknown kind %q", doc.Kind)
	}
	return false
}

func (l *loader) unique(doc *source.Document, seen map[string]diag.Position) {
	at := doc.At(doc.Node)
	if v := source.Lookup(doc.Node, "metadata", "name"); v != nil {
		at = doc.At(v)
	}
	if first, ok := seen[doc.Name]; ok && doc.Name != "" {
		l.problem(at, "duplicate-name", "metadata.name", "", "%s %q is defined twice, first at %s", doc.Kind, doc.Name, first)
		return
	}
	seen[doc.Name] = at
}

// inherit returns the profile merged onto the profiles that it extends. Each is merged once,
// however many others extend it.
func (l *loader) inherit(doc *source.Document, chain []string) *source.Document {
	if merged, done := l.merged[doc]; done {
		return merged
	}
	merged := l.merge(doc, chain)
	if l.merged == nil {
		l.merged = map[*source.Document]*source.Document{}
	}
	l.merged[doc] = merged
	return merged
}

// maxExtends is how many profiles a profile may extend, and how long a chain of them may be.
const maxExtends = 100

func (l *loader) merge(doc *source.Document, chain []string) *source.Document {
	var base *source.Document
	for i, e := range extends(doc) {
		field := fmt.Sprintf("spec.extends[%d]", i)
		if i == maxExtends || len(chain) == maxExtends {
			l.problem(doc.At(e), "extends-many", field, "", "a profile may extend at most %d others, and a chain of them may have as many", maxExtends)
			break
		}
		parent, key := l.parent(doc, e, field)
		if parent == nil {
			continue
		}
		if slices.Contains(chain, key) || parent == doc {
			l.problem(doc.At(e), "extends-cycle", field, "", "%s extends itself: %s", key, strings.Join(append(chain, key), " → "))
			continue
		}
		parent = l.inherit(parent, append(slices.Clone(chain), key))
		if base == nil {
			base = parent
		} else {
			base = source.Merge(base, parent, oneValue)
		}
	}
	if base == nil {
		return doc
	}
	return source.Merge(base, doc, oneValue)
}

func (l *loader) parent(doc *source.Document, e *yaml.Node, field string) (*source.Document, string) {
	if !isFile(e.Value) {
		data, err := fs.ReadFile(profiles.FS(), e.Value+".yaml")
		if err != nil {
			l.problem(doc.At(e), "extends-unknown", field, diag.OneOf(e.Value, profiles.Names()), "there is no built-in profile %q", e.Value)
			return nil, ""
		}
		return builtinDocument(e.Value, data), e.Value
	}
	name := path.Join(path.Dir(doc.File), e.Value)
	if path.IsAbs(e.Value) || strings.HasPrefix(doc.File, BuiltIn) || !fs.ValidPath(name) {
		l.problem(doc.At(e), "extends-outside", field, "copy it into the source", "%s is outside the source", e.Value)
		return nil, ""
	}
	if _, err := l.files.read(name); err != nil {
		l.problem(doc.At(e), "extends-unknown", field, "", "%v", plainError(err))
		return nil, ""
	}
	docs := l.parse(name)
	if broken(name, l.problems) {
		l.profileBroken = true
		return nil, ""
	}
	if len(docs) != 1 || docs[0].Kind != v1alpha1.KindProfile || docs[0].APIVersion != v1alpha1.APIVersion {
		l.problem(doc.At(e), "extends-type", field, "", "%s must hold exactly one Profile", name)
		return nil, ""
	}
	return docs[0], name
}

// builtinControls reads the built-in controls once: they are part of the program.
var builtinControls = sync.OnceValue(func() catalog.Set {
	controls, problems := catalog.Load(templates.FS(), "controls")
	if len(problems) > 0 {
		panic(fmt.Sprintf("built-in catalogue: %v", problems))
	}
	for _, c := range controls.Controls {
		c.BuiltIn = true
	}
	return controls
})

// catalog reads the built-in controls and those of spec.catalogs.
func (l *loader) catalog(in *Input) *catalog.Catalog {
	sets := []catalog.Set{builtinControls()}
	var read []string
	for i, name := range in.Profile.Value.Spec.Catalogs {
		field := fmt.Sprintf("spec.catalogs[%d]", i)
		folder := path.Clean(name)
		if slices.Contains(read, folder) {
			l.problem(in.Profile.Positions.At(field), "duplicate-name", field, "", "%q is listed twice", name)
			continue
		}
		read = append(read, folder)
		if info, err := fs.Stat(l.files, folder); err != nil || !info.IsDir() {
			l.problem(in.Profile.Positions.At(field), "catalog-unreadable", field, "a folder inside the source with one folder per control", "%s is not a folder of the source", name)
			in.partialCatalog = true
			continue
		}
		own, problems := catalog.Load(l.files, folder)
		for _, c := range own.Controls {
			problems = append(problems, c.Verify()...)
		}
		l.problems = append(l.problems, problems...)
		sets = append(sets, own)
	}
	all, problems := catalog.New(sets...)
	l.problems = append(l.problems, problems...)
	return all
}

func decode[T any](l *loader, doc *source.Document) Loaded[T] {
	loaded := Loaded[T]{File: doc.File}
	var problems diag.List
	loaded.Positions, problems = source.Decode(doc, &loaded.Value)
	if doc.APIVersion != "" { // a document may inherit it from the one before
		problems = slices.DeleteFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "required" && d.Path == "apiVersion" })
	}
	l.problems = append(l.problems, problems...)
	return loaded
}

func withoutRequired(problems diag.List) diag.List {
	return slices.DeleteFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "required" })
}

func extends(doc *source.Document) []*yaml.Node {
	list := source.Lookup(doc.Node, "spec", "extends")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list.Content), func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode })
}

// isFile reports whether a name is a relative file, not a built-in profile.
func isFile(name string) bool {
	return strings.ContainsAny(name, "/.") || name == ""
}
