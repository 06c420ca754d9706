package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Problem is something wrong at a path inside a value.
type Problem struct {
	// Path relative to the value, such as registries[2] or labels[owner]; empty for the value itself.
	Path string
	// Summary in one line: lower case, no full stop.
	Summary string
	// Hint says what to do; may be empty.
	Hint string
}

// Error returns the path, the summary and the hint.
func (p Problem) Error() string {
	out := p.Summary
	if p.Path != "" {
		out = p.Path + ": " + out
	}
	if p.Hint != "" {
		out += " (" + p.Hint + ")"
	}
	return out
}

// Under returns the path below base, the path of the parameters in a file:
// registries[2] under spec.parameters is spec.parameters[registries][2].
func (p Problem) Under(base string) string {
	name, rest := p.Path, ""
	if i := strings.IndexAny(name, ".["); i >= 0 {
		name, rest = name[:i], name[i:]
	}
	return base + "[" + name + "]" + rest
}

// ResolveParameters returns a value for each parameter of the control: the value
// that the user set, else the value of the profile, else the default. derived returns
// the value of a source (see [Sources]), and reports whether the profile has it. A
// null parameter counts as not set. An object with named properties is merged with
// its default property by property; a list, or a map with free keys, replaces it.
//
// The result is valid against the schema unless there are problems. ResolveParameters
// does not change user.
func (c *Control) ResolveParameters(user map[string]any, derived func(source string) (any, bool)) (map[string]any, []Problem) {
	out := make(map[string]any, len(c.Parameters.Properties))
	var problems []Problem
	names := slices.Sorted(maps.Keys(c.Parameters.Properties))
	for _, name := range names {
		schema := c.Parameters.Properties[name]
		value, hint := overlay(schema, schema.Default, user[name]), ""
		if schema.From != "" && user[name] == nil {
			hint = fmt.Sprintf("set it, or %s of the profile", schema.From)
			if v, ok := derived(schema.From); ok {
				value = v
			}
		}
		value = plain(value)
		for _, p := range schema.validate(name, value) {
			if p.Hint == "" {
				p.Hint = hint
			}
			problems = append(problems, p)
		}
		out[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(user)) {
		if !slices.Contains(names, name) {
			problems = append(problems, Problem{Path: name, Summary: "unknown parameter of " + c.ID, Hint: diag.OneOf(name, names)})
		}
	}
	return out, problems
}

// Examples returns the parameters for tests and documentation: the exampleParameters
// of the control on top of its defaults.
func (c *Control) Examples() (map[string]any, []Problem) {
	return c.ResolveParameters(c.ExampleParameters, func(string) (any, bool) { return nil, false })
}

// overlay returns a value that was set on top of a default. It changes neither.
func overlay(s *Schema, base, set any) any {
	over, ok := set.(map[string]any)
	under, hasDefault := base.(map[string]any)
	switch {
	case set != nil && (s.Properties == nil || !ok):
		return set
	case s.Properties == nil || set == nil && !hasDefault:
		return base
	}
	out := maps.Clone(under)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, over)
	for name, property := range s.Properties {
		below := under[name]
		if below == nil {
			below = property.Default
		}
		if v := overlay(property, below, over[name]); v != nil {
			out[name] = v
		} else {
			delete(out, name)
		}
	}
	return out
}

// plain returns a copy of a value in the types that templates know: a []string
// becomes []any, and whole numbers become int64.
func plain(v any) any {
	switch v := v.(type) {
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	case int:
		return int64(v)
	case float64:
		if i := int64(v); float64(i) == v {
			return i
		}
	}
	return v
}

// validate returns how the value at path breaks the schema.
func (s *Schema) validate(path string, value any) []Problem {
	switch v := value.(type) {
	case string:
		if s.Type == "string" {
			return s.validateString(path, v)
		}
	case bool:
		if s.Type == "boolean" {
			return nil
		}
	case int64:
		if s.Type == "integer" {
			return s.validateInteger(path, v)
		}
	case []any:
		if s.Type == "array" {
			return s.validateArray(path, v)
		}
	case map[string]any:
		if s.Type == "object" {
			return s.validateObject(path, v)
		}
	}
	return []Problem{{Path: path, Summary: fmt.Sprintf("must be %s, not %s", article(s.Type), describe(value))}}
}

