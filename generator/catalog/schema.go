package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	strictjson "sigs.k8s.io/json"
)

// Schema is the part of JSON Schema that parameters may use. Reading a control.yaml
// with another keyword is an error, so that no keyword is silently ignored.
type Schema struct {
	// Type is string, boolean, integer, array or object.
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Default of a parameter, or of a property of an object parameter; nil if there is none.
	Default any `json:"default,omitempty"`
	// Enum lists the allowed values of a string or an integer.
	Enum []any `json:"enum,omitempty"`
	// Pattern is an RE2 expression that the whole string must match; it begins with ^ and ends with $.
	Pattern string `json:"pattern,omitempty"`
	// Minimum and Maximum bound an integer, inclusively.
	Minimum *int `json:"minimum,omitempty"`
	Maximum *int `json:"maximum,omitempty"`
	// MinItems and MaxItems bound the length of an array, inclusively.
	MinItems *int    `json:"minItems,omitempty"`
	MaxItems *int    `json:"maxItems,omitempty"`
	Items    *Schema `json:"items,omitempty"`
	// Properties of an object, by name. An object has these or AdditionalProperties.
	Properties map[string]*Schema `json:"properties,omitempty"`
	// Required names the properties that an object must have.
	Required []string `json:"required,omitempty"`
	// AdditionalProperties is false, or the schema of the values of a map with free keys; see Values.
	AdditionalProperties any `json:"additionalProperties,omitempty"`
	// From names the value of the profile that is used if the user does not set the parameter; see Sources.
	From string `json:"x-gatehouse-from,omitempty"`
	// Loosens says which change of the parameter lets the control refuse less and
	// nothing more: more or fewer items of an array, a higher or lower integer, or a
	// boolean that becomes true or false. Empty if neither does. Such a change needs no
	// audit; see [Control.Loosens].
	Loosens string `json:"x-gatehouse-loosens,omitempty"`
}

// Values returns the schema of the values of a map with free keys. It returns nil if
// the object has no free keys.
func (s *Schema) Values() (*Schema, error) {
	if s.AdditionalProperties == nil || s.AdditionalProperties == false {
		return nil, nil
	}
	raw, err := json.Marshal(s.AdditionalProperties)
	if err != nil {
		return nil, err
	}
	values := &Schema{}
	strict, err := strictjson.UnmarshalStrict(raw, values)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, err
	}
	return values, nil
}

// Sources returns the values that x-gatehouse-from may name.
func Sources() []string {
	return []string{
		"deployers", "deployers.appliers", "deployers.groups", "environments", "exceptions.namespace",
		"flux.namespace", "kyverno.cleanup", "kyverno.namespace", "registries.allowed", "systemNamespaces", "tiers",
	}
}

// keywords lists the keywords of each type, besides type, description, default and x-gatehouse-from.
var keywords = map[string][]string{
	"string":  {"enum", "pattern"},
	"boolean": {},
	"integer": {"enum", "minimum", "maximum"},
	"array":   {"items", "minItems", "maxItems"},
	"object":  {"properties", "required", "additionalProperties"},
}

// used returns the keywords of s that depend on its type.
func (s *Schema) used() []string {
	var out []string
	for keyword, set := range map[string]bool{
		"enum":                 s.Enum != nil,
		"pattern":              s.Pattern != "",
		"minimum":              s.Minimum != nil,
		"maximum":              s.Maximum != nil,
		"minItems":             s.MinItems != nil,
		"maxItems":             s.MaxItems != nil,
		"items":                s.Items != nil,
		"properties":           s.Properties != nil,
		"required":             s.Required != nil,
		"additionalProperties": s.AdditionalProperties != nil,
	} {
		if set {
			out = append(out, keyword)
		}
	}
	slices.Sort(out)
	return out
}

// check returns what is wrong with the schema at path.
func (s *Schema) check(path string) []Problem {
	var out []Problem
	problem := func(path, format string, args ...any) {
		out = append(out, Problem{Path: path, Summary: fmt.Sprintf(format, args...)})
	}
	allowed, known := keywords[s.Type]
	if !known {
		problem(path, "type %q is not one of %s", s.Type, strings.Join(slices.Sorted(maps.Keys(keywords)), ", "))
		return out
	}
	for _, keyword := range s.used() {
		if !slices.Contains(allowed, keyword) {
			problem(path+"."+keyword, "has no meaning for the type %s", s.Type)
		}
	}
	if allowed := loosening()[s.Type]; s.Loosens != "" && !slices.Contains(allowed, s.Loosens) {
		problem(path+".x-gatehouse-loosens", "%q is not one of %s for the type %s", s.Loosens, strings.Join(allowed, ", "), s.Type)
	}
	if s.From != "" && !slices.Contains(Sources(), s.From) {
		problem(path+".x-gatehouse-from", "%q is not one of %s", s.From, strings.Join(Sources(), ", "))
	}
	switch s.Type {
	case "string":
		out = append(out, s.checkString(path)...)
	case "array":
		if s.Items == nil {
			problem(path, "an array needs items")
		} else {
			out = append(out, s.Items.check(path+".items")...)
		}
	case "object":
		out = append(out, s.checkObject(path)...)
	}
	for i, v := range s.Enum {
		for _, p := range (&Schema{Type: s.Type}).validate("", v) {
			problem(fmt.Sprintf("%s.enum[%d]", path, i), "%s", p.Summary)
		}
	}
	if len(out) > 0 {
		return out
	}
	return s.checkDefault(path)
}

// checkString requires a pattern or an enum: an unrestricted string can hold what
// Kyverno reads as an operator or a wildcard.
func (s *Schema) checkString(path string) []Problem {
	if s.Pattern == "" {
		if s.Enum == nil {
			return []Problem{{Path: path, Summary: "a string needs a pattern or an enum"}}
		}
		return nil
	}
	if !strings.HasPrefix(s.Pattern, "^") || !strings.HasSuffix(s.Pattern, "$") {
		return []Problem{{Path: path + ".pattern", Summary: "must begin with ^ and end with $"}}
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		return []Problem{{Path: path + ".pattern", Summary: err.Error()}}
	}
	return nil
}

func (s *Schema) checkObject(path string) []Problem {
	var out []Problem
	values, err := s.Values()
	switch {
	case s.AdditionalProperties == nil:
		out = append(out, Problem{Path: path, Summary: "an object needs additionalProperties: false or a schema"})
	case err != nil:
		out = append(out, Problem{Path: path + ".additionalProperties", Summary: err.Error()})
	case values != nil && s.Properties != nil:
		out = append(out, Problem{Path: path, Summary: "an object has properties or free keys, not both"})
	case values != nil:
		out = append(out, values.check(path+".additionalProperties")...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		at := path + ".properties[" + name + "]"
		if s.Properties[name] == nil {
			out = append(out, Problem{Path: at, Summary: "is empty"})
			continue
		}
		out = append(out, s.Properties[name].check(at)...)
	}
	for i, name := range s.Required {
		if s.Properties[name] == nil {
			out = append(out, Problem{Path: fmt.Sprintf("%s.required[%d]", path, i), Summary: fmt.Sprintf("there is no property %q", name)})
		}
	}
	return out
}

// checkDefault validates the default against its own schema. An empty list is a valid
// default even if minItems requires more: it means that the parameter must be set,
// and ResolveParameters reports it if it is not.
func (s *Schema) checkDefault(path string) []Problem {
	if s.Default == nil {
		return nil
	}
	if list, ok := s.Default.([]any); ok && len(list) == 0 && s.Type == "array" {
		return nil
	}
	return s.validate(path+".default", plain(overlay(s, s.Default, nil)))
}
