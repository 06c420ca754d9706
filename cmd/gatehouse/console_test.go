package main

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/internal/plain/hostile"
)

func TestConsole(t *testing.T) {
	cases := []struct {
		name    string
		columns int // 0: no terminal
		want    string
	}{
		{"a file", 0, "created\nready\n"},
		{"a terminal", 80, "\r\x1b[K1 of 2 ready; a b\r\x1b[Kcreated\nready\n\r\x1b[K2 of 2\r\x1b[K"},
		{"a narrow terminal", 10, "\r\x1b[K1 of 2 r…\r\x1b[Kcreated\nready\n\r\x1b[K2 of 2\r\x1b[K"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			console := newConsole(&out)
			if c.columns > 0 {
				console.columns = func() int { return c.columns }
			}
			log := console.log()
			log.Status("1 of 2 ready; a\nb")
			log.Line("created")
			log.Line("ready")
			log.Status("2 of 2")
			console.done()
			console.done() // changes nothing
			if out.String() != c.want {
				t.Errorf("got %q, want %q", out.String(), c.want)
			}
		})
	}
}

// TestConsoleHostile: what a cluster says reaches the log harmless, through the writer of all
// messages too.
func TestConsoleHostile(t *testing.T) {
	for _, name := range hostile.Names() {
		var out strings.Builder
		console := newConsole(&plain.Writer{W: &out})
		console.line(name)
		console.columns = func() int { return 80 }
		console.status(name)
		if err := hostile.Text(strings.ReplaceAll(out.String(), clearLine, "")); err != nil {
			t.Error(err)
		}
	}
}

func TestRedraws(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"a terminal", map[string]string{"TERM": "xterm"}, true},
		{"without colours", map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, true},
		{"a dumb terminal", map[string]string{"TERM": "dumb"}, false},
		{"a CI system", map[string]string{"TERM": "xterm", "CI": "true"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := redraws(func(key string) string { return c.env[key] }); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdef", 5, "abcd…"},
		{"äöü", 3, "äöü"},
		{"äöüß", 3, "äö…"},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"abc", 1, "…"},
		{"abc", 0, "…"},
		{"", 0, ""},
	} {
		if got := cut(c.text, c.columns); got != c.want {
			t.Errorf("%q in %d columns: got %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}
