package profile

import (
	"reflect"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// overridesField holds what is different in one environment.
const overridesField = "spec.overrides"

// codeFleet marks a field that must be the same in all environments.
const codeFleet = "override-fleet"

// environment decodes an Environment. It says of a field of the profile that cannot be
// overridden that it exists. A field that is required in overrides may be in the
// profile: only [loader.overridden] knows.
func (l *loader) environment(doc *source.Document) Loaded[v1alpha1.Environment] {
	before := len(l.problems)
	loaded := decode[v1alpha1.Environment](l, doc)
	found := l.problems[before:]
	for i := range found {
		name, inOverrides := strings.CutPrefix(found[i].Path, overridesField+".")
		if inOverrides && found[i].Code == "unknown-field" && slices.Contains(fieldsOfProfile(), name) {
			found[i].Code, found[i].Summary = codeFleet, name+" must be the same in all environments"
			found[i].Hint = "set it in the profile; overrides take " + strings.Join(fieldNames(reflect.TypeFor[v1alpha1.Overrides]()), ", ")
		}
	}
	l.problems = append(l.problems[:before], slices.DeleteFunc(found, requiredOverride)...)
	return loaded
}

func requiredOverride(d diag.Diagnostic) bool {
	return d.Code == "required" && strings.HasPrefix(d.Path, overridesField+".")
}

func fieldsOfProfile() []string { return fieldNames(reflect.TypeFor[v1alpha1.ProfileSpec]()) }

// fieldNames returns the names of the fields of a struct of the language, sorted.
func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// overridden returns the profile as it is in each environment with overrides, by the
// name of the environment. It reports what is missing after the merge; everything else
// was reported where it was written.
func (l *loader) overridden(root *source.Document, environments []*source.Document) map[string]Loaded[v1alpha1.Profile] {
	all := map[string]Loaded[v1alpha1.Profile]{}
	overlay := source.Overlay{From: overridesField, Onto: "spec", Named: map[string]string{"spec.namespaces": "name"}, Whole: oneValue}
	for _, doc := range environments {
		merged := overlay.Merge(root, doc)
		if merged == nil {
			continue
		}
		loaded := Loaded[v1alpha1.Profile]{File: doc.File}
		var problems diag.List
		loaded.Positions, problems = source.Decode(merged, &loaded.Value)
		for _, d := range problems {
			if d.Path = loaded.Positions.Path(d.Path); requiredOverride(d) && !l.profileBroken {
				l.problems = append(l.problems, d)
			}
		}
		all[doc.Name] = loaded
	}
	return all
}
