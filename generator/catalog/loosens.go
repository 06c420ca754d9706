package catalog

import (
	"maps"
	"reflect"
	"slices"
)

// loosening returns the values of x-gatehouse-loosens, by the type of the parameter.
func loosening() map[string][]string {
	return map[string][]string{"array": {"more", "fewer"}, "integer": {"higher", "lower"}, "boolean": {"true", "false"}}
}

// Loosens reports whether every parameter that differs changes in the direction that
// its schema calls looser. The parameters must be resolved.
func (c *Control) Loosens(old, new map[string]any) bool {
	if len(old) != len(new) {
		return false // of another version of the control
	}
	for name, value := range new {
		schema, before := c.Parameters.Properties[name], old[name]
		if schema == nil || !reflect.DeepEqual(before, value) && !schema.loosens(before, value) {
			return false
		}
	}
	return true
}

// Loosest returns the parameters with, of each that says which direction loosens, what
// either loosens. The parameters must be resolved.
func (c *Control) Loosest(old, new map[string]any) map[string]any {
	out := maps.Clone(old)
	for name, value := range new {
		schema, before := c.Parameters.Properties[name], old[name]
		if schema == nil || before == nil {
			continue
		}
		if schema.loosens(before, value) {
			out[name] = value
		}
		list, isList := before.([]any)
		more, ok := value.([]any)
		if !isList || !ok {
			continue
		}
		switch schema.Loosens {
		case "more":
			out[name] = append(slices.Clone(list), slices.DeleteFunc(slices.Clone(more), func(item any) bool { return contains(list, []any{item}) })...)
		case "fewer":
			out[name] = slices.DeleteFunc(slices.Clone(list), func(item any) bool { return !contains(more, []any{item}) })
		}
	}
	return out
}

// loosens reports whether a value is looser than another one of the parameter.
func (s *Schema) loosens(old, new any) bool {
	switch old := old.(type) {
	case []any:
		list, ok := new.([]any)
		return ok && (s.Loosens == "more" && contains(list, old) || s.Loosens == "fewer" && contains(old, list))
	case int64:
		number, ok := new.(int64)
		return ok && (s.Loosens == "higher" && number > old || s.Loosens == "lower" && number < old)
	case bool:
		return new == (s.Loosens == "true") && (s.Loosens == "true" || s.Loosens == "false")
	}
	return false
}

// contains reports whether a list has every item of another one.
func contains(all, some []any) bool {
	return !slices.ContainsFunc(some, func(item any) bool {
		return !slices.ContainsFunc(all, func(other any) bool { return reflect.DeepEqual(item, other) })
	})
}
