package manifest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	a, b := Object{"kind": "A", "x": 1.0}, Object{"kind": "B", "text": "---\nkind: C"}
	tests := []struct {
		name, text string
		want       []Object
	}{
		{"nothing", "", nil},
		{"only comments", "# nothing\n---\n# nothing\n", nil},
		{"one", "kind: A\nx: 1\n", []Object{a}},
		{"empty documents between", "# x\n---\nkind: A\nx: 1\n---\n---\nnull\n---\n{}\n---\nkind: B\ntext: \"---\\nkind: C\"\n", []Object{a, b}},
		{"a block that holds a marker", "kind: B\ntext: |-\n  ---\n  kind: C\n", []Object{b}},
		{"content on the line of the marker", "--- {kind: A, x: 1}\n--- # comment\nkind: A\nx: 1", []Object{a, a}},
		{"end of document, directive, line ends of Windows", "%YAML 1.1\r\n---\r\nkind: A\r\nx: 1\r\n...\r\n# end\r\n", []Object{a}},
		{"byte order mark", "\ufeff---\nkind: A\nx: 1\n", []Object{a}},
		{"YAML 1.1", "on: yes\n", []Object{{"true": true}}},
		{"JSON", `{"kind": "A", "x": 1}`, []Object{a}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseWrong(t *testing.T) {
	const good = "kind: A\n---\n# comment\n"
	tests := []struct{ name, text, want string }{
		{"not YAML", good + "kind: [A\nmetadata: {name: x}\n", "line 4: did not find expected ',' or ']'"},
		{"a key twice", good + "kind: A\nkind: B\n", `line 5: key "kind" already set in map`},
		{"a list", good + "- a\n", "line 4: a document must be a mapping"},
		{"text", "hello\n", "line 1: a document must be a mapping"},
		{"too large", good + "a: b\nc: " + strings.Repeat("x", MaxDocument), "line 5: the document is larger than 8 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.text))
			if err == nil || err.Error() != tt.want || got != nil {
				t.Errorf("got %v, error %v, want %q", got, err, tt.want)
			}
		})
	}
}

// An error of the reader is returned as it is, and ends the stream.
func TestDocumentsReader(t *testing.T) {
	broken := errors.New("broken")
	var got []error
	for _, err := range Documents(io.MultiReader(strings.NewReader("a: b\n---\nc: d\n"), iotest.ErrReader(broken))) {
		got = append(got, err)
	}
	if len(got) != 2 || got[0] != nil || !errors.Is(got[1], broken) {
		t.Errorf("got %v", got)
	}
}

// Reading stops when the loop ends, and each document has its line and text.
func TestDocumentsOneByOne(t *testing.T) {
	for doc, err := range Documents(strings.NewReader("---\n\n# x\na: b\n---\nc: [\n")) {
		if want := "a: b\n"; err != nil || doc.Line != 4 || string(doc.Text) != want || string(doc.JSON) != `{"a":"b"}` {
			t.Errorf("got line %d, text %q, JSON %s, error %v", doc.Line, doc.Text, doc.JSON, err)
		}
		break
	}
}

// toJSON recovers from panics of the YAML library.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: b\n---\n", "--- a\n...\n", "a: [1, 2\nb: \"", "&a [*a]", "? {a: b}\n: c\n", "\x00", "<<: *x", "{", "\r\r@", "%YAML 1.2\n---\n!!binary aGk=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := 1
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} { // the line ends of YAML
			lines += strings.Count(text, end)
		}
		_, err := Parse([]byte(text))
		var at *LineError
		if err != nil && (!errors.As(err, &at) || at.Line < 1 || at.Line > lines+1) {
			t.Errorf("%d lines: %v", lines, err)
		}
	})
}
