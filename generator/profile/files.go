package profile

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// withoutControls returns the files that are in no folder of a control, and drops the
// problems of the others: they are templates and test documents. [loader.list] knows a
// folder with control.yaml; one without it is known by the catalogue that it is in.
func (l *loader) withoutControls(names []string) []string {
	var catalogs []string
	for _, name := range names {
		for _, doc := range l.parsed[name] {
			if doc.Kind == v1alpha1.KindProfile {
				catalogs = append(catalogs, listed(doc, "spec", "catalogs")...)
			}
		}
	}
	inControl := func(name string) bool {
		return slices.ContainsFunc(catalogs, func(c string) bool {
			inside, ok := strings.CutPrefix(name, path.Clean(c)+"/")
			return ok && strings.Contains(inside, "/")
		})
	}
	l.problems = slices.DeleteFunc(l.problems, func(d diag.Diagnostic) bool { return inControl(d.File) })
	return slices.DeleteFunc(names, inControl)
}

// link warns of a symbolic link that leaves the source: it may stand for a folder of
// environments, of which nothing is read. A link inside the source stands for what is
// read where it lies.
func (l *loader) link(fsys fs.FS, name string) {
	if _, err := fs.Stat(fsys, name); err != nil && leaves(err) {
		l.problems.Add(diag.Diagnostic{Code: "source-unreadable", Position: diag.Position{File: name}, Severity: diag.Warning,
			Summary: plainError(err), Hint: "it is not read: move what it names into the source"})
	}
}

// listed returns the strings of a list in a document, whatever else is wrong with it.
func listed(doc *source.Document, keys ...string) []string {
	list := source.Lookup(doc.Node, keys...)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	var out []string
	for _, n := range list.Content {
		if n.Kind == yaml.ScalarNode {
			out = append(out, n.Value)
		}
	}
	return out
}

// empty reports files without a document. The environments and exceptions that were in
// such a file would leave the fleet without a word. A file with nothing but comments
// may be meant.
func (l *loader) empty(names []string) {
	for _, name := range names {
		text := l.files.data[name]
		if len(l.parsed[name]) > 0 || slices.ContainsFunc(l.problems, func(d diag.Diagnostic) bool { return d.File == name }) {
			continue
		}
		d := diag.Diagnostic{Code: codeEmpty, Position: diag.Position{File: name}, Summary: "holds no document", Severity: diag.Warning}
		if len(bytes.TrimSpace(text)) == 0 {
			d.Severity, d.Summary, d.Hint = diag.Error, "is empty", "restore it, or delete it if it is meant to be gone"
		}
		l.problems.Add(d)
	}
}
