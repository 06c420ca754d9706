package markdown

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	for in, want := range map[string]Safe{
		"plain text, 1-2 (x)":      "plain text, 1-2 (x)",
		"a|b":                      `a\|b`,
		`a\|b`:                     `a\\\|b`,
		"a\n| b\r\n":               `a \| b`,
		"<script>&lt;":             `\<script\>\&lt;`,
		"[x](http://y) `c` *e* _f": "\\[x\\](http\\://y) \\`c\\` \\*e\\* \\_f",
		"a\u202eb\u2028c\x1b[2Jd":  `a\\u202eb c\\u001b\[2Jd`,
		"![x](y)":                  `\!\[x\](y)`,
		"(@acme/all, a@b.example)": `(@&#8203;acme/all, a@&#8203;b.example)`,
		"x@sha256:0a @ 1":          "x@sha256:0a @ 1",
		"see #12, !3 and gh-4":     `see \#&#8203;12, \!&#8203;3 and gh-&#8203;4`,
		"www.x.example ftp://x":    `www\.x.example ftp\://x`,
		"--> <!--":                 `--\> \<\!--`,
		"  x  ":                    "x",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestProse(t *testing.T) {
	for in, want := range map[string]Safe{
		"what `a|b <c> *` does\nto <x> and \"*\", \"*\" | _y_": "what `a\\|b <c> *` does to &lt;x> and \"\\*\", \"\\*\" \\| _y_",
		"an open `code":     "an open \\`code",
		"`--a` and `b` [x]": "`--a` and `b` [x]",
	} {
		if got := Prose(in); got != want {
			t.Errorf("Prose(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	for in, want := range map[string]Safe{
		`{"a": 1}`:     "`{\"a\": 1}`",
		"a|b":          "`a\\|b`",
		"a\nb":         "`a b`",
		"a\x1b\u202eb": "`a\\u001b\\u202eb`",
		"a`b``":        "``` a`b`` ```",
	} {
		if got := Code(in); got != want {
			t.Errorf("Code(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b, "a_b", "", "number:")
	table.Row("x|y", Code("z"), 3)
	table.Row("", Safe("**b**"), "")
	want := "| a\\_b | | number |\n|---|---|---:|\n| x\\|y | `z` | 3 |\n|  | **b** |  |\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
