package fluxtree

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/yaml"
)

// Unknown is a field whose value cannot be known from a repository.
type Unknown struct {
	// Path of the field, such as spec.containers[0].image; empty if the whole object depends on it.
	Path string
	// Keys are the mapping keys on the way to the field, without indices.
	Keys []string
	// Steps are the keys and indices (string and int) that lead to it.
	Steps []any
	// Why says what is not known: ${REGISTRY} is not set in the repository.
	Why string
}

// variables are what a Kustomization replaces in its objects.
type variables struct {
	values map[string]string
	// unknown variables, and why.
	unknown map[string]string
	// open says why there may be more variables; empty if there are none.
	open string
	// unset are the variables that were asked for without a default and are not set, though
	// all is known.
	unset map[string]bool
}

func newVariables() *variables {
	return &variables{values: map[string]string{}, unknown: map[string]string{}, unset: map[string]bool{}}
}

// set sets the variables of a source, which replace those of the sources before.
func (v *variables) set(values map[string]string, unknown map[string]string) {
	for name, value := range values {
		v.values[name] = strings.ReplaceAll(value, "\n", "")
		delete(v.unknown, name)
	}
	for name, why := range unknown {
		v.unknown[name] = why
		delete(v.values, name)
	}
}

// lose notes a source that is not in the repository: it may set any variable.
func (v *variables) lose(why string) {
	for name := range v.values {
		v.unknown[name] = why
	}
	clear(v.values)
	v.open = why
}

// any reports whether something is replaced at all: Flux leaves the text alone otherwise.
func (v *variables) any() bool { return len(v.values)+len(v.unknown) > 0 || v.open != "" }

// lookup returns the value of a variable, or why it is not known.
func (v *variables) lookup(name string) (value, why string) {
	if value, known := v.values[name]; known {
		return value, ""
	}
	switch why := v.unknown[name]; {
	case why != "":
		return "", why
	case v.open != "":
		return "", v.open
	}
	if v.unset[name] {
		return "", "is not set: Flux 2.9 refuses to apply it, earlier versions take it as empty"
	}
	return "", ""
}

// sets reports whether a variable is set, as far as that is known.
func (v *variables) sets(name string) bool {
	_, known := v.values[name]
	return known || v.unknown[name] != "" || v.open != ""
}

// probes are the values that stand for unknown ones, one after the other.
var probes = []string{"unknown", "1", "true", ""}

// replaced is an object after the replacement of variables.
type replaced struct {
	// json has the first probe for what is unknown.
	json json.RawMessage
	// renderings have the other probes.
	renderings []json.RawMessage
	unknown    []Unknown
}

// optedOut are the marks of an object that keeps its text.
const optedOut = "kustomize.toolkit.fluxcd.io/substitute"

// replace replaces the variables of an object as Flux does, in its YAML.
func (v *variables) replace(object json.RawMessage) (replaced, error) {
	if !strings.Contains(string(object), "$") {
		return replaced{json: object}, nil
	}
	var content map[string]any
	if err := json.Unmarshal(object, &content); err != nil {
		return replaced{}, err
	}
	if keeps(content) {
		return replaced{json: object}, nil
	}
	found := finder{variables: v}
	if err := found.walk(content, nil, nil); err != nil {
		return replaced{}, err
	}
	text, err := yaml.JSONToYAML(object)
	if err != nil {
		return replaced{}, err
	}
	out := replaced{unknown: found.unknown}
	for _, probe := range probes {
		one, err := v.render(string(text), probe)
		switch {
		case err != nil && len(found.unknown) == 0:
			return replaced{}, err
		case err != nil:
			continue // no value that makes sense here
		case out.json == nil:
			out.json = one
		default:
			out.renderings = append(out.renderings, one)
		}
		if len(found.unknown) == 0 {
			break
		}
	}
	if out.json == nil {
		return replaced{}, errors.New("no value of its variables makes it an object")
	}
	return out, nil
}

// keeps reports whether an object asks to keep its text.
func keeps(content map[string]any) bool {
	metadata, _ := content["metadata"].(map[string]any)
	for _, field := range []string{"labels", "annotations"} {
		marks, _ := metadata[field].(map[string]any)
		if marks[optedOut] == "disabled" {
			return true
		}
	}
	return false
}

// render replaces the variables of a document, unknown ones with the probe.
func (v *variables) render(text, probe string) (json.RawMessage, error) {
	out, err := envsubst.Eval(text, func(name string) (string, bool) {
		value, why := v.lookup(name)
		if why != "" {
			return probe, true
		}
		return value, true
	})
	if err != nil {
		return nil, fmt.Errorf("replacing its variables: %w", err)
	}
	object, err := yaml.YAMLToJSON([]byte(out))
	if err != nil {
		return nil, fmt.Errorf("after its variables are replaced: %w", err)
	}
	return object, nil
}

