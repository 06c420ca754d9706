package tmpl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// encode returns value as JSON on one line: keys sorted, no HTML escapes.
//
// It refuses strings, at any depth and as keys, that something behind YAML
// would read as more than text: {{ and }} (a Kyverno variable), $( (a Kyverno
// reference), control characters other than a line feed, the byte order mark
// and non-characters (YAML readers differ about them), and invalid UTF-8, which
// encoding/json would silently replace.
func encode(value any) (string, error) {
	if err := checkStrings(reflect.ValueOf(value)); err != nil {
		return "", err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("encoding a value: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// checkStrings walks the values that templates can make: strings, numbers,
// booleans, and slices and maps of them.
func checkStrings(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Interface:
		return checkStrings(v.Elem())
	case reflect.String:
		return checkString(v.String())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkStrings(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			if err := checkStrings(iter.Key()); err != nil {
				return err
			}
			if err := checkStrings(iter.Value()); err != nil {
				return err
			}
		}
	case reflect.Invalid, reflect.Bool, reflect.Float64, reflect.Float32,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		return fmt.Errorf("a value of type %s cannot be printed", v.Type())
	}
	return nil
}

func checkString(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not valid UTF-8", s)
	}
	for _, evaluated := range []string{"{{", "}}", "$("} {
		if strings.Contains(s, evaluated) {
			return fmt.Errorf("%q contains %s, which Kyverno would evaluate", s, evaluated)
		}
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || r == '\uFEFF' || r&0xFFFE == 0xFFFE) {
			return fmt.Errorf("%q contains the character %U, which is not text", s, r)
		}
	}
	return nil
}
