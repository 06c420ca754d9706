package plain

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// JSONError returns an error of encoding/json without the names of Go. It returns others as
// they are.
func JSONError(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	want := "an object"
	switch wrong.Type.Kind() {
	case reflect.String:
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	}
	got, _, _ := strings.Cut(wrong.Value, " ") // a number comes with its text
	switch got {
	case "array":
		got = "a list"
	case "object":
		got = "an object"
	case "bool":
		got = "true or false"
	default:
		got = "a " + got
	}
	if wrong.Field == "" {
		return fmt.Errorf("must be %s, not %s", want, got)
	}
	return fmt.Errorf("%s must be %s, not %s", wrong.Field, want, got)
}
