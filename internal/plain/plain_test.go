package plain

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, ü, 日本, ⚠️":    "plain text, ü, 日本, ⚠️",
		`C:\new`:                   `C:\new`,
		"a\x1b[2Jb":                `a\u001b[2Jb`,
		"a\x7fb\u009b31mc":         `a\u007fb\u009b31mc`,
		"a\nb\r\nc\td":             `a\u000ab\u000d\u000ac\u0009d`,
		"a\u202eb\u2066c\u200bd":   `a\u202eb\u2066c\u200bd`,
		"a\u2028b\u2029c\u00a0d":   `a\u2028b\u2029c\u00a0d`,
		"\ufeffa\u00adb\u3164":     `\ufeffa\u00adb\u3164`,
		"tag\U000e0041":            `tag\udb40\udc41`,
		"x\xff\xfey":               "x\ufffd\ufffdy",
		"::error::x":               `\u003a:error::x`,
		"  ::stop-commands::x":     `  \u003a:stop-commands::x`,
		"\u00a0::error::x":         `\u00a0\u003a:error::x`,
		"std::string":              "std::string",
		"see ##[error]x":           `see #\u0023[error]x`,
		"##vso[task.setvariable]x": `#\u0023vso[task.setvariable]x`,
		"###[group]x":              `##\u0023[group]x`,
		"# a ## b #1 ##":           "# a ## b #1 ##",
		"#2":                       "#2",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	if got, want := Lines("a\n\t::error::b\n::c\x1b"), "a\n\t\\u003a:error::b\n\\u003a:c\\u001b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestJSON: the meaning stays.
func TestJSON(t *testing.T) {
	want := map[string]string{"a\u202e##[error]\x7f": "\U000e0041\u009b"}
	data, err := json.MarshalIndent(want, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	safe := JSON(data)
	if Lines(string(safe)) != string(safe) || !utf8.Valid(safe) || bytes.ContainsFunc(safe, func(r rune) bool { return r > 0x7f }) {
		t.Errorf("%q", safe)
	}
	var got map[string]string
	if err := json.Unmarshal(safe, &got); err != nil || len(got) != 1 || got["a\u202e##[error]\x7f"] != "\U000e0041\u009b" {
		t.Errorf("%q: %v", got, err)
	}
}

// TestWriter: text that comes in pieces is what it would be as a whole.
func TestWriter(t *testing.T) {
	text := "one\n::error::two\x1b[0m\n##[x]ü\u202e\nthe end"
	for size := 1; size < len(text); size++ {
		var out strings.Builder
		w := Writer{W: &out}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if out.String() != Lines(text) {
			t.Fatalf("in pieces of %d: %q", size, out.String())
		}
	}
}

var command = regexp.MustCompile(`##[\[a-zA-Z]`)

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"a", "\x1b[2J", "::error::", " \u202e::x", "##[a]", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := Line(s)
		if strings.ContainsFunc(line, Hidden) || command.MatchString(line) || strings.HasPrefix(strings.TrimSpace(line), "::") || !utf8.ValidString(line) {
			t.Errorf("Line(%q) = %q", s, line)
		}
		if again := Line(line); again != line {
			t.Errorf("Line(%q) = %q, and of that %q", s, line, again)
		}
	})
}
