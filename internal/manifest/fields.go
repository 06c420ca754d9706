package manifest

// The accessors below follow fields of nested maps: o.String("spec", "path") is
// spec.path. They never panic: if a field is absent or has another type, they return the
// zero value. Maps and lists are shared with the object.

// Value returns the value of a field.
func (o Object) Value(fields ...string) any {
	var v any = map[string]any(o)
	for _, field := range fields {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[field]
	}
	return v
}

// String returns the text of a field.
func (o Object) String(fields ...string) string {
	s, _ := o.Value(fields...).(string)
	return s
}

// Map returns the map of a field. To put it into another object, convert it to
// map[string]any: the accessors do not follow an Object.
func (o Object) Map(fields ...string) Object {
	m, _ := o.Value(fields...).(map[string]any)
	return m
}

// List returns the list of a field.
func (o Object) List(fields ...string) []any {
	list, _ := o.Value(fields...).([]any)
	return list
}

// Maps returns the items of a list that are maps.
func (o Object) Maps(fields ...string) []Object {
	var maps []Object
	for _, item := range o.List(fields...) {
		if m, ok := item.(map[string]any); ok {
			maps = append(maps, m)
		}
	}
	return maps
}

// Strings returns the items of a list that are text.
func (o Object) Strings(fields ...string) []string {
	var texts []string
	for _, item := range o.List(fields...) {
		if s, ok := item.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// Condition returns the entry of status.conditions with the type, or nil.
func (o Object) Condition(name string) Object {
	for _, c := range o.Maps("status", "conditions") {
		if c["type"] == name {
			return c
		}
	}
	return nil
}
