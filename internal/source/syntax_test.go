package source

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSyntaxPositions: each message points at the character to look at. It also
// holds that the fields which syntaxErrorOf reads are still in the YAML library.
func TestSyntaxPositions(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"quote not closed":            {"a: 1\nb: \"x\nc: 1\n", "2:4: found unexpected end of stream"},
		"quote not closed, documents": {"a: 1\nb: 'x\n\n---\nc: 1\n", "2:4: found unexpected end of stream"},
		"quote closed by the next":    {"a: \"x\nb: \"y\"\nc: 1\n", "2:5: did not find expected key"},
		"quote in a quote":            {"a: 'it's'\nb: 1\n", "1:8: did not find expected key"},
		"text behind a quote":         {"a: 1\nb: \"b\" c\n", "2:8: did not find expected key"},
		"less indented":               {"a:\n    b: 1\n  c: 2\n", "3:3: did not find expected key"},
		"more indented":               {"a:\n  b: 1\n   c: 2\n", "3:5: mapping values are not allowed in this context"},
		"entry less indented":         {"s:\n  x:\n   - 1\n  - 2\n", "4:3: did not find expected key"},
		"key of an entry":             {"a:\n  - b: 1\n c: 2\n", "3:2: did not find expected key"},
		"block scalar too short":      {"a: |\n  x\n y: 1\n z\n", "3:2: did not find expected key"},
		"entry among keys":            {"a: 1\n- b\n", "2:1: did not find expected key"},
		"key among entries":           {"- a\nb: 1\n", "2:1: did not find expected '-' indicator"},
		"entry behind a key":          {"x: 1\na: - b\n", "2:4: block sequence entries are not allowed in this context"},
		"tab":                         {"a:\n\tb: 1\n", "2:1: found character that cannot start any token"},
		"tab behind a value":          {"a: 1\n\tb: 2\n", "2:1: found a tab character that violates indentation"},
		"list not closed":             {"x: 1\na: [1, 2\n\n", "2:4: did not find expected ',' or ']'"},
		"list not closed, comma":      {"x: 1\na: [1,\n---\nb: 1\n", "2:4: did not find expected node content"},
		"list not closed, key":        {"a: [1, 2\nb: 3\n", "2:2: did not find expected ',' or ']' of the flow sequence that begins in line 1"},
		"comma missing":               {"a: [\n  \"x\"\n  \"y\"\n]\n", "3:3: did not find expected ',' or ']' of the flow sequence that begins in line 1"},
		"mapping not closed":          {"x: 1\na: {b: 1\nc: 2\n", "3:2: did not find expected ',' or '}' of the flow mapping that begins in line 2"},
		"other bracket":               {"a: {b: [1, 2}\nc: 3\n", "1:13: did not find expected ',' or ']'"},
		"bracket":                     {"a: 1\nb: ]\n", "2:4: did not find expected node content"},
		"anchor unknown":              {"a: &x 1\nb: &x 2\nc: *y\n", "3:4: unknown anchor 'y' referenced"},
		"two colons":                  {"a: 1\nkey: value: x\n", "2:11: mapping values are not allowed in this context"},
		"two colons in line 1":        {"key: value: x\n", "1:11: mapping values are not allowed in this context"},
		"wide characters":             {"é: 1\nü: ö: x\n", "2:5: mapping values are not allowed in this context"},
		"CRLF":                        {"a: 1\r\nb: c: d\r\n", "2:5: mapping values are not allowed in this context"},
		"byte order mark":             {"\ufeffa: b: c\n", "1:5: mapping values are not allowed in this context"},
		"bad escape":                  {"a: 1\nb: \"x\n  \\q\"\n", "3:3: found unknown escape character"},
		"bad octet":                   {"a: 1\nb: \"\\xzz\"\n", "2:7: did not find expected hexdecimal number"},
		"no colon":                    {"a: 1\nfoo\nb: 2\n", "2:1: could not find expected ':'"},
		"reserved character":          {"a: 1\nb: @x\n", "2:4: found character that cannot start any token"},
		"block scalar header":         {"a: 1\nb: |x\n  y\n", "2:5: did not find expected comment or line break"},
		"tag unknown":                 {"a: 1\nb: !e!x z\n", "2:4: found undefined tag handle"},
		"control character":           {"a: 1\nü: \x01\n", "2:4: control characters are not allowed"},
		"not UTF-8":                   {"a: 1\nb: \xff\n", "2:4: invalid leading UTF-8 octet"},
		"directive":                   {"%FOO\na: 1\n", "1:5: found unknown directive name"},
		"text behind an end":          {"a: 1\n...\nb: 1\n", "3:1: did not find expected <document start>"},
		"third document":              {"a: 1\n---\nb: 2\n--- # c\n\nc: d: e\n", "6:5: mapping values are not allowed in this context"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Parse("f", []byte(c.text))
			if len(problems) != 1 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff("f:"+c.want+" [yaml-syntax]", problems[0].String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestBrokenDocumentHidesNoOther: the documents around one that is not YAML are
// read, in their lines, with the apiVersion that the broken one shows.
func TestBrokenDocumentHidesNoOther(t *testing.T) {
	docs, problems := Parse("f", []byte("kind: A\n---\napiVersion: \"v2\" # new\nkind: B\nx: [\n---\nkind: C\n---\nx: y: z\n--- {kind: D}\n"))
	var got []string
	for _, d := range docs {
		got = append(got, d.At(Lookup(d.Node, "kind")).String()+" "+d.APIVersion+" "+d.Kind)
	}
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{"f:1:7  A", "f:7:7 v2 C", "f:10:12 v2 D",
		"f:5:4: did not find expected node content [yaml-syntax]", "f:9:5: mapping values are not allowed in this context [yaml-syntax]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
