package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"maps"
)

type object = map[string]any

// jsonSchema is one schema (draft 2020-12) for a document of any kind. It agrees
// with source.Decode in what the structure of a document is: a field may be null
// as if it were absent, an item of a list may not. Only apiVersion is not
// required, because a document may have that of the document before it.
func (l language) jsonSchema() ([]byte, error) {
	defs, branches := object{}, []any{}
	for _, kind := range documents {
		for _, name := range l.reachable(kind) {
			schema, err := l.definition(l[name])
			if err != nil {
				return nil, err
			}
			defs[name] = schema
		}
		branches = append(branches, object{
			"if":   object{"properties": object{"kind": object{"const": kind}}},
			"then": ref(kind),
		})
	}
	out, err := json.MarshalIndent(object{
		"$schema":    "https://json-schema.org/draft/2020-12/schema",
		"$id":        "https://gatehouse.dev/schemas/v1alpha1.json",
		"title":      "gatehouse: a Profile, an Environment, an Exception or a Test",
		"type":       "object",
		"required":   []string{"kind"},
		"properties": object{"kind": object{"enum": documents}},
		"allOf":      branches,
		"$defs":      defs,
	}, "", "  ")
	return append(out, '\n'), err
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func (l language) definition(t *structType) (object, error) {
	properties, required, plain := object{}, []string{}, object(nil)
	for _, f := range t.fields {
		schema, err := l.schema(f.typ, rules[t.name+"."+f.name])
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.name, f.name, err)
		}
		if f.required && f.name != "apiVersion" {
			required = append(required, f.name)
		}
		if f.name == t.plainField {
			plain = maps.Clone(schema)
			plain["description"] = f.doc
		}
		if !f.required {
			schema = nullable(schema)
		}
		schema["description"] = f.doc
		if value := rules[t.name+"."+f.name].value; value != nil {
			schema["default"] = value
		}
		properties[f.name] = schema
	}
	out := object{"type": "object", "description": t.doc, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if plain != nil {
		out = object{"description": t.doc, "anyOf": []any{plain, out}}
	}
	return out, nil
}

// schema returns the schema of a value that is present.
func (l language) schema(t ast.Expr, r rule) (object, error) {
	switch t := t.(type) {
	case *ast.StarExpr:
		return l.schema(t.X, r)
	case *ast.ArrayType:
		minItems := r.minItems
		r.minItems = 0
		items, err := l.schema(t.Elt, r)
		out := object{"type": "array", "items": items}
		if minItems > 0 {
			out["minItems"] = minItems
		}
		return out, err
	case *ast.MapType:
		values, err := l.schema(t.Value, r)
		return object{"type": "object", "additionalProperties": nullable(values)}, err
	case *ast.Ident:
		switch t.Name {
		case "string":
			return r.string(), nil
		case "int":
			return r.integer(), nil
		case "bool":
			return object{"type": "boolean"}, nil
		case "any":
			return object{}, nil
		}
		if l[t.Name] != nil {
			return ref(t.Name), nil
		}
	}
	return nil, fmt.Errorf("no schema for the type %T", t)
}

func (r rule) string() object {
	out := object{"type": "string"}
	if len(r.enum) > 0 {
		out["enum"] = r.enum
	}
	if r.pattern != "" {
		out["pattern"] = r.pattern
	}
	if r.maxLength > 0 {
		out["maxLength"] = r.maxLength
	}
	return out
}

func (r rule) integer() object {
	out := object{"type": "integer"}
	if r.minimum != 0 || r.maximum != 0 {
		out["minimum"] = r.minimum
	}
	if r.maximum != 0 {
		out["maximum"] = r.maximum
	}
	return out
}

// nullable returns a schema that also permits null.
func nullable(schema object) object {
	if schema["$ref"] != nil {
		return object{"anyOf": []any{schema, object{"type": "null"}}}
	}
	if typ, ok := schema["type"].(string); ok {
		schema["type"] = []string{typ, "null"}
	}
	if values, ok := schema["enum"].([]string); ok {
		var withNull []any
		for _, v := range values {
			withNull = append(withNull, v)
		}
		schema["enum"] = append(withNull, nil)
	}
	return schema
}
