package source

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// ListOrObject is for a struct that may also be written as the list of one of
// its fields.
type ListOrObject interface{ ListField() string }

var listOrObject = reflect.TypeFor[ListOrObject]()

// TextOrObject is for a struct that may also be written as the text of one of its
// fields.
type TextOrObject interface{ TextField() string }

var textOrObject = reflect.TypeFor[TextOrObject]()

// Decode fills the struct that v points to from the document: field names of
// the json tags, strictly. It reports unknown fields, missing required ones
// (those without omitempty), wrong types, and strings that no text of the
// language may hold, the first thousand; what could be read is in v all the same.
func Decode(doc *Document, v any) (Positions, diag.List) {
	d := decoder{doc: doc, positions: Positions{}}
	d.value(doc.Node, reflect.ValueOf(v).Elem(), "")
	return d.positions, d.problems
}

type decoder struct {
	doc       *Document
	positions Positions
	problems  diag.List
}

// full reports whether no more problems are looked for.
func (d *decoder) full() bool { return len(d.problems) >= maxProblems }

func (d *decoder) problem(n *yaml.Node, code, path, hint, format string, args ...any) {
	if d.full() {
		return
	}
	d.problems.Add(diag.Diagnostic{Code: code, Position: d.doc.At(n), Path: path, Summary: fmt.Sprintf(format, args...), Hint: hint})
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.positions[path] = Field{doc: d.doc, value: n, at: n}
	n = resolve(n)
	if isNull(n) {
		return // written, but says nothing: absent
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Interface:
		if value := d.any(n, path); value != nil {
			v.Set(reflect.ValueOf(value))
		}
	default:
		d.scalar(n, v, path)
	}
}

// keyed adds the key to a field that was read.
func (d *decoder) keyed(path string, key *yaml.Node) Field {
	f := d.positions[path]
	f.key = key
	d.positions[path] = f
	return f
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	if n.Kind == yaml.SequenceNode && v.Type().Implements(listOrObject) {
		field := fields[v.Interface().(ListOrObject).ListField()]
		d.value(n, v.Field(field.index), path)
		return
	}
	if n.Kind == yaml.ScalarNode && v.Type().Implements(textOrObject) {
		field := fields[v.Interface().(TextOrObject).TextField()]
		d.value(n, v.Field(field.index), path)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "yaml-type", path, "", "must be a mapping, not %s", describe(n))
		return
	}
	seen := map[string]bool{}
	missing := map[string]*yaml.Node{} // keys without a value
	for i := 0; i+1 < len(n.Content) && !d.full(); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, ok := fields[key.Value]
		if !ok {
			names := slices.Sorted(maps.Keys(fields))
			d.problem(key, "unknown-field", child(path, key.Value), diag.OneOf(key.Value, names), "unknown field")
			continue
		}
		if isNull(resolve(value)) {
			missing[key.Value] = key
		} else {
			seen[key.Value] = true
		}
		d.value(value, v.Field(field.index), child(path, key.Value))
		d.keyed(child(path, key.Value), key)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !fields[name].required || seen[name] {
			continue
		}
		if key := missing[name]; key != nil {
			d.problem(key, "required", child(path, name), "", "is required, and must not be null")
		} else {
			d.problem(n, "required", child(path, name), "", "is required")
		}
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, "yaml-type", path, "", "must be a list, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		item := fmt.Sprintf("%s[%d]", path, i)
		if isNull(resolve(c)) {
			d.problem(c, "yaml-type", item, "", "must not be null")
			continue
		}
		d.value(c, v.Index(i), item)
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, "yaml-type", path, "", "must be a mapping, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := fmt.Sprintf("%s[%s]", path, key.Value)
		if v.Type().Elem().Kind() == reflect.Interface {
			at = child(path, key.Value) // free values are addressed as they are below
		}
		d.text(key, at, key.Value)
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], item, at)
		f := d.keyed(at, key)
		f.at = key
		d.positions[at] = f
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	want := map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Int: "a whole number"}[v.Kind()]
	wrong := func(hint string) { d.problem(n, "yaml-type", path, hint, "must be %s, not %s", want, describe(n)) }
	if n.Kind != yaml.ScalarNode {
		wrong("")
		return
	}
	switch v.Kind() {
	case reflect.String:
		if n.Tag != "!!str" && n.Tag != "!!timestamp" {
			wrong(fmt.Sprintf("quote it: %q", n.Value))
			return
		}
		d.text(n, path, n.Value)
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Tag != "!!bool" {
			wrong("")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if n.Tag != "!!int" || err != nil {
			wrong("")
			return
		}
		v.SetInt(i)
	default:
		panic("source: no YAML form for " + v.Type().String())
	}
}

