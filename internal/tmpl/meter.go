package tmpl

import (
	"fmt"
	"reflect"
)

// Limits of one rendering. They do not depend on the clock, so that a template renders
// everywhere or nowhere.
const (
	// maxTemplate is the size of a template in bytes.
	maxTemplate = 256 << 10
	// maxWork is the size of all values that the functions of a template take and return, in
	// bytes: a template that doubles a value thirty times ends here.
	maxWork = 32 << 20
	// perValue is the size of a value beside its text.
	perValue = 16
	// maxText is the size of a text that a function makes of a shorter one.
	maxText = 4 << 20
)

// meter counts what the functions of one rendering take and return.
type meter struct{ left int }

// limited returns the functions, each of which fails when the meter is used up.
func (m *meter) limited(functions map[string]any) map[string]any {
	out := make(map[string]any, len(functions))
	for name, f := range functions {
		out[name] = m.function(reflect.ValueOf(f)).Interface()
	}
	return out
}

// function returns f with an error as its last result.
func (m *meter) function(f reflect.Value) reflect.Value {
	var in []reflect.Type
	for t := range f.Type().Ins() {
		in = append(in, t)
	}
	result := f.Type().Out(0)
	failed := reflect.TypeFor[error]()
	call := f.Call
	if f.Type().IsVariadic() {
		call = f.CallSlice
	}
	return reflect.MakeFunc(reflect.FuncOf(in, []reflect.Type{result, failed}, f.Type().IsVariadic()), func(args []reflect.Value) []reflect.Value {
		for _, arg := range args {
			m.take(arg)
		}
		if m.left < 0 {
			return m.spent(result)
		}
		results := call(args)
		if m.take(results[0]); m.left < 0 {
			return m.spent(result)
		}
		if len(results) == 1 {
			results = append(results, reflect.Zero(failed))
		}
		return results
	})
}

func (m *meter) spent(result reflect.Type) []reflect.Value {
	err := fmt.Errorf("the values of the template have more than %d MiB", maxWork>>20)
	return []reflect.Value{reflect.Zero(result), reflect.ValueOf(&err).Elem()}
}

// take subtracts the size of a value. It stops when nothing is left: a value may be small
// in memory and large when it is written.
func (m *meter) take(v reflect.Value) {
	if m.left -= perValue; m.left < 0 {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		m.take(v.Elem())
	case reflect.String:
		m.left -= v.Len()
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && m.left >= 0; i++ {
			m.take(v.Index(i))
		}
	case reflect.Map:
		for iter := v.MapRange(); m.left >= 0 && iter.Next(); {
			m.take(iter.Key())
			m.take(iter.Value())
		}
	}
}

// checkText refuses to make a text of the given size in bytes.
func checkText(size int) error {
	if size > maxText {
		return fmt.Errorf("a text of more than %d MiB", maxText>>20)
	}
	return nil
}
