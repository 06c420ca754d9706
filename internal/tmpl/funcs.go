package tmpl

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/Masterminds/sprig/v3"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// encoder is the function that ends every printed pipeline. Calling it by hand
// is harmless: its result is a string, which is then encoded again.
const encoder = "gatehouseJSON"

// builtins are the functions of text/template that may be used. Their
// implementation is the standard one; parsing only needs the names.
func builtins() map[string]any {
	names := map[string]any{}
	for _, name := range []string{"and", "or", "not", "eq", "ne", "lt", "gt", "index", "len", "slice"} {
		names[name] = true
	}
	return names
}

// funcs is the allow-list beyond builtins. Where sprig has a function that
// panics and one that returns an error, the short name is the latter.
func funcs() map[string]any {
	hermetic := sprig.HermeticTxtFuncMap()
	allowed := map[string]any{
		encoder:              encode,
		"printf":             printf,
		"prefixEach":         prefixEach,
		"suffixEach":         suffixEach,
		"regexQuote":         regexp.QuoteMeta,
		"alternation":        alternation,
		"mapOf":              mapOf,
		"cel":                cel,
		"fromDeployer":       fromDeployer,
		"celDeployer":        CELDeployer,
		"controllerAccounts": kinds.ControllerAccounts,
		"split":              func(separator, s string) []string { return strings.Split(s, separator) },
		"join":               join,
		"replace":            replace,
		"uniq":               uniq,
		"sortAlpha":          hermetic["sortAlpha"],
	}
	for _, name := range []string{"lower", "upper", "trim", "trimPrefix", "trimSuffix",
		"quote", "concat", "default", "empty", "list", "dict", "splitList"} {
		allowed[name] = hermetic[name]
	}
	for _, name := range []string{"first", "last", "rest", "has"} {
		allowed[name] = hermetic["must"+strings.ToUpper(name[:1])+name[1:]]
	}
	return allowed
}

var printfFormat = regexp.MustCompile(`^([^%]|%[sdqv%])*$`)

// printf is fmt.Sprintf with the verbs %s %d %q %v and %%, without flags. It
// fails if fmt.Sprintf would print an error (%!) into a policy.
func printf(format string, args ...any) (string, error) {
	if !printfFormat.MatchString(format) {
		return "", fmt.Errorf("format %q: only %%s, %%d, %%q, %%v and %%%% are allowed", format)
	}
	verbs := strings.Count(strings.ReplaceAll(format, "%%", ""), "%")
	if verbs != len(args) {
		return "", fmt.Errorf("format %q has %d verbs for %d values", format, verbs, len(args))
	}
	out := fmt.Sprintf(format, args...)
	if strings.Contains(out, "%!") {
		return "", fmt.Errorf("format %q does not fit its values: %s", format, out)
	}
	return out, nil
}

// cel returns a value as a literal of CEL, which has those of JSON.
func cel(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("writing a literal: %w", err)
	}
	return string(raw), nil
}

// join concatenates the elements of a list of strings.
func join(separator string, values any) (string, error) {
	elements, err := stringsOf(values)
	if err != nil {
		return "", err
	}
	size := len(separator) * len(elements)
	for _, e := range elements {
		size += len(e)
	}
	if err := checkText(size); err != nil {
		return "", err
	}
	return strings.Join(elements, separator), nil
}

// replace replaces each occurrence of a text.
func replace(before, after, s string) (string, error) {
	if err := checkText(len(s) + strings.Count(s, before)*len(after)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, before, after), nil
}

// uniq returns the elements of a list without those that were there before.
func uniq(values any) ([]any, error) {
	list := reflect.ValueOf(values)
	if list.Kind() != reflect.Slice {
		return nil, fmt.Errorf("%v is not a list", values)
	}
	seen, out := map[string]bool{}, []any{}
	for i := range list.Len() {
		element := list.Index(i).Interface()
		encoded, err := json.Marshal(element)
		if err != nil {
			return nil, fmt.Errorf("comparing the elements of a list: %w", err)
		}
		if !seen[string(encoded)] {
			seen[string(encoded)] = true
			out = append(out, element)
		}
	}
	return out, nil
}

// prefixEach puts prefix before each element of a list of strings.
func prefixEach(prefix string, values any) ([]string, error) {
	elements, err := stringsOf(values)
	if err == nil {
		err = checkText(len(prefix) * len(elements))
	}
	if err != nil {
		return nil, err
	}
	for i := range elements {
		elements[i] = prefix + elements[i]
	}
	return elements, nil
}

// suffixEach puts suffix after each element of a list of strings.
func suffixEach(suffix string, values any) ([]string, error) {
	elements, err := stringsOf(values)
	if err == nil {
		err = checkText(len(suffix) * len(elements))
	}
	if err != nil {
		return nil, err
	}
	for i := range elements {
		elements[i] += suffix
	}
	return elements, nil
}

// alternation returns a regular expression, (a|b|c), that matches the elements of a list
// of strings literally. For an empty list it matches nothing, not even the empty string.
func alternation(values any) (string, error) {
	elements, err := stringsOf(values)
	if err != nil {
		return "", err
	}
	if len(elements) == 0 {
		return `([^\s\S])`, nil
	}
	for i := range elements {
		elements[i] = regexp.QuoteMeta(elements[i])
	}
	return "(" + strings.Join(elements, "|") + ")", nil
}

// mapOf gives each element of a list of strings the same value.
func mapOf(keys, value any) (map[string]any, error) {
	elements, err := stringsOf(keys)
	out := make(map[string]any, len(elements))
	for _, key := range elements {
		out[key] = value
	}
	return out, err
}

// stringsOf copies a list whose elements are all strings.
func stringsOf(values any) ([]string, error) {
	switch list := values.(type) {
	case []string:
		return append([]string{}, list...), nil
	case []any:
		out := make([]string, len(list))
		for i, v := range list {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("element %d of the list is %v, not a string", i+1, v)
			}
			out[i] = s
		}
		return out, nil
	default:
		return nil, fmt.Errorf("%v is not a list of strings", values)
	}
}