// any turns a node into the value that encoding/json would give, with int64
// for whole numbers.
func (d *decoder) any(n *yaml.Node, path string) any {
	d.positions[path] = Field{doc: d.doc, value: n, at: n}
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.text(n.Content[i], path, n.Content[i].Value)
			m[n.Content[i].Value] = d.any(n.Content[i+1], child(path, n.Content[i].Value))
			d.keyed(child(path, n.Content[i].Value), n.Content[i])
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, c := range n.Content {
			l[i] = d.any(c, fmt.Sprintf("%s[%d]", path, i))
		}
		return l
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
		d.problem(n, "yaml-type", path, fmt.Sprintf("quote it: %q", n.Value), "%s is not a decimal number", n.Value)
		return nil
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f == f && f-f == 0 {
			return f
		}
		d.problem(n, "yaml-type", path, fmt.Sprintf("quote it: %q", n.Value), "%s is not a finite number", n.Value)
		return nil
	}
	d.text(n, path, n.Value)
	return n.Value
}

// text refuses what must not reach the output: Kyverno and Flux would evaluate
// it, or it is a secret.
func (d *decoder) text(n *yaml.Node, path, s string) {
	switch {
	case !utf8.ValidString(s):
		d.problem(n, "text-encoding", path, "", "is not valid UTF-8")
	case strings.ContainsFunc(s, control):
		i := strings.IndexFunc(s, control)
		r, _ := utf8.DecodeRuneInString(s[i:])
		d.problem(n, "text-control", path, "remove it", "holds the character %U, which a reader does not see for what it is", r)
	case (strings.Contains(s, "{{") || strings.Contains(s, "}}")) && !inAlert(path):
		d.problem(n, "text-variable", path, "", "{{ and }} are not allowed: Kyverno would evaluate them")
	case strings.Contains(s, "$(") || strings.Contains(s, "${") && !inWorkload(path):
		d.problem(n, "text-variable", path, "${env} and ${cluster} are allowed only in spec.flux.workloads[*].path", "${ and $( are not allowed: Kyverno or Flux would evaluate them")
	case strings.Contains(s, "PRIVATE KEY-----"):
		d.problem(n, "private-key", path, "remove it and rotate the key", "the source must not contain a private key")
	}
}

// inWorkload reports whether a path leads into a workload of a profile or of overrides.
func inWorkload(path string) bool {
	return strings.HasPrefix(path, "spec.flux.workloads[") || strings.HasPrefix(path, "spec.overrides.flux.workloads[")
}

// inAlert reports whether a path leads into alerts of Kyverno's chart: they are what Prometheus
// evaluates, and nothing else does.
func inAlert(path string) bool {
	return strings.HasPrefix(path, "spec.kyverno.values.prometheusRule.spec") || strings.HasPrefix(path, "spec.overrides.kyverno.values.prometheusRule.spec")
}

// control reports whether a reader of the text would not see the character, or not what it
// does.
func control(r rune) bool { return plain.Hidden(r) && r != '\n' && r != '\t' }

type field struct {
	index    int
	required bool
}

func fieldsOf(t reflect.Type) map[string]field {
	fields := make(map[string]field, t.NumField())
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name] = field{index: i, required: options == ""}
	}
	return fields
}
