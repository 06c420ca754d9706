package fluxtree

import (
	"encoding/json"
	"reflect"
	"slices"
)

// differences returns the fields of an object of a release that change with values which are
// not known, and the object with the others. If it is not in all variants that could be rendered,
// or there is no other, all of it is unknown.
func differences(m made, variants []map[string]json.RawMessage, why string) ([]Unknown, []json.RawMessage) {
	var others []json.RawMessage
	everywhere := len(variants) > 0
	for _, variant := range variants {
		other, known := variant[m.id]
		if !known {
			everywhere = false
			continue
		}
		others = append(others, other)
	}
	if !everywhere && len(others) == 0 {
		return []Unknown{{Why: why}}, nil
	}
	var base any
	if json.Unmarshal(m.Object, &base) != nil {
		return []Unknown{{Why: why}}, nil
	}
	var fields []Unknown
	var kept []json.RawMessage
	for _, raw := range others {
		var other any
		if json.Unmarshal(raw, &other) != nil {
			continue
		}
		before := len(fields)
		differ(base, other, nil, nil, func(steps []any, keys []string) {
			fields = append(fields, Unknown{Path: Path(steps), Keys: keys, Steps: steps, Why: why})
		})
		if len(fields) > before {
			kept = append(kept, raw)
		}
	}
	if !everywhere {
		return []Unknown{{Why: why}}, kept
	}
	seen := map[string]bool{}
	fields = slices.DeleteFunc(fields, func(f Unknown) bool {
		again := seen[f.Path]
		seen[f.Path] = true
		return again
	})
	return fields, kept
}

// differ calls yield for each field in which two values differ: the innermost mapping keys, and
// whole lists of different lengths.
func differ(a, b any, steps []any, keys []string, yield func(steps []any, keys []string)) {
	switch one := a.(type) {
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok {
			break
		}
		for key := range union(one, other) {
			_, inOne := one[key]
			_, inOther := other[key]
			if inOne && inOther {
				differ(one[key], other[key], extend(steps, any(key)), extend(keys, key), yield)
			} else {
				yield(extend(steps, any(key)), extend(keys, key))
			}
		}
		return
	case []any:
		other, ok := b.([]any)
		if !ok || len(one) != len(other) {
			break
		}
		for i := range one {
			differ(one[i], other[i], extend(steps, any(i)), keys, yield)
		}
		return
	}
	if !reflect.DeepEqual(a, b) {
		yield(steps, keys)
	}
}

func union(a, b map[string]any) map[string]bool {
	keys := map[string]bool{}
	for _, m := range []map[string]any{a, b} {
		for key := range m {
			keys[key] = true
		}
	}
	return keys
}
