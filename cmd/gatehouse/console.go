package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/gatehouse-dev/gatehouse/rollout"
)

// clearLine goes back to the begin of the line and empties it.
const clearLine = "\r\x1b[K"

// console takes messages line by line and, on a terminal, shows below them what is
// being done.
type console struct {
	w io.Writer
	// columns of the terminal, asked each time: it may be resized. Nil where nobody
	// would see a line change.
	columns func() int
	// shown tells that the last line is a status.
	shown bool
}

func newConsole(w io.Writer) *console {
	c := &console{w: w}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || !redraws(os.Getenv) {
		return c
	}
	c.columns = func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 { // a serial line does not know
			return 80
		}
		return width
	}
	return c
}

// redraws tells whether a terminal can take a line back: CI systems keep every
// version of it, and dumb ones do not know how.
func redraws(getenv func(string) string) bool {
	return getenv("CI") == "" && getenv("TERM") != "dumb"
}

// line writes a line that stays.
func (c *console) line(text string) {
	c.done()
	if c.columns != nil {
		text = printable(text)
	}
	fmt.Fprintln(c.w, text)
}

// status replaces the last line. It is cut to the width of the terminal: a line
// that wraps could not be taken back.
func (c *console) status(text string) {
	if c.columns == nil {
		return
	}
	c.shown = true
	fmt.Fprint(c.w, clearLine+cut(printable(text), c.columns()-1)) // the last column wraps on some terminals
}

// done removes the status, if there is one.
func (c *console) done() {
	if c.shown {
		fmt.Fprint(c.w, clearLine)
	}
	c.shown = false
}

// log is the console for package cluster.
func (c *console) log() rollout.Log { return rollout.Log{Line: c.line, Status: c.status} }

// printable replaces what would move the cursor or colour the rest: messages of a
// cluster are text of others.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// cut shortens text to a number of columns.
func cut(text string, columns int) string {
	used, end := 0, 0 // end of what fits beside an ellipsis
	for i, r := range text {
		if used < columns {
			end = i
		}
		used++
		if r >= firstWide {
			used++
		}
	}
	if used <= columns {
		return text
	}
	return text[:end] + "…"
}

// firstWide is the first rune that may take two columns (Unicode, annex 11).
const firstWide = 0x1100
