package profile

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// fewStrange is how many files of others a source may have and each is named.
const fewStrange = 3

// wrongFolder returns the only problem of a folder that is not a source: nothing in it is of
// gatehouse, or one source, or several, are in folders of it among what is not. What else is
// wrong there says nothing to the user.
func (l *loader) wrongFolder(names []string) (diag.Diagnostic, bool) {
	d := diag.Diagnostic{Code: "source-folder", Position: diag.Position{File: "."}}
	own := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !l.own(name) })
	strange := func(dir string) (n int) {
		for _, name := range names {
			if !slices.Contains(own, name) && !within(name, dir) {
				n++
			}
		}
		return n
	}
	sources := l.sources(own)
	switch dir := common(own); {
	case len(own) == 0 && len(names) > fewStrange:
		d.Summary, d.Hint = fmt.Sprintf("none of the %d YAML files in it is of gatehouse", len(names)), "name the folder that has the Profile, or run gatehouse init"
	case len(sources) > 1:
		d.Summary, d.Hint = fmt.Sprintf("it has %d sources, such as %s and %s", len(sources), sources[0], sources[1]), "name one of them"
	case len(own) > 0 && dir != "." && strange(dir) > fewStrange:
		d.Summary, d.Hint = fmt.Sprintf("its %d YAML files outside %s are not of gatehouse", strange(dir), dir), "name the folder "+dir
	default:
		return d, false
	}
	return d, true
}

// ownText finds a document of gatehouse in a text that is not YAML.
var ownText = regexp.MustCompile(`(?m)^apiVersion:[ \t]+["']?gatehouse\.`)

// own reports whether a file has a document of gatehouse, or one that is meant to be. One that
// cannot be read may have one.
func (l *loader) own(name string) bool {
	if slices.ContainsFunc(l.parsed[name], ownDocument) {
		return true
	}
	data, err := l.files.read(name)
	return err != nil || broken(name, l.problems) && ownText.Match(data)
}

func ownDocument(d *source.Document) bool {
	if d.APIVersion == "" {
		return slices.Contains([]string{v1alpha1.KindProfile, v1alpha1.KindEnvironment, v1alpha1.KindException}, d.Kind)
	}
	return strings.HasPrefix(d.APIVersion, "gatehouse.") || diag.DidYouMean(d.APIVersion, []string{v1alpha1.APIVersion}) != ""
}

// sources returns the folders with a Profile and an Environment, without those in another one.
func (l *loader) sources(names []string) []string {
	has := func(name, kind string) bool {
		return slices.ContainsFunc(l.parsed[name], func(d *source.Document) bool { return d.APIVersion == v1alpha1.APIVersion && d.Kind == kind })
	}
	var folders []string
	for _, name := range names {
		dir := path.Dir(name)
		whole := has(name, v1alpha1.KindProfile) && slices.ContainsFunc(names, func(other string) bool { return within(other, dir) && has(other, v1alpha1.KindEnvironment) })
		if whole && !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	return slices.DeleteFunc(slices.Clone(folders), func(dir string) bool {
		return slices.ContainsFunc(folders, func(other string) bool { return other != dir && within(dir, other) })
	})
}

// within reports whether a file or folder is in a folder.
func within(name, dir string) bool { return dir == "." || strings.HasPrefix(name, dir+"/") }

// common returns the folder that all files are in.
func common(names []string) string {
	if len(names) == 0 {
		return "."
	}
	dir := path.Dir(names[0])
	for _, name := range names {
		for !within(name, dir) {
			dir = path.Dir(dir)
		}
	}
	return dir
}
