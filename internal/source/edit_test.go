package source

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type (
	m = map[string]any
	l = []any
)

// removed stands for the value of what Remove takes away.
type removed struct{}

type editCase struct {
	text, path string
	value      any
	want       string
}

func (c editCase) edit(doc Selector) ([]byte, error) {
	if _, ok := c.value.(removed); ok {
		return Remove([]byte(c.text), doc, c.path)
	}
	return Set([]byte(c.text), doc, c.path, c.value)
}

func editCases() map[string]editCase {
	return map[string]editCase{
		"plain":                               {"a: 1 # c\nb: 2\n", "a", 5, "a: 5 # c\nb: 2\n"},
		"aligned comment":                     {"a: old   # c\n", "a", "new", "a: new   # c\n"},
		"tabs around":                         {"a:\tx\t# c\n", "a", "z", "a:\tz\t# c\n"},
		"single quotes stay":                  {"a: 'old'\n", "a", "it's", "a: 'it''s'\n"},
		"double quotes stay":                  {"a: \"old\" # c\n", "a", "q\"x", "a: \"q\\\"x\" # c\n"},
		"word of YAML 1.1":                    {"a: x\n", "a", "yes", "a: \"yes\"\n"},
		"text with a colon":                   {"a: x\n", "a", "a: b", "a: \"a: b\"\n"},
		"text like a comment":                 {"a: x\n", "a", "x # y", "a: \"x # y\"\n"},
		"text like a number":                  {"a: x\n", "a", "1.10", "a: \"1.10\"\n"},
		"date stays plain":                    {"a: 2027-01-02\n", "a", "2027-03-04", "a: 2027-03-04\n"},
		"date as a text":                      {"a: x\n", "a", "2027-03-04", "a: \"2027-03-04\"\n"},
		"wide text":                           {"a: x\n", "a", "ä", "a: \"ä\"\n"},
		"null":                                {"a: x # c\n", "a", nil, "a: null # c\n"},
		"same value":                          {"a:   'x'   # c\n", "a", "x", "a:   'x'   # c\n"},
		"plain in lines":                      {"a: one\n  two\n\n  three # c\nb: 1\n", "a", "x", "a: x # c\nb: 1\n"},
		"quoted in lines":                     {"a: \"x\\\n  y\" # c\n", "a", "z", "a: \"z\" # c\n"},
		"below its key":                       {"a:\n  one two # c\nb: 1\n", "a", "x", "a:\n  x # c\nb: 1\n"},
		"literal to one line":                 {"a: |\n  x\n  y\n\n# c\nb: 1\n", "a", "one", "a: one\n\n# c\nb: 1\n"},
		"literal to literal":                  {"a: | # c\n  x\n  y\nb: 1\n", "a", "one\ntwo\n", "a: | # c\n  one\n  two\nb: 1\n"},
		"folded that keeps lines":             {"a: >+\n  x\n\n\nb: 1\n", "a", "one", "a: one\nb: 1\n"},
		"literal with an indent":              {"a:\n  b: |2\n      x\n    y\n  c: 1\n", "a.b", "one", "a:\n  b: one\n  c: 1\n"},
		"one line to literal":                 {"a: x # c\nb: 1\n", "a", "one\ntwo", "a: |- # c\n  one\n  two\nb: 1\n"},
		"literal in a list":                   {"a:\n- x\n", "a[0]", "one\ntwo\n", "a:\n- |\n  one\n  two\n"},
		"literal above a comment":             {"a: x\n\n  # c\n", "a", "one\ntwo\n", "a: \"one\\ntwo\\n\"\n\n  # c\n"},
		"literal at the end":                  {"a: x", "a", "one\ntwo\n", "a: \"one\\ntwo\\n\""},
		"text that cannot be literal":         {"a: x\n", "a", "  one\n\ttwo", "a: \"  one\\n\\ttwo\"\n"},
		"wide characters before":              {"é: {ü: [ö, ä]} # ß\n", "é.ü[1]", 1, "é: {ü: [ö, 1]} # ß\n"},
		"byte order mark":                     {"\ufeffa: 1\n", "a", 2, "\ufeffa: 2\n"},
		"byte order mark, new key":            {"\ufeffa: 1\n", "b", 2, "\ufeffa: 1\nb: 2\n"},
		"quoted keys":                         {"\"a b\": 1\n'c': {\"d\":1}\n", "c.d", 2, "\"a b\": 1\n'c': {\"d\":2}\n"},
		"key in brackets":                     {"a:\n  app.kubernetes.io/name: x\n", "a[app.kubernetes.io/name]", "z", "a:\n  app.kubernetes.io/name: z\n"},
		"scalar to mapping":                   {"a: x # c\nc: 1\n", "a", m{"x": 1, "b": l{}}, "a: # c\n  b: []\n  x: 1\nc: 1\n"},
		"scalar below its key to mapping":     {"a:\n  one two # c\nb: 1\n", "a", m{"x": 1}, "a:\n  x: 1\nb: 1\n"},
		"mapping to scalar":                   {"a: # c\n  # in a\n  b: 1 # d\nc: 1\n", "a", "s", "a: s # c\nc: 1\n"},
		"mapping to mapping":                  {"a: # c\n    b: 1 # d\nc: 1\n", "a", m{"x": m{"z": "v"}}, "a: # c\n    x:\n        z: v\nc: 1\n"},
		"list to list":                        {"a: # c\n  - b # d\nc: 1\n", "a", l{"x", "z"}, "a: # c\n  - x\n  - z\nc: 1\n"},
		"flow stays flow":                     {"a: [x] # c\nc: 1\n", "a", l{"x", "z"}, "a: [x, z] # c\nc: 1\n"},
		"mapping to empty":                    {"a:\n  b: 1\nc: 1\n", "a", m{}, "a: {}\nc: 1\n"},
		"entry to scalar":                     {"a:\n  - b: 1 # x\n    c: 2 # y\n  - d\n", "a[0]", "s", "a:\n  - s\n  - d\n"},
		"entry to mapping":                    {"a:\n  - b # x\n  - c\n", "a[0]", m{"x": 1, "z": 2}, "a:\n  - x: 1 # x\n    z: 2\n  - c\n"},
		"empty value":                         {"a: # c\nb: 1\n", "a", "x", "a: x # c\nb: 1\n"},
		"empty value in flow":                 {"a: {\"d\":,e: 1}\n", "a.d", 2, "a: {\"d\": 2,e: 1}\n"},
		"empty entry":                         {"a:\n  -\n  - b\n", "a[0]", m{"x": 1, "z": 2}, "a:\n  - x: 1\n    z: 2\n  - b\n"},
		"new key, 4 spaces":                   {"a:\n    b: 1  # c\n\n# for d\nd: 2\n", "a.c", "x", "a:\n    b: 1  # c\n    c: x\n\n# for d\nd: 2\n"},
		"new key, nested":                     {"a:\n    b: 1\n", "a.c.d.e", "x", "a:\n    b: 1\n    c:\n        d:\n            e: x\n"},
		"new key, no final newline":           {"a:\n    b: 1", "a.c", "x", "a:\n    b: 1\n    c: x"},
		"new key, CRLF":                       {"a:\r\n    b: 1\r\n\r\nc: 2\r\n", "a.c.d", "x", "a:\r\n    b: 1\r\n    c:\r\n        d: x\r\n\r\nc: 2\r\n"},
		"new key behind a literal":            {"a:\n  b: |\n    x\n\n  # c\nd: 1\n", "a.c", "x", "a:\n  b: |\n    x\n  c: x\n\n  # c\nd: 1\n"},
		"new key behind kept lines":           {"a: |+\n  x\n\n", "b", 1, "a: |+\n  x\n\nb: 1\n"},
		"new key behind a list":               {"a:\n- x: 1\n  z: 2\n\n# end\n", "b", 1, "a:\n- x: 1\n  z: 2\nb: 1\n\n# end\n"},
		"new key in an entry":                 {"a:\n  - b: 1\n    c: 2\n  - d: 1\n", "a[0].e", 1, "a:\n  - b: 1\n    c: 2\n    e: 1\n  - d: 1\n"},
		"new key among blank lines":           {"a:\n\n  # c\n\n  b: 1\n\n  # d\nc: 2\n", "a.x", 1, "a:\n\n  # c\n\n  b: 1\n  x: 1\n\n  # d\nc: 2\n"},
		"new key behind a nested comment":     {"a:\n  b:\n    c: 1\n\n    # d: 2\n\n  # for f\nf: 1\n", "a.e", 1, "a:\n  b:\n    c: 1\n\n    # d: 2\n  e: 1\n\n  # for f\nf: 1\n"},
		"new key before an end":               {"a: 1\n...\n", "b", 1, "a: 1\nb: 1\n...\n"},
		"new key that is quoted":              {"a: {}\n", "a[x: y]", 1, "a: {\"x: y\": 1}\n"},
		"new list, indented":                  {"a:\n   - 1\nb: 1\n", "c", l{"x"}, "a:\n   - 1\nb: 1\nc:\n   - x\n"},
		"new list, not indented":              {"a:\n- 1\nb: 1\n", "c.d[0]", "x", "a:\n- 1\nb: 1\nc:\n  d:\n  - x\n"},
		"flow mapping":                        {"a: { b: 1 } # c\n", "a.c", m{"x": l{1, "u, v"}}, "a: { b: 1, c: {x: [1, \"u, v\"]} } # c\n"},
		"flow mapping with a comma":           {"a: {b: 1,}\n", "a.c", 2, "a: {b: 1, c: 2}\n"},
		"flow mapping in lines":               {"a: {\n  b: 1, # c\n  c: 2 # d\n}\n", "a.d", 2, "a: {\n  b: 1, # c\n  c: 2, # d\n  d: 2\n}\n"},
		"empty mapping":                       {"a: {} # c\n", "a.b.c", 1, "a: {b: {c: 1}} # c\n"},
		"null to mapping":                     {"a: ~ # c\nb: 1\n", "a.x[0]", 1, "a: # c\n  x:\n    - 1\nb: 1\n"},
		"nothing to mapping":                  {"a: # c\nb: 1\n", "a.x", 1, "a: # c\n  x: 1\nb: 1\n"},
		"append":                              {"a:\n- b\n- c # d\n\ne: 1\n", "a[2]", "x", "a:\n- b\n- c # d\n- x\n\ne: 1\n"},
		"append a mapping":                    {"a:\n  - b: 1\n    c: 2\n", "a[1]", m{"b": 3, "c": l{1}}, "a:\n  - b: 1\n    c: 2\n  - b: 3\n    c:\n      - 1\n"},
		"append in flow":                      {"a: [b, c] # d\n", "a[2]", "x", "a: [b, c, x] # d\n"},
		"append in flow, lines":               {"a: [\n  b,\n  c, # d\n]\n", "a[2]", "x", "a: [\n  b,\n  c, # d\n  x\n]\n"},
		"append to the empty list":            {"a: []\n", "a[0]", "x", "a: [x]\n"},
		"next to an anchor":                   {"a: &x 1\nb: *x\n", "c", 2, "a: &x 1\nb: *x\nc: 2\n"},
		"explicit key":                        {"a: 1\n? b\n: 2 # c\n", "b", 3, "a: 1\n? b\n: 3 # c\n"},
		"first document of two":               {"# h\n---\na: 1\n--- # d\na: 1\n", "a", 2, "# h\n---\na: 2\n--- # d\na: 1\n"},
		"remove":                              {"a: 1\nb: 2\nc: 3\n", "b", removed{}, "a: 1\nc: 3\n"},
		"remove with comments":                {"# h\na: 1\n\n# stays\n\n# x\n# y\nb: 2 # z\n\n# for c\nc: 3\n", "b", removed{}, "# h\na: 1\n\n# stays\n\n\n# for c\nc: 3\n"},
		"remove the first of the file":        {"# h\na: 1\nb: 2\n", "a", removed{}, "# h\nb: 2\n"},
		"remove the first of a mapping":       {"a:\n  # x\n  b: 1\n  c: 2\n", "a.b", removed{}, "a:\n  c: 2\n"},
		"remove a mapping":                    {"a:\n  b: 1\n  # in a\n# for c\nc: 1\n", "a", removed{}, "# for c\nc: 1\n"},
		"remove with a nested comment":        {"a:\n  b: 1\n\n  # in a\n\n# for c\nc: 1\n", "a", removed{}, "\n# for c\nc: 1\n"},
		"remove a literal":                    {"a: |\n  x\n  # text\n\nb: 1\n", "a", removed{}, "\nb: 1\n"},
		"remove behind a literal":             {"a: |\n  # text\nb: 1\n", "b", removed{}, "a: |\n  # text\n"},
		"remove the last key":                 {"a: # c\n  b: 1 # d\nc: 1\n", "a.b", removed{}, "a: {} # c\nc: 1\n"},
		"remove the last key of the file":     {"a: 1\n", "a", removed{}, "{}\n"},
		"remove the end, no final newline":    {"a: 1\nb: 2", "b", removed{}, "a: 1"},
		"remove the end, CRLF":                {"a: 1\r\nb: 2", "b", removed{}, "a: 1"},
		"remove an entry":                     {"a:\n- x\n# c\n- z\nb: 1\n", "a[1]", removed{}, "a:\n- x\nb: 1\n"},
		"remove the first entry":              {"a:\n- x\n- z\nb: 1\n", "a[0]", removed{}, "a:\n- z\nb: 1\n"},
		"remove the last entry":               {"a:\n- x\nb: 1\n", "a[0]", removed{}, "a: []\nb: 1\n"},
		"remove a key behind a dash":          {"a:\n  - b: 1 # x\n    c: 2\n", "a[0].b", removed{}, "a:\n  - c: 2\n"},
		"remove a key behind a dash, comment": {"a:\n  - b: 1 # x\n    # for c\n    c: 2\n", "a[0].b", removed{}, "a:\n  -\n    # for c\n    c: 2\n"},
		"remove an entry behind a dash":       {"a:\n- - x\n  - z\n- z\n", "a[0][0]", removed{}, "a:\n- - z\n- z\n"},
		"remove in flow":                      {"a: [1, 2, 3]\n", "a[1]", removed{}, "a: [1, 3]\n"},
		"remove the first in flow":            {"a: {b: 1, c: 2}\n", "a.b", removed{}, "a: {c: 2}\n"},
		"remove the last in flow":             {"a: [1, 2, 3]\n", "a[2]", removed{}, "a: [1, 2]\n"},
		"remove the only one in flow":         {"a: [ 1, ]\n", "a[0]", removed{}, "a: []\n"},
		"remove a line in flow":               {"a: [\n  1, # x\n  2, # z\n  3 # w\n]\n", "a[1]", removed{}, "a: [\n  1, # x\n  3 # w\n]\n"},
		"remove the last line in flow":        {"a: [\n  1, # x\n  2, # z\n  3 # w\n]\n", "a[2]", removed{}, "a: [\n  1, # x\n  2, # z\n]\n"},
		"remove in flow, comment":             {"a: [1, 2, # x\n  3]\n", "a[1]", removed{}, "a: [1,  # x\n  3]\n"},
	}
}

