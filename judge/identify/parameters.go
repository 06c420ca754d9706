package identify

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const labelsParameter = "labels"

// parameters reads off a policy what the parameters of a control may be, by the id of the
// control: the labels that a pattern or an expression asks for, and the registries that
// images may come from. Whether they are right, only the verdicts say.
func parameters(policy manifest.Object) map[string]map[string]any {
	labels, registries := map[string]bool{}, map[string]bool{}
	walk(map[string]any(policy.Map("spec")), nil, func(path []string, text string) {
		last := path[len(path)-1]
		switch {
		case len(path) > 2 && slices.Contains(path, "pattern") && path[len(path)-2] == "labels" && path[len(path)-3] == "metadata" && !strings.ContainsAny(last, "()"):
			labels[last] = true
		case slices.Contains(path, "pattern") && last == "image":
			for one := range strings.SplitSeq(text, "|") {
				registries[strings.TrimSuffix(strings.TrimSpace(one), "/*")] = strings.HasSuffix(strings.TrimSpace(one), "/*")
			}
		case last == "expression":
			for _, m := range regexp.MustCompile(`metadata\.\??labels\[\??['"]([^'"]+)['"]\]|['"]([^'"]+)['"] in object\.metadata\.labels`).FindAllStringSubmatch(text, -1) {
				labels[m[1]+m[2]] = true
			}
			for _, m := range regexp.MustCompile(`image\.startsWith\(['"]([^'"]+)/['"]\)`).FindAllStringSubmatch(text, -1) {
				registries[m[1]] = true
			}
		}
	})
	found := map[string]map[string]any{}
	for _, of := range []struct {
		control, parameter string
		values             map[string]bool
	}{{"require-labels", labelsParameter, labels}, {"restrict-image-registries", "registries", registries}} {
		list := []any{}
		for _, value := range slices.Sorted(maps.Keys(of.values)) {
			if of.values[value] {
				list = append(list, value)
			}
		}
		if len(list) > 0 {
			found[of.control] = map[string]any{of.parameter: list}
		}
	}
	return found
}

// walk calls visit for each text in a value, with the keys that lead to it.
func walk(v any, path []string, visit func(path []string, text string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			walk(value, append(slices.Clone(path), key), visit)
		}
	case []any:
		for _, value := range v {
			walk(value, path, visit)
		}
	case string:
		if len(path) > 0 {
			visit(path, v)
		}
	}
}
