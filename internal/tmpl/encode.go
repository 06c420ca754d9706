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

// evaluated are the texts that Kyverno evaluates: the delimiters of a variable and the
// start of a reference. The literals of a template may contain them: there, each is
// replaced by a non-character (see markLiterals) until the value is encoded. Any that
// remain come from a parameter, or were joined from pieces, and are refused.
var evaluated = []struct{ text, mark string }{
	{"{{", "\uFDD0"}, {"}}", "\uFDD1"}, {"$(", "\uFDD2"},
}

// encode returns value as JSON on one line: keys sorted, no HTML escapes.
//
// It refuses strings, at any depth and as keys, that a later reader would not take as
// plain text (see checkString).
func encode(value any) (string, error) {
	if err := checkStrings(reflect.ValueOf(value), checkString); err != nil {
		return "", err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("encoding a value: %w", err)
	}
	text := strings.TrimSuffix(out.String(), "\n")
	for _, e := range evaluated {
		text = strings.ReplaceAll(text, e.mark, e.text)
	}
	return text, nil
}

// checkParams refuses parameters that cannot be printed, or that contain marks.
func checkParams(params map[string]any) error {
	return checkStrings(reflect.ValueOf(params), func(s string) error {
		for _, e := range evaluated {
			if strings.Contains(s, e.mark) {
				return fmt.Errorf("%q contains the character %+q, which is not text", s, e.mark)
			}
		}
		return checkString(s)
	})
}

// checkStrings walks the values that templates can make: strings, numbers,
// booleans, and slices and maps of them.
func checkStrings(v reflect.Value, check func(string) error) error {
	switch v.Kind() {
	case reflect.Interface:
		return checkStrings(v.Elem(), check)
	case reflect.String:
		return check(v.String())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkStrings(v.Index(i), check); err != nil {
				return err
			}
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			if err := checkStrings(iter.Key(), check); err != nil {
				return err
			}
			if err := checkStrings(iter.Value(), check); err != nil {
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

// checkString refuses what Kyverno would evaluate, control characters other
// than a line feed, the byte order mark and non-characters (YAML readers differ
// about them), and invalid UTF-8, which encoding/json would silently replace.
func checkString(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not valid UTF-8", s)
	}
	for _, e := range evaluated {
		if strings.Contains(s, e.text) {
			return fmt.Errorf("%q contains %s, which Kyverno would evaluate", s, e.text)
		}
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || r == '\uFEFF' || r&0xFFFE == 0xFFFE) {
			return fmt.Errorf("%q contains the character %U, which is not text", s, r)
		}
	}
	return nil
}
