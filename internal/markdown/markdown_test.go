package markdown

import "testing"

func TestCell(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"plain", "a b", "a b"},
		{"lines", " a\n\tb ", "a b"},
		{"the end of a cell", "a|b", `a\|b`},
		{"an escaped end", `a\|b`, `a\\\|b`},
		{"HTML", "<img>", "&lt;img>"},
		{"code", "`a`", "\\`a\\`"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Cell(c.in); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
