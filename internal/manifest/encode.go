package manifest

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
)

// quick writes the YAML of plain objects, byte for byte as sigs.k8s.io/yaml does. That
// package converts to JSON and back and takes twenty times as long, which is most of a
// build with a hundred thousand NetworkPolicies. quick supports only values that need no
// quoting. It reports false for everything else, which sigs.k8s.io/yaml then writes. The
// tests compare the two.
type quick struct{ b *bytes.Buffer }

// mapping writes a non-empty map. Its first key continues the last line of the buffer.
func (q quick) mapping(m map[string]any, indent int) bool {
	keys, ok := sortedKeys(m)
	if !ok {
		return false
	}
	for i, k := range keys {
		if i > 0 {
			q.indent(indent)
		}
		q.b.WriteString(k)
		q.b.WriteByte(':')
		if !q.value(m[k], indent) {
			return false
		}
	}
	return true
}

// value writes what follows "key:", up to the end of the line.
func (q quick) value(v any, indent int) bool {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			q.b.WriteByte('\n')
			q.indent(indent + 2)
			return q.mapping(v, indent+2)
		}
	case []any:
		if len(v) > 0 {
			q.b.WriteByte('\n')
			return q.sequence(v, indent)
		}
	}
	q.b.WriteByte(' ')
	return q.scalar(v)
}

func (q quick) sequence(list []any, indent int) bool {
	for _, item := range list {
		q.indent(indent)
		q.b.WriteString("- ")
		ok := false
		if m, isMap := item.(map[string]any); isMap && len(m) > 0 {
			ok = q.mapping(m, indent+2)
		} else {
			ok = q.scalar(item)
		}
		if !ok {
			return false
		}
	}
	return true
}

// scalar writes a value of one line and the end of the line.
func (q quick) scalar(v any) bool {
	switch v := v.(type) {
	case string:
		if !isPlain(v) {
			return false
		}
		q.b.WriteString(v)
	case bool:
		q.b.WriteString(strconv.FormatBool(v))
	case int64:
		q.b.WriteString(strconv.FormatInt(v, 10))
	case float64: // the type of a decoded JSON number
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 || v == 0 && math.Signbit(v) {
			return false
		}
		q.b.WriteString(strconv.FormatInt(int64(v), 10))
	case map[string]any:
		if len(v) > 0 || v == nil {
			return false
		}
		q.b.WriteString("{}")
	case []any:
		if len(v) > 0 || v == nil {
			return false
		}
		q.b.WriteString("[]")
	default:
		return false
	}
	q.b.WriteByte('\n')
	return true
}

func (q quick) indent(n int) {
	const spaces = "                "
	for ; n > len(spaces); n -= len(spaces) {
		q.b.WriteString(spaces)
	}
	q.b.WriteString(spaces[:n])
}

// isPlain reports whether every version of YAML reads an unquoted text as a string. That
// is a word of letters, digits and some marks that is not a boolean or null, or an IPv4
// CIDR.
func isPlain(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	if isDigit(s[0]) {
		return strings.Trim(s, "0123456789./") == "" && strings.Contains(s, "/")
	}
	if !isLetter(s[0]) {
		return false
	}
	for _, c := range []byte(s) {
		if !isLetter(c) && !isDigit(c) && strings.IndexByte("-./_", c) < 0 {
			return false
		}
	}
	if len(s) > len("false") {
		return true
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// sortedKeys orders keys as go-yaml does: marks before letters. It must not have to
// compare digits, which go-yaml orders as numbers.
func sortedKeys(m map[string]any) (keys []string, ok bool) {
	keys, ok = make([]string, 0, len(m)), true
	for k := range m {
		if !isPlain(k) {
			return nil, false
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		for i := range min(len(a), len(b)) {
			if a[i] == b[i] {
				continue
			}
			x, y := a[i], b[i]
			if isDigit(x) || isDigit(y) {
				ok = false
			}
			switch {
			case isLetter(x) && !isLetter(y):
				return 1
			case isLetter(y) && !isLetter(x):
				return -1
			}
			return int(x) - int(y)
		}
		return len(a) - len(b)
	})
	return keys, ok
}
