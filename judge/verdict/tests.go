package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/source"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// testsDir is the folder of a source that holds the tests of its author.
const testsDir = "tests"

// Test is a validated test of the user.
type Test struct {
	Name         string
	Environments []string
	// Expect is one of the Expect constants of the language.
	Expect string
	// Policies that are asked, by name; nil for all but image rules.
	Policies  []string
	Operation engine.Operation
	Namespace string // of the request; empty for that of the object
	User      engine.UserInfo
	// Objects are sent in separate requests, all with the same expected answer.
	Objects []json.RawMessage
	// Old is the object before an UPDATE.
	Old json.RawMessage
	At  diag.Position
}

// LoadTests reads the tests of a source for a plan: all documents of kind Test below
// tests/. Files that a test names hold objects. LoadTests warns about any other file,
// because a test in it would not run.
func LoadTests(fsys fs.FS, p *plan.Plan) ([]Test, diag.List) {
	l := &testLoader{fsys: fsys, plan: p, used: map[string]bool{}, names: map[string]diag.Position{}}
	files, err := l.list()
	if err != nil {
		l.problem(diag.Position{File: testsDir}, "source-unreadable", "", "", "%v", err)
		return nil, l.problems
	}
	var others []string
	for _, file := range files {
		if !l.file(file) {
			others = append(others, file)
		}
	}
	for _, file := range others {
		if !l.used[file] {
			l.problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "test-unused", Position: diag.Position{File: file},
				Summary: "holds no Test, and no Test names it", Hint: "a test begins with apiVersion: " + v1alpha1.APIVersion + " and kind: " + v1alpha1.KindTest})
		}
	}
	slices.SortStableFunc(l.tests, func(a, b Test) int { return strings.Compare(a.Name, b.Name) })
	return l.tests, l.problems.Sort()
}

type testLoader struct {
	fsys     fs.FS
	plan     *plan.Plan
	used     map[string]bool // files that a test names
	names    map[string]diag.Position
	tests    []Test
	problems diag.List
}

func (l *testLoader) problem(at diag.Position, code, field, hint, format string, args ...any) {
	l.problems.Add(diag.Diagnostic{Code: code, Position: at, Path: field, Summary: fmt.Sprintf(format, args...), Hint: hint})
}

// list returns the YAML files of the folder, sorted. Without the folder there are none.
func (l *testLoader) list() ([]string, error) {
	if _, err := fs.Stat(l.fsys, testsDir); err != nil {
		return nil, nil
	}
	var files []string
	err := fs.WalkDir(l.fsys, testsDir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case !d.IsDir() && !strings.HasPrefix(d.Name(), ".") && slices.Contains([]string{".yaml", ".yml"}, path.Ext(file)):
			files = append(files, file)
		}
		return nil
	})
	return files, err
}

// file reads the tests of a file and reports whether the file holds tests.
func (l *testLoader) file(name string) bool {
	data, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		l.problem(diag.Position{File: name}, "source-unreadable", "", "", "%v", err)
		return true
	}
	docs, problems := source.Parse(name, data)
	if !slices.ContainsFunc(docs, func(d *source.Document) bool { return strings.HasPrefix(d.APIVersion, v1alpha1.Group+"/") }) {
		return false // problems are reported when its objects are read
	}
	l.problems = append(l.problems, problems...)
	for _, doc := range docs {
		at := doc.At(doc.Node)
		if doc.APIVersion != v1alpha1.APIVersion || doc.Kind != v1alpha1.KindTest {
			l.problem(at, "unknown-type", "kind", "kind: "+v1alpha1.KindTest, "%s %s is not a Test; a file of tests holds only Tests", doc.APIVersion, doc.Kind)
			continue
		}
		var written v1alpha1.Test
		positions, problems := source.Decode(doc, &written)
		problems = slices.DeleteFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "required" && d.Path == "apiVersion" }) // that of the document before
		l.problems = append(l.problems, problems...)
		if !problems.HasErrors() {
			(&testReader{testLoader: l, positions: positions, written: written.Spec, file: name}).read(written.Metadata.Name)
		}
	}
	return true
}

// testReader turns one document into a Test.
type testReader struct {
	*testLoader
	positions source.Positions
	written   v1alpha1.TestSpec
	file      string
}

func (r *testReader) report(field, code, hint, format string, args ...any) {
	r.problem(r.positions.At(field), code, field, hint, format, args...)
}