// unsafe matches what would end the string, expression or variable into which a
// template puts a value. The pattern of a schema is easily too wide.
var unsafe = regexp.MustCompile("['`\"{}\\n]|\\\\$")

func (s *Schema) validateString(path, v string) []Problem {
	if found := unsafe.FindString(v); found != "" {
		return []Problem{{Path: path, Summary: fmt.Sprintf("%q contains %q, which has a special meaning in Kyverno expressions", v, found)}}
	}
	if s.Enum != nil && !slices.Contains(s.Enum, any(v)) {
		return []Problem{{Path: path, Summary: fmt.Sprintf("unsupported value %q", v), Hint: diag.OneOf(v, s.enumStrings())}}
	}
	// The whole string must match, even if the pattern has alternatives.
	if s.Pattern != "" && !regexp.MustCompile(`\A(?:`+s.Pattern+`)\z`).MatchString(v) {
		return []Problem{{Path: path, Summary: fmt.Sprintf("%q does not match %s", v, s.Pattern)}}
	}
	return nil
}

func (s *Schema) validateInteger(path string, v int64) []Problem {
	switch {
	case s.Enum != nil && !slices.Contains(s.Enum, any(v)):
		return []Problem{{Path: path, Summary: fmt.Sprintf("unsupported value %d", v), Hint: "one of " + strings.Join(s.enumStrings(), ", ")}}
	case s.Minimum != nil && v < int64(*s.Minimum):
		return []Problem{{Path: path, Summary: fmt.Sprintf("%d is less than %d", v, *s.Minimum)}}
	case s.Maximum != nil && v > int64(*s.Maximum):
		return []Problem{{Path: path, Summary: fmt.Sprintf("%d is more than %d", v, *s.Maximum)}}
	}
	return nil
}

func (s *Schema) validateArray(path string, v []any) []Problem {
	var out []Problem
	switch {
	case s.MinItems != nil && len(v) < *s.MinItems:
		out = append(out, Problem{Path: path, Summary: fmt.Sprintf("has %d items, but needs at least %d", len(v), *s.MinItems)})
	case s.MaxItems != nil && len(v) > *s.MaxItems:
		out = append(out, Problem{Path: path, Summary: fmt.Sprintf("has %d items, but at most %d are allowed", len(v), *s.MaxItems)})
	}
	if s.Items == nil {
		return out
	}
	for i, item := range v {
		out = append(out, s.Items.validate(fmt.Sprintf("%s[%d]", path, i), item)...)
	}
	return out
}

// freeKey keeps Kyverno's anchors and wildcards, such as (name) and *, out of
// the keys of a pattern.
var freeKey = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)

func (s *Schema) validateObject(path string, v map[string]any) []Problem {
	var out []Problem
	values, _ := s.Values() // a schema that does not decode is refused when the control is read
	for _, key := range slices.Sorted(maps.Keys(v)) {
		switch {
		case values != nil && !freeKey.MatchString(key):
			out = append(out, Problem{Path: path, Summary: fmt.Sprintf("the key %q may contain only letters, digits and ._/-", key)})
		case values != nil:
			out = append(out, values.validate(path+"["+key+"]", v[key])...)
		case s.Properties[key] != nil:
			out = append(out, s.Properties[key].validate(path+"."+key, v[key])...)
		default:
			names := slices.Sorted(maps.Keys(s.Properties))
			out = append(out, Problem{Path: path + "." + key, Summary: "unknown field", Hint: diag.OneOf(key, names)})
		}
	}
	for _, name := range s.Required {
		if v[name] == nil {
			out = append(out, Problem{Path: path + "." + name, Summary: "is required"})
		}
	}
	return out
}

func (s *Schema) enumStrings() []string {
	out := make([]string, len(s.Enum))
	for i, v := range s.Enum {
		out[i] = fmt.Sprint(v)
	}
	return out
}

func article(kind string) string {
	if strings.ContainsAny(kind[:1], "aeio") {
		return "an " + kind
	}
	return "a " + kind
}

func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "empty"
	case string:
		return fmt.Sprintf("the string %q", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	default:
		return fmt.Sprint(v)
	}
}