func TestEdit(t *testing.T) {
	for name, c := range editCases() {
		t.Run(name, func(t *testing.T) {
			got, err := c.edit(Nth(0))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEditRefuses: what is not certain is an error, with no bytes.
func TestEditRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, path, want string }{
		"alias":                        {"a: &x 1\nb: *x\n", "b", "setting b: line 2 has the alias *x: edit it by hand"},
		"anchor":                       {"a: &x 1\nb: *x\n", "a", "setting a: line 1 has the anchor &x: edit it by hand"},
		"in an anchor":                 {"a: &x {b: 1}\nc: *x\n", "a.b", "setting a.b: line 1 has the anchor &x: edit it by hand"},
		"anchor inside":                {"a: {b: &x 1}\nc: *x\n", "a", "setting a: line 1 has the anchor &x: edit it by hand"},
		"tag":                          {"a: !!str 1\n", "a", "setting a: line 1 has the tag !!str: edit it by hand"},
		"merge key":                    {"b: &b {}\na:\n  <<: *b\n  c: 1\n", "a.c", "setting a.c: line 3 has a merge key: edit it by hand"},
		"twice":                        {"a: 1\na: 2\n", "a", "setting a: a is set twice, also in line 2"},
		"not YAML":                     {"a: 1\nb: c: d\n", "a", "setting a: line 2: mapping values are not allowed in this context"},
		"not UTF-8":                    {"a: \xff\n", "a", "setting a: the file is not UTF-8"},
		"not a mapping":                {"a: x\n", "a.b", "setting a.b: line 1 has the string \"x\", not a mapping with b"},
		"not an index":                 {"a: [1]\n", "a.b", "setting a.b: \"b\" is not an index of the list in line 1"},
		"behind the list":              {"a: [1]\n", "a[2]", "setting a[2]: the list in line 1 has 1 entries: the next one is [1]"},
		"new list without a beginning": {"a: 1\n", "b[1]", "setting b[1]: there is no list for [1]"},
		"no colon":                     {"a: {b}\n", "a.b", "setting a.b: cannot be done in this layout: the key has no colon behind it"},
		"empty":                        {"# c\n", "a", "setting a: there is no document 0: the file has 0"},
		"empty document":               {"---\n---\na: 1\n", "a", "setting a: the document is empty"},
		"path empty":                   {"a: 1\n", "", "setting : the path is empty"},
		"path open":                    {"a: 1\n", "a[b", "setting a[b: the path has a [ without ]"},
		"path dots":                    {"a: 1\n", "a..b", "setting a..b: the path has an empty part"},
		"path bracket":                 {"a: 1\n", "a]b", "setting a]b: the path is malformed at \"]b\""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Set([]byte(c.text), Nth(0), c.path, 7)
			if err == nil || got != nil {
				t.Fatalf("%q, %v", got, err)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const handFormatted = `# The company's profile.
# Ask the platform team before you change it.

apiVersion: gatehouse.dev/v1alpha1      # the language
kind:       Profile
metadata: { name: acme }

spec:
    # --- who ---
    owners:   ["@acme/platform", '@acme/security']   # reviewed by both

    controls:
        require-labels:   { enabled: true }    # since May

        # Waits for the registry.
        restrict-image-registries:
            enabled:    false
            maxStage:   "audit"

    namespaces:
        -   name: payments
            tier: apps          # see RFC 12

        # Shop is next.
        -   name:  shop

    message: |
        Ask in #platform.

        # not a comment

---
# Production.
kind: Environment
metadata:
    name: prod
spec:
    ring:  2
    stage: audit # until March
...
`

// TestEditHandFormatted: an edit changes these lines of a file and no others.
func TestEditHandFormatted(t *testing.T) {
	profile, prod := Named("Profile", ""), Named("Environment", "prod")
	for name, c := range map[string]struct {
		doc      Selector
		path     string
		value    any
		old, new string
	}{
		"stage":           {prod, "spec.stage", "enforce", "    stage: audit # until March\n", "    stage: enforce # until March\n"},
		"same name":       {prod, "spec.owners", l{"@acme/prod"}, "    stage: audit # until March\n", "    stage: audit # until March\n    owners:\n        - \"@acme/prod\"\n"},
		"control stage":   {prod, "spec.controls[require-labels].stage", "audit", "until March\n", "until March\n    controls:\n        require-labels:\n            stage: audit\n"},
		"aligned":         {profile, "spec.controls[restrict-image-registries].enabled", true, "enabled:    false", "enabled:    true"},
		"quoted":          {profile, "spec.controls[restrict-image-registries].maxStage", "enforce", `"audit"`, `"enforce"`},
		"flow":            {profile, "spec.controls[require-labels].maxStage", "audit", "{ enabled: true }", "{ enabled: true, maxStage: audit }"},
		"flow list":       {profile, "spec.owners[1]", "@acme/sec", "'@acme/security'", "'@acme/sec'"},
		"new control":     {profile, "spec.controls[require-probes].enabled", true, "\"audit\"\n", "\"audit\"\n        require-probes:\n            enabled: true\n"},
		"entry":           {profile, "spec.namespaces[1].tier", "apps", "name:  shop\n", "name:  shop\n            tier: apps\n"},
		"new entry":       {profile, "spec.namespaces[2]", m{"name": "hr", "tier": "apps"}, "name:  shop\n", "name:  shop\n        - name: hr\n          tier: apps\n"},
		"literal":         {profile, "spec.message", "Ask.\n\nNow.\n", "        Ask in #platform.\n\n        # not a comment\n", "        Ask.\n\n        Now.\n"},
		"key at the end":  {profile, "spec.tiers", l{}, "not a comment\n", "not a comment\n    tiers: []\n"},
		"remove":          {profile, "spec.controls[restrict-image-registries]", removed{}, "        # Waits for the registry.\n        restrict-image-registries:\n            enabled:    false\n            maxStage:   \"audit\"\n", ""},
		"remove an entry": {profile, "spec.namespaces[0]", removed{}, "        -   name: payments\n            tier: apps          # see RFC 12\n", ""},
		"remove a key":    {prod, "spec.ring", removed{}, "    ring:  2\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, lineBreak := range []string{"\n", "\r\n"} {
				before := "\ufeff" + strings.ReplaceAll(handFormatted, "\n", lineBreak)
				old, replacement := strings.ReplaceAll(c.old, "\n", lineBreak), strings.ReplaceAll(c.new, "\n", lineBreak)
				if strings.Count(before, old) != 1 {
					t.Fatalf("%q is not there once", old)
				}
				got, err := editCase{text: before, path: c.path, value: c.value}.edit(c.doc)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.Replace(before, old, replacement, 1), string(got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestEditLayouts: no layout that people write is refused.
func TestEditLayouts(t *testing.T) {
	for _, data := range append(sources(t), []byte(handFormatted)) {
		if len(data) > 2000 {
			continue
		}
		docs, err := plainValues(data)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range docs {
			for _, target := range targetsOf("", doc) {
				for _, value := range []any{"text", "a\nb\n", m{"k": l{"x", m{}}}, l{m{"a": 1, "b": 2}, l{1}}, removed{}} {
					_, err := editCase{text: string(data), path: target.path, value: value}.edit(Nth(i))
					if err != nil && strings.Contains(err.Error(), "layout") {
						t.Errorf("%v in\n%s", err, data)
					}
				}
			}
		}
	}
}

func TestSelector(t *testing.T) {
	const text = "kind: A\nmetadata: {name: x}\n---\nkind: A\nmetadata: {name: z}\n---\n---\nkind: B\n"
	for name, c := range map[string]struct {
		doc  Selector
		line int // of the document that is changed
		err  string
	}{
		"name":        {Named("A", "z"), 4, ""},
		"kind":        {Named("B", ""), 8, ""},
		"only a name": {Named("", "x"), 1, ""},
		"index":       {Nth(3), 8, ""},
		"two":         {Named("A", ""), 0, `setting kind: the file has 2 documents of kind "A" named "", not one`},
		"none":        {Named("B", "x"), 0, `setting kind: the file has 0 documents of kind "B" named "x", not one`},
		"no index":    {Nth(4), 0, "setting kind: there is no document 4: the file has 4"},
		"nothing":     {Nth(2), 0, "setting kind: the document is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Set([]byte(text), c.doc, "kind", "C")
			if err != nil {
				if err.Error() != c.err {
					t.Error(err)
				}
				return
			}
			rows := strings.SplitAfter(text, "\n")
			rows[c.line-1] = "kind: C\n"
			if diff := cmp.Diff(strings.Join(rows, ""), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNodeOf: what a value becomes, and what cannot be written.
func TestNodeOf(t *testing.T) {
	type name string
	text := name("x")
	for _, c := range []struct {
		value any
		want  string
	}{
		{&text, "x"}, {(*int)(nil), "null"}, {true, "true"}, {uint8(3), "3"}, {int64(-3), "-3"}, {2.0, "2.0"}, {1e30, "1e+30"}, {[2]int{1, 2}, "[1, 2]"},
		{map[name]*name{"b": &text, "a": nil}, "{a: null, b: x}"},
		{[]string{"", " x", "x ", "-", "- x", "?", "null", "~", "1:30", "0x1", ".5", "1_0", "a,b", "a: b", "a #b", "a#b", "*a", "@a", "a\\"},
			`["", " x", "x ", "-", "- x", "?", "null", "~", "1:30", "0x1", ".5", "1_0", "a,b", "a: b", "a #b", "a#b", "*a", "@a", "a\\"]`},
		{[]string{"a b", "a/b:c", "v1.2.3", "10.0.0.0/8", "ghcr.io/acme/*"}, "[a b, a/b:c, v1.2.3, 10.0.0.0/8, ghcr.io/acme/*]"},
	} {
		n, err := nodeOf(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if got := flowText(n); got != c.want {
			t.Errorf("%v is %s, want %s", c.value, got, c.want)
		}
	}
	for _, value := range []any{math.NaN(), math.Inf(-1), "\xff", "\x00", struct{}{}, map[int]int{}, []any{make(chan int)}, m{"a": func() {}}, m{"\x00": 1}} {
		if n, err := nodeOf(value); err == nil {
			t.Errorf("%v is %s", value, flowText(n))
		}
	}
}
