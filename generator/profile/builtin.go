package profile

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/source"
	"github.com/gatehouse-dev/gatehouse/profiles"
)

// Builtin is a built-in profile.
type Builtin struct {
	Name, Description string
	// Extends are the profiles that it names, not those that these extend.
	Extends []string
	// Controls that are on, with those of the profiles that it extends; ordered by id.
	Controls []BuiltinControl
}

// BuiltinControl is a control of a built-in profile.
type BuiltinControl struct {
	ID string
	// From is the profile that sets it: the built-in profile or one that it extends. It is
	// "default" for a control that is on in every profile.
	From string
	// MaxStage and Parameters as the profile sets them; empty for the defaults.
	MaxStage   string
	Parameters map[string]any
}

// Builtins returns the built-in profiles, ordered by name.
func Builtins() []Builtin {
	var out []Builtin
	for _, name := range profiles.Names() {
		out = append(out, builtin(name))
	}
	return out
}

// builtin reads a built-in profile. What is wrong with one is a bug.
func builtin(name string) Builtin {
	text, err := fs.ReadFile(profiles.FS(), name+".yaml")
	if err != nil {
		panic(err) // an embedded file is always there
	}
	l := &loader{}
	own := builtinDocument(name, text)
	merged := decode[v1alpha1.Profile](l, l.inherit(own, nil))
	if len(l.problems) > 0 {
		panic(fmt.Sprintf("built-in profile %s: %v", name, l.problems))
	}
	b := Builtin{Name: name, Description: heading(text), Extends: listed(own, "spec", "extends")}
	given := merged.Value.Spec.Controls
	controls := defaultControls(given)
	for _, id := range sortedKeys(controls) {
		c, from := controls[id], "default"
		if c.Enabled != nil && !*c.Enabled {
			continue
		}
		if _, ok := given[id]; ok {
			from = strings.TrimSuffix(path.Base(merged.Positions.At("spec.controls["+id+"]").File), ".yaml")
		}
		b.Controls = append(b.Controls, BuiltinControl{ID: id, From: from, MaxStage: *or(c.MaxStage, ""), Parameters: c.Parameters})
	}
	return b
}

// builtinDocument parses the file of a built-in profile.
func builtinDocument(name string, text []byte) *source.Document {
	docs, problems := source.Parse(BuiltIn+name+".yaml", text)
	if len(problems) > 0 || len(docs) != 1 {
		panic(fmt.Sprintf("built-in profile %s: %v", name, problems))
	}
	return docs[0]
}

// heading returns the comment at the beginning of a file, in one line.
func heading(text []byte) string {
	var words []string
	for line := range bytes.Lines(text) {
		comment, ok := bytes.CutPrefix(line, []byte("#"))
		if !ok {
			break
		}
		words = append(words, strings.Fields(string(comment))...)
	}
	return strings.Join(words, " ")
}