func (r *testReader) read(name string) {
	before := len(r.problems)
	if first, twice := r.names[name]; twice {
		r.report("metadata.name", "duplicate-name", "", "Test %q is defined twice, first at %s", name, first)
	}
	r.names[name] = r.positions.At("metadata.name")
	user := catalog.OrdinaryUser()
	t := Test{
		Name: name, At: r.positions.At(""), Expect: r.written.Expect, Operation: engine.Create, Policies: r.written.Policies,
		User: engine.UserInfo{Username: user.Username, Groups: user.Groups}, Environments: r.environments(),
	}
	if !slices.Contains([]string{v1alpha1.ExpectAdmit, v1alpha1.ExpectAudit, v1alpha1.ExpectRefuse}, t.Expect) {
		r.report("spec.expect", "test-invalid", diag.OneOf(t.Expect, []string{v1alpha1.ExpectAdmit, v1alpha1.ExpectAudit, v1alpha1.ExpectRefuse}), "unsupported value %q", t.Expect)
	}
	if r.written.Operation != nil {
		t.Operation = engine.Operation(*r.written.Operation)
		if operations := []string{"CREATE", "UPDATE", "DELETE"}; !slices.Contains(operations, *r.written.Operation) {
			r.report("spec.operation", "test-invalid", diag.OneOf(*r.written.Operation, operations), "unsupported value %q", *r.written.Operation)
		}
	}
	if r.written.Namespace != nil {
		t.Namespace = *r.written.Namespace
	}
	if r.written.User != nil {
		t.User.Username = r.written.User.Name
		if r.written.User.Groups != nil {
			t.User.Groups = r.written.User.Groups
		}
	}
	r.checkPolicies()
	t.Objects = r.objects("spec.resource", r.written.Resource, "spec.file", r.written.File)
	r.old(&t)
	if len(r.problems) == before {
		r.tests = append(r.tests, t)
	}
}

// environments returns the environments of the test; by default all of the plan.
func (r *testReader) environments() []string {
	var all []string
	for _, env := range r.plan.Environments {
		all = append(all, env.Name)
	}
	for i, name := range r.written.Environments {
		if !slices.Contains(all, name) {
			r.report(fmt.Sprintf("spec.environments[%d]", i), "environment-unknown", diag.OneOf(name, all), "there is no environment %q", name)
		}
	}
	if r.written.Environments != nil {
		return r.written.Environments
	}
	return all
}

// checkPolicies checks the names of policies against all environments, because a policy
// may be off in some.
func (r *testReader) checkPolicies() {
	known := map[string]bool{}
	for _, env := range r.plan.Environments {
		for _, p := range env.Judges() {
			known[p.Name] = true
		}
	}
	for i, name := range r.written.Policies {
		if !known[name] {
			r.report(fmt.Sprintf("spec.policies[%d]", i), "control-unknown", diag.DidYouMean(name, slices.Sorted(maps.Keys(known))), "no environment has a policy %q", name)
		}
	}
}

// old reads the object before an UPDATE.
func (r *testReader) old(t *Test) {
	given := r.written.OldResource != nil || r.written.OldFile != nil
	switch {
	case given != (t.Operation == engine.Update):
		r.report("spec", "test-invalid", "", "an UPDATE, and nothing else, has an oldResource or an oldFile")
	case given && len(t.Objects) > 1:
		r.report("spec.file", "test-invalid", "", "an UPDATE is of one object, not of %d", len(t.Objects))
	case given:
		if old := r.objects("spec.oldResource", r.written.OldResource, "spec.oldFile", r.written.OldFile); len(old) == 1 {
			t.Old = old[0]
		} else if len(old) > 1 {
			r.report("spec.oldFile", "test-invalid", "", "an UPDATE is of one object, not of %d", len(old))
		}
	}
}

// objects returns the objects of a field, or of the file that another field names.
func (r *testReader) objects(field string, resource map[string]any, fileField string, file *string) []json.RawMessage {
	if (resource == nil) == (file == nil) {
		r.report("spec", "test-invalid", "", "exactly one of %s and %s is needed", strings.TrimPrefix(field, "spec."), strings.TrimPrefix(fileField, "spec."))
		return nil
	}
	if resource != nil {
		raw, err := json.Marshal(resource)
		if err != nil {
			r.report(field, "test-invalid", "", "%v", err)
			return nil
		}
		return []json.RawMessage{raw}
	}
	name := path.Join(path.Dir(r.file), *file)
	if path.IsAbs(*file) || !fs.ValidPath(name) {
		r.report(fileField, "test-invalid", "copy it into the source", "%s is outside the source", *file)
		return nil
	}
	r.used[name] = true
	data, err := fs.ReadFile(r.fsys, name)
	if err != nil {
		r.report(fileField, "test-invalid", "", "%v", err)
		return nil
	}
	var objects []json.RawMessage // not by manifest.Parse: the engine gets numbers as they are written
	for doc, err := range manifest.Documents(bytes.NewReader(data)) {
		if err != nil {
			r.report(fileField, "test-invalid", "", "%s: %v", name, err)
			return nil
		}
		objects = append(objects, doc.JSON)
	}
	if len(objects) == 0 {
		r.report(fileField, "test-invalid", "", "%s: there is no object in it", name)
	}
	return objects
}