// finder finds the fields with unknown variables.
type finder struct {
	variables *variables
	// lenient says that text which cannot be read has no variables.
	lenient bool
	unknown []Unknown
	// texts are the fields as they were, by path.
	texts map[string]string
}

func (f *finder) walk(value any, steps []any, keys []string) error {
	switch value := value.(type) {
	case string:
		names, err := f.names(value)
		if err != nil {
			return fmt.Errorf("%s: %w", Path(steps), err)
		}
		if len(names) > 0 {
			if f.texts == nil {
				f.texts = map[string]string{}
			}
			f.texts[Path(steps)] = value
			f.add(names, steps, keys)
		}
	case []any:
		for i, item := range value {
			if err := f.walk(item, extend(steps, any(i)), keys); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(value) {
			names, err := f.names(key)
			if err != nil {
				return fmt.Errorf("%s: %w", Path(steps), err)
			}
			if len(names) > 0 {
				f.add(names, nil, nil) // what the field is, is not known
				continue
			}
			if err := f.walk(value[key], extend(steps, any(key)), extend(keys, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// names returns the unknown variables that a text depends on. One that is not set and has no
// default is among them.
func (f *finder) names(text string) ([]string, error) {
	if !strings.Contains(text, "$") {
		return nil, nil
	}
	v := f.variables
	var names, unset []string
	asked := func(strict bool) error {
		names, unset = nil, nil
		_, err := envsubst.Eval(text, func(name string) (string, bool) {
			value, why := v.lookup(name)
			switch {
			case why != "":
				names = append(names, name)
				return probes[0], true
			case !v.sets(name):
				unset = append(unset, name)
				return "", !strict
			}
			return value, true
		})
		return err
	}
	if asked(true) != nil {
		if err := asked(false); err != nil {
			if f.lenient {
				err = nil
			}
			return nil, err
		}
		for _, name := range unset {
			if strings.Contains(text, "${"+name+"}") || !hasDefault(text, name) {
				v.unset[name] = true
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// hasDefault reports whether a text has a default for a variable.
func hasDefault(text, name string) bool {
	return slices.ContainsFunc([]string{":=", ":-", "=", "-"}, func(operator string) bool { return strings.Contains(text, "${"+name+operator) })
}

func (f *finder) add(names []string, steps []any, keys []string) {
	for _, name := range names {
		_, why := f.variables.lookup(name)
		f.unknown = append(f.unknown, Unknown{Path: Path(steps), Keys: keys, Steps: steps, Why: "${" + name + "} " + why})
	}
}

// Path returns the steps to a field as text, such as spec.containers[0].image.
func Path(steps []any) string {
	var b strings.Builder
	for _, step := range steps {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			if strings.ContainsAny(step, "./") {
				b.WriteString("[" + step + "]")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// variable is a text that Flux would replace.
var variable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*[:=}-]`)

// Unresolved returns the fields of an object that is not from Flux that have variables, and
// renderings of it with values for them. An object without any is returned as it is. Text that
// is no text with variables, such as a script, stays as it is.
func Unresolved(object json.RawMessage) (json.RawMessage, []json.RawMessage, []Unknown) {
	var content map[string]any
	if !variable.Match(object) || json.Unmarshal(object, &content) != nil {
		return object, nil, nil
	}
	v := newVariables()
	v.open = "is not resolved"
	found := finder{variables: v, lenient: true}
	if err := found.walk(content, nil, nil); err != nil || len(found.unknown) == 0 {
		return object, nil, nil
	}
	var all []json.RawMessage
	for _, probe := range probes {
		for _, f := range found.unknown {
			if text, ok := found.texts[f.Path]; ok {
				Set(content, f.Steps, scalar(text, probe))
			}
		}
		if one, err := json.Marshal(content); err == nil {
			all = append(all, one)
		}
	}
	return all[0], all[1:], found.unknown
}

// scalar returns a text with a probe for its variables, as the value that YAML takes it for.
func scalar(text, probe string) any {
	out, err := envsubst.Eval(text, func(string) (string, bool) { return probe, true })
	if err != nil {
		return text
	}
	var value any
	if yaml.Unmarshal([]byte(out), &value) != nil {
		return out
	}
	return value
}

// Get returns the value at the end of steps; nil if there is none.
func Get(value any, steps []any) any {
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[step]
		case int:
			l, _ := value.([]any)
			if step >= len(l) {
				return nil
			}
			value = l[step]
		}
	}
	return value
}

// Set sets the value at the end of steps, at least one, if they lead somewhere.
func Set(value any, steps []any, to any) {
	parent := Get(value, steps[:len(steps)-1])
	switch step := steps[len(steps)-1].(type) {
	case string:
		if m, ok := parent.(map[string]any); ok {
			m[step] = to
		}
	case int:
		if l, ok := parent.([]any); ok && step < len(l) {
			l[step] = to
		}
	}
}

// extend returns a list with one more item. It shares nothing with the list.
func extend[T any](list []T, item T) []T { return append(slices.Clip(list), item) }

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
